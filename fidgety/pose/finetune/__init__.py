"""Labelling frames by hand, and fine-tuning a pose model on them."""
