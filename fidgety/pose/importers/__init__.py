"""Tracks from elsewhere: one module a file format, all giving a Pose."""
