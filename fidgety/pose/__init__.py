"""Pose: tracks in memory and on disk, estimators, importers, cleaning, lifting to 3D."""
