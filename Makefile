# Everything runs in .venv, which `make setup` makes from pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
export DAGSTER_HOME := $(CURDIR)

.PHONY: setup run ui test lint bench

setup: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

run: setup
	$(BIN)/engage run --preset demo --synthesize

ui: setup
	$(BIN)/dagster dev --host 127.0.0.1 --port 3000

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m engage_pipeline_tests.benchmarks
