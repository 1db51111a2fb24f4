# Everything runs in .venv, which `make setup` makes from pyproject.toml, with the versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
# An index that has another build of torch, such as https://download.pytorch.org/whl/cpu; empty = the default index alone.
TORCH_INDEX ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt \
  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
export DAGSTER_HOME := $(CURDIR)

.PHONY: setup development lock run data/raw ui test test-long test-all lint audit bench pictures
.NOTPARALLEL:

# What `make run` and `make ui` need.
setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) --editable .
	$(BIN)/python -m engage_pipeline.model.compiled_ahead
	touch $@

# What tests, lint and benchmarks need besides, each when it is first asked for.
.venv/.test .venv/.lint .venv/.bench: .venv/.%: .venv/.installed
	$(PIP_INSTALL) --editable '.[$*]'
	touch $@

development: .venv/.test .venv/.lint .venv/.bench

# Writes constraints.txt: the versions in .venv, and for what is not there the newest that pyproject.toml admits.
lock: setup
	$(BIN)/python .ci/lock.py

run: setup data/raw
	$(BIN)/engage run

# Demo data, if there is none. It is moved into place when it is whole.
data/raw: setup
	@if ! find data/raw -name 'part-*' 2>/dev/null | grep -q .; then \
	  rm -rf data/.raw data/raw && \
	  $(BIN)/engage synthesize --out data/.raw --rows 240000 --users 24000 --parts 4 && \
	  mv data/.raw data/raw; \
	fi

PORT ?= 3000

# Dagster would warn that it prefers `dg dev`, which is a package of its own and starts the same processes. On a port that
# is taken it would go on without its UI.
ui: setup
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
	  { echo 'make ui: port $(PORT) is taken; choose another: make ui PORT=3001' >&2; exit 1; }
	$(BIN)/python -W ignore:Function -m dagster dev --host 127.0.0.1 --port $(PORT)

# SEED=7 runs the tests in the random order of that seed.
TEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 \
  $(if $(SEED),--order-seed=$(SEED))

test: .venv/.test
	$(TEST) -m 'not long'

# From end to end, and in processes of their own: whole runs, a cluster, the daemon day after day.
test-long: .venv/.test
	$(TEST) -m long

# Both at once: while the long ones wait, for a daemon or a cluster, the others run.
test-all: .venv/.test
	$(TEST)

lint: .venv/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --quiet --disable-progress-bar engage_pipeline
	$(BIN)/codespell

# Known vulnerabilities of what is installed; skipped, saying why, where the data can't be reached.
audit: .venv/.lint
	$(BIN)/python .ci/audit.py

bench: .venv/.bench
	$(BIN)/python -m engage_pipeline_tests.benchmarks --out docs/performance.md
	$(BIN)/python -m engage_pipeline_tests.benchmarks.scale --out docs/scale.md

# The screenshots of docs/, of a small demo world. Needs Debian's chromium and chromium-driver.
pictures: .venv/.test
	$(BIN)/python -m engage_pipeline_tests.pictures

# Hundreds of faults put into a copy of the product, one at a time: do its tests notice? Goes on where it was stopped.
.PHONY: mutants
mutants: .venv/.test
	nice $(BIN)/python -m engage_pipeline_tests.mutants
