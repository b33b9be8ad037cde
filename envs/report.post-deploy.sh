#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/report.txt 3df32215306a4176425b31f1293e81d23b21fed7e24f0c5a2403ab4e10c39854
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/report.txt" ]; then
    echo "$home/requirements/report.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/report.txt"
