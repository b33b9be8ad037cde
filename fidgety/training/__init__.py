"""Training by fold, the bundles that come of it, and prediction with them."""
