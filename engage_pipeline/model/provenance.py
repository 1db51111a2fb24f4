"""What the candidate was trained on and with, as its manifest keeps it for the model card."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.catalogue import ARTIFACTS, FURTHER, ancestry, changed_settings, digest
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.interactions.counters.counting import DAYS
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.model.facts import Provenance
from engage_pipeline.numerics.stray_days import in_window
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import ArtifactStore

CANDIDATE_MODEL = "candidate_model"
_LIBRARIES = (
    "duckdb",
    "lightgbm",
    "numba",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "torch",
    "transformers",
)
_ENCODER = "encoder.model"


def provenance(store: ArtifactStore) -> Provenance:
    """Returns what a candidate that is made now is trained on and with.

    Raises UserError naming what is not there, damaged, or made with other settings.
    """
    parts = {part: store.open("tweet_parts", part).manifest for part in store.parts_of(CANDIDATE_MODEL)}
    validation = store.open("validation_tweets").manifest
    encoder = store.current("finetuned_encoder")
    days = pq.read_table(store.open("interaction_counts").path(DAYS))
    code = {name: ARTIFACTS[name].code_version for name in sorted(ancestry(CANDIDATE_MODEL))}
    return Provenance(
        parts=len(parts),
        positives={name: int(days[name].to_numpy().sum()) for name in ENGAGEMENTS},
        **_window(days[ENGAGEMENT_DAY].to_numpy(), days["rows"].to_numpy()),
        validation_rows=validation.rows or 0,
        validation_days=PartFacts.read(validation).days,
        data={
            "tweet_parts": digest({part: manifest.version for part, manifest in parts.items()}),
            "validation_tweets": validation.version,
        },
        preset=store.settings.preset,
        settings=_told(changed_settings(CANDIDATE_MODEL, store.settings), store.settings),
        code=f"engage_pipeline {version('engage_pipeline')}, version {digest(code)}",
        libraries={"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES},
        no_encoder=EncoderFacts.read(encoder.manifest).why if encoder else None,
    )


def _window(days: np.ndarray, rows: np.ndarray) -> Mapping[str, Any]:
    """Returns rows, first and last day of the window, and rows of stray days; `days` ascending int [n], `rows` [n]."""
    inside = in_window(days, rows)
    if not len(days):
        return {"rows": 0, "first_day": "", "last_day": "", "stray_rows": 0}
    first, last = (str(np.datetime64(int(day), "D")) for day in (days[inside].min(), days[inside].max()))
    return {
        "rows": int(rows.sum()),
        "first_day": first,
        "last_day": last,
        "stray_rows": int(rows[~inside].sum()),
    }


def _told(changed: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Returns the settings to tell others: without the list that follows from others, and without a local path."""
    told = {name: value for name, value in changed.items() if name != FURTHER}
    base = settings.encoder.base
    if _ENCODER in told and base is not None and Path(base).expanduser().is_absolute():
        told[_ENCODER] = "a local folder"
    return told
