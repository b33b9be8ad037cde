"""Bundles: models that were trained in one place, packed to assess infants in another."""
