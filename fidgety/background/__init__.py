"""Background: the body told from what is behind it."""
