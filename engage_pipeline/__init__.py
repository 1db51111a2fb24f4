"""Predicts how people engage with tweets: a Dagster pipeline over DuckDB and Parquet."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engage_pipeline.settings.settings import load_settings
    from engage_pipeline.store.opening import open_artifact
    from engage_pipeline.submission.predictor import Predictor

__all__ = ["Predictor", "load_settings", "open_artifact"]

_MODULES = {
    "Predictor": "engage_pipeline.submission.predictor",
    "load_settings": "engage_pipeline.settings.settings",
    "open_artifact": "engage_pipeline.store.opening",
}

# The OpenMP threads of torch and LightGBM spin while they wait for each other. Beside any other load on the same cores
# that makes them ten times slower. But to wake a core that sleeps takes longer than a loop over few rows: two threads
# that sleep at once grow small trees half as fast as one. So they spin for some 20 us (GCC's OpenMP), and sleep then.
# It must be set before either library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def __getattr__(name: str) -> Any:
    """Loads what is exported at its first use: `import engage_pipeline` loads nothing else."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
