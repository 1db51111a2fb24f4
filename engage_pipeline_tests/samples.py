"""Small inputs that several test modules share, made from a seed."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.settings.settings import Settings, settings_from
from engage_pipeline.store.rules import Rule
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.token_lists import token_arrays

GOLDEN = Path(__file__).parent / "golden"
FIRST_DAY = 18_662  # 2021-02-04


def tiny_settings(folder: Path, **values: object) -> Settings:
    """The demo preset at a size for tests: `values` laid over it, working_dir = `folder`."""
    base: dict[str, object] = {
        "preset": "demo",
        "working_dir": str(folder),
        "sketch_width": 16,
        "sketch_depth": 4,
        "network": {"hidden_size": 32, "batch_size": 64},
        "effects": {"sweeps": 4},
        "trees": {"n_estimators": 20},
        "training_threads": 1,
        "engine": {"threads": 2, "memory_limit": "1GB"},
    }
    return settings_from({**base, **values}, folder=folder)


def settings_of_three_parts(folder: Path) -> Settings:
    """Tiny, with the raw training parts part-00000 to part-00002, each of other bytes."""
    raw = folder / "raw"
    raw.mkdir()
    for number in range(3):
        (raw / f"part-0000{number}").write_bytes(b"rows %d" % number)
    return tiny_settings(folder / "data", recsys_data=str(raw))


def bare_store(settings: Settings, *rules: Rule) -> ArtifactStore:
    """A store for tests of its mechanics: its artifacts may hold anything that the `rules` allow."""
    return ArtifactStore(settings, lambda _: rules)


def _identities(rows: int, seed: int) -> dict[str, object]:
    """Who and what the rows are about: four rows a viewer, eight an author, three a tweet; some have no hashtag."""
    rng = np.random.default_rng([seed, 1])

    def ids(name: str, count: int) -> list[str]:
        return [f"{name}{number}" for number in rng.integers(0, count + 1, rows)]

    return {
        "tweet_id": ids("tweet", rows // 3),
        "engaging_user_id": ids("user", rows // 4),
        "engaged_with_user_id": ids("user", rows // 8),
        "first_hashtag": [None if number == "tag0" else number for number in ids("tag", 5)],
        schema.TWEET_TIMESTAMP: (FIRST_DAY + 5) * 86_400 - rng.integers(1, 5 * 86_400, rows),
    }


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the manifest.json in the folder of an artifact, which is left without a checksum: it would not fit."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    del values["sha256"]
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def feature_table(
    rows: int, seed: int, *, labelled: bool = True, validation: bool = False, families: Collection[str] = ()
) -> pa.Table:
    """Rows as interaction_features holds them, with labels that the viewer's and the pair's counters explain."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, 5, rows)) + FIRST_DAY
    columns: dict[str, object] = {
        schema.LINE_NUMBER: np.arange(rows),
        schema.ENGAGEMENT_DAY: day.astype(np.int32),
        schema.SPLIT: rng.integers(-1, 10, rows).astype(np.int32),
        "language": rng.choice(["en", "ja", "pt", "es"], rows),
        "hour": rng.integers(0, 24, rows).astype(np.int8),
        "day_of_month": rng.integers(0, 31, rows).astype(np.int8),
        **token_arrays(
            [
                [schema.CLS_TOKEN, *rng.integers(1000, 1300, rng.integers(1, 30)).tolist(), schema.SEP_TOKEN]
                for _ in range(rows)
            ]
        ),
    }
    columns |= {name: rng.poisson(1.0, rows) for name in (*schema.NUMBERS, *schema.EXPOSURE_FEATURES)}
    columns |= {name: rng.poisson(1.0, rows) * 0.1 for name in schema.SIMILARITY_FEATURES}
    columns |= {name: rng.random(rows) < 0.3 for name in schema.BINARY_FEATURES}
    for target, base_rate in zip(schema.TARGETS, (0.4, 0.1, 0.03, 0.05), strict=True):
        score = 0.8 * np.asarray(columns[f"viewer_{target}"]) + 0.8 * np.asarray(columns[f"pair_{target}"]) - 1.6
        probability = 1 / (1 + np.exp(-(score + np.log(base_rate / (1 - base_rate)))))
        columns[target] = rng.random(rows) < probability
    columns |= _identities(rows, seed)
    further = schema.further_features(schema.further_counters(families))
    columns |= {name: rng.poisson(1.0, rows) for name in further}
    known = schema.feature_schema(labelled=labelled, validation=validation, families=families)
    wanted = pa.schema([*known, *schema.TOKEN_FIELDS])
    return pa.table({name: pa.array(columns[name], type=wanted.field(name).type) for name in wanted.names})
