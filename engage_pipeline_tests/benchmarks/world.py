"""The world that a benchmark measures on: synthetic parts in a folder, settings, and the artifacts made of them."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from engage_pipeline.settings.overrides import overlay
from engage_pipeline.settings.settings import Settings, settings_from
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize

PART = "part-00000"
ROWS_A_USER = 10
SEED = 1
MOST_TEST_ROWS = 400_000
SKETCHED_TWEETS = 40_000
"""At most so many distinct tweets are read by the tiny encoder: its speed is steady."""


@dataclass(frozen=True)
class World:
    """`rows` interactions (about 76 % training, 12 % validation, 12 % test rows), one part each, below `folder`."""

    folder: Path
    rows: int
    threads: int

    def settings(self, preset: str = "demo", **values: Any) -> Settings:
        """The preset's settings on this world, `values` laid over them. The encoder is tiny and not fine-tuned."""
        chosen: Mapping[str, Any] = {
            "preset": preset,
            "working_dir": "data",
            "recsys_data": "raw/train",
            "validation_part": f"raw/validation/{PART}",
            "test_data": "raw/test",
            "encoder": {"model": "tiny", "epochs": 0, "max_tweets": SKETCHED_TWEETS},
            "engine": {"threads": self.threads},
            "training_threads": self.threads,
        }
        return settings_from(overlay(chosen, values), folder=self.folder)

    @cached_property
    def store(self) -> ArtifactStore:
        """The artifacts under the demo's settings."""
        return ArtifactStore(self.settings())

    def source(self, name: str) -> Path:
        """The raw part that an artifact of the ingest stage is made of."""
        return raw_sources(self.store.settings, name, PART if name == "tweet_parts" else None)[0]

    def test_part(self, *, quarter: bool = False) -> Path:
        """A test part with as many rows as the world, at most MOST_TEST_ROWS, or a quarter of them.

        The world's test rows again and again.
        """
        rows = min(self.rows, MOST_TEST_ROWS) // (4 if quarter else 1)
        path = self.folder / "repeated" / str(rows) / PART
        if not path.exists():
            path.parent.mkdir(parents=True)
            with path.open("wb") as file:
                file.writelines(islice(_repeated(self.folder / "raw" / "test" / PART), rows))
        return path

    def make(self) -> None:
        """Writes the raw parts, if they are not there."""
        raw, half = self.folder / "raw", self.folder / ".raw"
        if not raw.exists():
            shutil.rmtree(half, ignore_errors=True)
            synthesize(half, rows=self.rows, users=max(self.rows // ROWS_A_USER, 10), parts=1, seed=SEED)
            half.rename(raw)


def _repeated(part: Path) -> Iterator[bytes]:
    while True:
        with part.open("rb") as lines:
            yield from lines
