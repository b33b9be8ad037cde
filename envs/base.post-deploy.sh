#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/base.txt de3f4eb788f8a2b5cc1408636c3b05e3ce414a0b7fa443bed5f50bcb8a4a62f5
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/base.txt" ]; then
    echo "$home/requirements/base.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/base.txt"
