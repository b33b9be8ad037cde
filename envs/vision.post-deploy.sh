#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/vision.txt 1d71d75b69ba557e86bff0f85ad177e67cc64886473bfc33d58c179c5cfba53d
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${FIDGETY_HOME:-$PWD}"
if [ ! -f "$home/requirements/vision.txt" ]; then
    echo "$home/requirements/vision.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/vision.txt"
python -m pip install --no-input -r "$home/requirements/torch.txt"
