"""Video: what a file is, the standard form, reading and writing it."""
