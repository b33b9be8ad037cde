"""Several pose estimators on the same videos: agreement, jitter, gaps, speed, and error."""
