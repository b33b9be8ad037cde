"""From feature files to what a network is trained on: folds, series, windows, data sets."""
