"""Feature files, codes and settings that the tests of the network share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.settings.computing import NetworkSettings
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import feature_table, tiny_settings

if TYPE_CHECKING:
    from engage_pipeline.model.network.network import EngagementNetwork
    from engage_pipeline.model.network.vocabulary import Vocabulary

LANGUAGES = ("en", "ja", "pt")  # the sample rows speak "es" too
DEPTH, WIDTH = 2, 16
ARCHITECTURES: tuple[str, ...] = get_args(NetworkSettings.model_fields["architecture"].annotation)


def make_network(
    architecture: str = "residual", known: "Vocabulary | None" = None, **values: Any
) -> "EngagementNetwork":
    """A small network with random weights, always the same ones; `values` are of its NetworkConfig."""
    import torch

    from engage_pipeline.model.network.architectures import new_network, reads_vocabulary
    from engage_pipeline.model.network.network_config import NetworkConfig

    shape = {"languages": LANGUAGES, "sketch_depth": DEPTH, "sketch_width": WIDTH, "hidden_size": 16}
    if reads_vocabulary(architecture):
        known = known or sample_vocabulary()
        shape["members"] = 2
    shape |= {"embedding_size": 4, "architecture": architecture, "vocabulary": known.sizes if known else ()}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return new_network(NetworkConfig(**{**shape, **values}), known)


def sample_vocabulary() -> "Vocabulary":
    """Half of the people and tokens of the sample rows."""
    from engage_pipeline.model.network.vocabulary import PEOPLE, Vocabulary
    from engage_pipeline.numerics.fingerprints import fingerprints

    table = feature_table(200, 0)
    people = (np.unique(fingerprints(table[name]))[::2] for name in PEOPLE)
    return Vocabulary(*people, np.arange(1000, 1300, 2))


def make_codes(seed: int = 0) -> np.ndarray:
    """Codes of the sample rows' tokens, a few of which have none."""
    rng = np.random.default_rng(seed)
    codes = np.full((schema.VOCABULARY_SIZE, DEPTH), -1, np.int32)
    codes[1000:1300] = rng.integers(0, WIDTH, (300, DEPTH))
    codes[1000:1300:7] = -1
    return codes


def network_settings(folder: Path, **values: object) -> Settings:
    """Tiny, one thread, float32: `network` holds settings of that section, other names top-level settings."""
    network = {"hidden_size": 8, "batch_size": 64, "precision": "fp32", **values.pop("network", {})}
    base = {"sketch_width": WIDTH, "sketch_depth": DEPTH, "engine": {"threads": 1, "memory_limit": "1GB"}}
    return tiny_settings(folder, **{**base, **values, "network": network})


def write_parts(folder: Path, sizes: Sequence[int], *, row_group_size: int = 70) -> list[Path]:
    paths = [folder / f"part-{place:05d}.parquet" for place in range(len(sizes))]
    for place, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        pq.write_table(feature_table(size, place), path, row_group_size=row_group_size)
    return paths


def write_validation(folder: Path, rows: int = 500) -> Path:
    path = folder / "validation.parquet"
    pq.write_table(feature_table(rows, 90, validation=True), path, row_group_size=110)
    return path


def set_column(table: pa.Table, name: str, values: object) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, type=table.schema.field(name).type))
