"""What pose cannot see: crops of the body alone, turned upright, and their optical flow."""
