"""Tracks for other programs: one module a file format."""
