#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/learn.txt 7615f65a27b6d92c9087696e4f8545cbe3d7510a23080174ed1c5d6d5d06b8ae
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/learn.txt" ]; then
    echo "$home/requirements/learn.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/learn.txt"
python -m pip install --no-input -r "$home/requirements/torch.txt"
