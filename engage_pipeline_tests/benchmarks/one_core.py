"""Counters and features of more and more training parts of a finished run, on one core under a memory limit.

    taskset -c 0 python -m engage_pipeline_tests.benchmarks.one_core --config config.yaml --parts 1 5 16

It does what the stages `interaction_counts` and `interaction_features` of `make bench` do to one part: the work alone,
without starts, side files and checks, in one process. Similar authors and validation counts are those of the run.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline.interactions.counters.counting import count_training
from engage_pipeline.interactions.features.writing import write_features_of_parts
from engage_pipeline.machine.memory import peak_memory_mb, release_memory, reset_peak_memory
from engage_pipeline.machine.threads import arrow_threads
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.file_names import TWEETS
from engage_pipeline.store.store import ArtifactStore

HEADER = """| parts | rows | counters, CPU s | features, CPU s | rows/s of both | of the first | peak MiB |
|--:|--:|--:|--:|--:|--:|--:|"""


@dataclass(frozen=True)
class PartsFigures:
    """Rows of so many parts, seconds of CPU of their counters and their features, peak resident memory (MiB)."""

    parts: int
    rows: int
    counting: float
    features: float
    peak_mib: int

    @property
    def rate(self) -> float:
        """Rows a second of CPU, counters and features."""
        return self.rows / max(self.counting + self.features, 1e-9)

    def line(self, first: "PartsFigures") -> str:
        """A row of the table; `first` are the figures of its first row."""
        seconds = f"{self.counting:.1f} | {self.features:.1f}"
        return (
            f"| {self.parts} | {self.rows:,} | {seconds} | {self.rate:,.0f} "
            f"| {self.rate / first.rate:.0%} | {self.peak_mib:,} |"
        )


def measure(store: ArtifactStore, parts: int) -> PartsFigures:
    """Counts the rows of the first `parts` parts, and makes their features, in a folder of its own."""
    tweets = store.part_paths("interaction_counts", TWEETS)[:parts]
    graph, validation = (store.open(name).directory() for name in ("author_similarity", "validation_counts"))
    rows = sum(pq.read_metadata(path).num_rows for path in tweets)
    with tempfile.TemporaryDirectory(dir=store.settings.working_dir) as name, arrow_threads(1):
        counts, features = (Path(name) / kind for kind in ("counts", "features"))
        counts.mkdir()
        features.mkdir()
        release_memory()
        reset_peak_memory()
        started = time.process_time()
        count_training(tweets, counts, store.settings)
        counted = time.process_time()
        write_features_of_parts(
            [(path, features / f"{place}.parquet") for place, path in enumerate(tweets)],
            kind="training",
            settings=store.settings,
            training_counts=counts,
            similarity=graph,
            validation_counts=validation,
        )
        ended, peak = time.process_time(), peak_memory_mb()
    return PartsFigures(len(tweets), rows, counted - started, ended - counted, peak)


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.one_core", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings file [default: %(default)s]")
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 5, 16], help="[default: %(default)s]")
    parser.add_argument("--memory-limit", default="2GB", help="engine.memory_limit [default: %(default)s]")
    options = parser.parse_args(arguments)
    settings = load_settings(options.config)
    engine = settings.engine.model_copy(update={"threads": 1, "memory_limit": options.memory_limit})
    store = ArtifactStore(settings.model_copy(update={"engine": engine}))
    print(HEADER)
    measured: list[PartsFigures] = []
    for parts in options.parts:
        measured.append(measure(store, parts))
        print(measured[-1].line(measured[0]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
