"""Training by fold, the fold models that come of it, and prediction with them."""
