"""The report: overlay videos, plots, pages that open from disk."""
