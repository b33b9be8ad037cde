"""Models of ``config.yaml``: one module a section, :mod:`fidgety.config.root` the whole.

This file imports nothing, so that a stage depends on its own section alone.
"""
