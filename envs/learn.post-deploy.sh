#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/learn.txt 9a97c02840797ed3b5b3479f85480e70c2318b1119e29439ffd00d78e1681d3b
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/learn.txt" ]; then
    echo "$home/requirements/learn.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/learn.txt"
python -m pip install --no-input -r "$home/requirements/torch.txt"
