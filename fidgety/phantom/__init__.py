"""Digital phantoms: synthetic infants whose keypoints, masks and movements are known."""
