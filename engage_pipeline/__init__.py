"""Predicts how people engage with tweets: a Dagster pipeline over DuckDB and Parquet."""

import os

# The OpenMP threads of torch and LightGBM spin while they wait for each other. Beside any other load on the same cores
# that makes them ten times slower; sleeping costs next to nothing. It must be set before either library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
