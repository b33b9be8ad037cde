#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/phantom.txt cfafd05fdb068a79fddd392bad49525795ea176fb803088c01288f5927e9fd2f
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/phantom.txt" ]; then
    echo "$home/requirements/phantom.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/phantom.txt"
python -m pip install --no-input -r "$home/requirements/torch.txt"
