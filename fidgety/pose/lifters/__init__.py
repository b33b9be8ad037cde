"""Ways to a 3D pose: what the estimator saw itself, or networks that lift a 2D pose."""
