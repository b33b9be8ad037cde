#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/learn.txt b9261451ddf2007f36699e01581cdd31eeec96263a7ea3a5d4757a14a2789712
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/learn.txt" ]; then
    echo "$home/requirements/learn.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/learn.txt"
python -m pip install --no-input -r "$home/requirements/torch.txt"
