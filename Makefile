# fidgety. `make run` needs Python 3.11 (or 3.12) and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Processor cores: make run CORES=8
CORES ?= all
# Further options: make run ARGS="--dry-run", make test PYTEST="-k cohort"
ARGS ?=
PYTEST ?=
# Test processes: make test WORKERS=8. Files stay whole, in the order of tests/conftest.py; the
# workflow is run once for all.
WORKERS ?= 2
TESTER = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 25
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The executors of clusters, for those who use them, and beside the environment for the tests.
CLUSTER := $(VENV)/.cluster-installed
CLUSTER_BESIDE := $(VENV)/cluster
PIP_EXACT = $(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes

# By all cores, and once: where Python is told to write no bytecode (PYTHONDONTWRITEBYTECODE, as in
# many containers), every job would compile its libraries again, which takes half of its start.
COMPILE = $(BIN)/python -m compileall -qq -j 0 fidgety $(VENV)/lib || true

# OpenMP threads that spin while they wait take the time of the job beside them.
export GOMP_SPINCOUNT ?= 0
export OMP_WAIT_POLICY ?= PASSIVE
# Draw without a screen; VTK would look for an X server first.
export VTK_DEFAULT_OPENGL_WINDOW ?= vtkEGLRenderWindow
export PIP_DISABLE_PIP_VERSION_CHECK := 1

FIND_PYTHON = for p in $(PYTHON) python3.11 python3.12 python3; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c \
	'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; \
	then echo $$p; break; fi; done

.PHONY: help run verify validate cluster test test-fast test-long test-cluster lint gallery screenshots bench bench-scale lock clean install

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

$(STAMP): requirements/lock.txt requirements/torch.txt pyproject.toml
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 is needed and was not found (python3 is: $$(python3 --version 2>&1))." >&2; \
		echo "Install it, or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	if [ -x $(BIN)/python ] && ! $(BIN)/python -c \
	'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then \
		rm -rf $(VENV); fi; \
	if [ ! -x $(BIN)/pip ]; then \
		if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$python lacks venv (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; fi; \
		echo "Making a virtual environment in $(VENV) with $$($$python --version)"; \
		$$python -m venv $(VENV); fi
	@echo "Installing the pinned packages (some minutes, some gigabytes)"
	@$(PIP_EXACT) -r requirements/lock.txt
	@$(BIN)/python -m pip install --quiet --no-compile -r requirements/torch.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

install: $(STAMP) ## Make .venv and install the pinned packages

run: $(STAMP) ## Run config.yaml to its report (the phantom cohort as cloned)
	@$(BIN)/python fidgety/phantom/graphics.py || true
	$(BIN)/snakemake --cores $(CORES) $(ARGS)
	@$(BIN)/python -c 'from pathlib import Path; from fidgety.config.root import load_config; \
	print("The report:", Path(load_config(Path("config.yaml")).results, "report/index.html").resolve())'

verify: $(STAMP) ## Check every result file: whole, and what it was when it was written
	$(BIN)/snakemake verify --cores 1 $(ARGS)

validate: $(STAMP) ## Measure the machinery on the large phantom cohort (hours)
	@$(BIN)/python fidgety/phantom/graphics.py
	$(BIN)/snakemake --configfile config/validation.yaml --cores $(CORES) $(ARGS) validate
	@cat results/validation/validation/phantoms.txt 2>/dev/null || true

$(CLUSTER): $(STAMP) requirements/cluster.txt
	@$(PIP_EXACT) -r requirements/cluster.txt
	@touch $@

cluster: $(CLUSTER) ## Install what clusters need: Slurm, Kubernetes, other schedulers

test: lint ## Lint and test (all but the longest tests)
	$(TESTER) -m "not long and not cluster" $(PYTEST)

test-fast: $(STAMP) ## The tests that take a minute
	$(TESTER) -m "not slow and not long and not cluster" $(PYTEST)

test-long: lint ## Every test but those of clusters
	$(TESTER) -m "not cluster" $(PYTEST)

$(CLUSTER_BESIDE)/.installed: requirements/cluster.txt | $(STAMP)
	@rm -rf $(CLUSTER_BESIDE)
	@$(PIP_EXACT) --target $(CLUSTER_BESIDE) -r requirements/cluster.txt
	@touch $@

test-cluster: $(CLUSTER_BESIDE)/.installed ## Run through Slurm on this machine (Debian, root)
	PYTHONPATH=$(CURDIR):$(CURDIR)/$(CLUSTER_BESIDE) $(BIN)/python -m pytest -m cluster \
		tests/cluster --durations 10 $(PYTEST)

lint: $(STAMP) ## Style, types and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/python -m fidgety.config.docs --check
	$(BIN)/python requirements/update.py --check

gallery: $(STAMP) ## Print what becomes of each kind of bad input
	@$(BIN)/python -m tests.gallery.run $(ARGS)

screenshots: $(STAMP) ## Take the README's pictures of the report in results/ (needs chromium)
	@$(BIN)/python docs/screenshots.py

bench: $(STAMP) ## Speed and memory, each against a plain baseline
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; \
		$(BIN)/python -m "benchmarks.$$(basename "$$script" .py)"; done

bench-scale: $(CLUSTER_BESIDE)/.installed ## What 1,000 and 10,000 recordings cost to plan and to sum up (two hours)
	$(BIN)/python -m benchmarks.planning --recordings 1000 --up-to-date
	$(BIN)/python -m benchmarks.planning --recordings 10000
	PYTHONPATH=$(CURDIR)/$(CLUSTER_BESIDE) $(BIN)/python -m benchmarks.planning --start 3000
	$(BIN)/python -m benchmarks.aggregates --infants 1000 10000
	$(MAKE) run
	$(BIN)/python -m benchmarks.throughput

lock: $(STAMP) ## Resolve the lock anew and all that is derived from it (needs the network)
	@test -x $(VENV)/uv/bin/uv || { $(BIN)/python -m venv $(VENV)/uv && \
		$(VENV)/uv/bin/pip install --quiet uv; }
	$(BIN)/python requirements/update.py --uv $(VENV)/uv/bin/uv $(ARGS)

clean: ## Remove results/ and all caches; .venv stays
	rm -rf results .snakemake build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
