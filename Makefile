# Everything runs in .venv, which `make setup` makes from pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
export DAGSTER_HOME := $(CURDIR)

.PHONY: setup run data/raw ui test test-long test-all lint audit bench pictures

setup: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --editable '.[dev,bench]'
	touch $@

run: setup data/raw
	$(BIN)/engage run

# Demo data, if there is none. It is moved into place when it is whole.
data/raw: setup
	@if ! find data/raw -name 'part-*' 2>/dev/null | grep -q .; then \
	  rm -rf data/.raw data/raw && \
	  $(BIN)/engage synthesize --out data/.raw --rows 240000 --users 24000 --parts 4 && \
	  mv data/.raw data/raw; \
	fi

ui: setup
	$(BIN)/dagster dev --host 127.0.0.1 --port 3000

# SEED=7 runs the tests in the random order of that seed.
TEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 \
  $(if $(SEED),--order-seed=$(SEED))

test: setup
	$(TEST) -m 'not long'

# What takes minutes each: a cluster, the daemon day after day, the same world twice.
test-long: setup
	$(TEST) -m long

# Both at once: while the long ones wait, for a daemon or a cluster, the others run.
test-all: setup
	$(TEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --quiet --disable-progress-bar engage_pipeline
	$(BIN)/codespell

# Known vulnerabilities of what is installed; skipped, saying why, where the data can't be reached.
audit: setup
	$(BIN)/python .ci/audit.py

bench: setup
	$(BIN)/python -m engage_pipeline_tests.benchmarks --out docs/performance.md
	$(BIN)/python -m engage_pipeline_tests.benchmarks.scale --out docs/scale.md

# The screenshots of docs/, of a small demo world. Needs Debian's chromium and chromium-driver.
pictures: setup
	$(BIN)/python -m engage_pipeline_tests.pictures

# Hundreds of faults put into a copy of the product, one at a time: do its tests notice? Goes on where it was stopped.
.PHONY: mutants
mutants: setup
	nice $(BIN)/python -m engage_pipeline_tests.mutants
