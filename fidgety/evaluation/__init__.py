"""Judging predictions by infant: figures, intervals, calibration, tables, curves."""
