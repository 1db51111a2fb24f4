"""The world that a benchmark measures on: synthetic parts in a folder, settings, and the artifacts made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.config import Settings, settings_from
from engage_pipeline.plan import raw_sources
from engage_pipeline.synthetic import synthesize

PART = "part-00000"
ROWS_A_USER = 10
SEED = 1


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
            "encoder": {"model": "tiny", "epochs": 0, "max_tweets": None},
            "engine": {"threads": self.threads},
        }
        return settings_from({**chosen, **values}, folder=self.folder)

    @cached_property
    def store(self) -> ArtifactStore:
        """The artifacts under the demo's settings."""
        return ArtifactStore(self.settings())

    def source(self, name: str) -> Path:
        """The raw part that an artifact of the ingest stage is made of."""
        return raw_sources(self.store.settings, name, PART if name == "tweet_parts" else None)[0]

    @property
    def repeated_test_part(self) -> Path:
        """A test part with as many rows as the world: its test rows again and again, as `make` wrote it."""
        return self.folder / "repeated" / PART

    def make(self) -> None:
        """Writes the raw parts."""
        synthesize(self.folder / "raw", rows=self.rows, users=max(self.rows // ROWS_A_USER, 10), parts=1, seed=SEED)
        lines = (self.folder / "raw" / "test" / PART).read_bytes().splitlines(keepends=True)
        self.repeated_test_part.parent.mkdir()
        with self.repeated_test_part.open("wb") as file:
            for number in range(self.rows):
                file.write(lines[number % len(lines)])
