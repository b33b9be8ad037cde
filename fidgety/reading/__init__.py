"""Blinded readings of videos by raters: their plan, their pages, what comes back, agreement."""
