"""A memory limit far below what the data take: the result is the same, the process stays near it.

Ingest takes as much for a small part as for a large one; counters and features go shard by shard and row group by row
group.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS, similar_authors
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.faults.large_parts import write_raw_part
from engage_pipeline_tests.samples import tiny_settings

pytestmark = pytest.mark.long
ROWS = 600_000
AMPLE = 8000
LIMITS = {"features": 300}
"""MB for each step."""
SHARES = {"features": 1.3}
"""How much of what a step takes with ample memory, in the same run, it takes at most under the limit."""

STEPS = """
import json, sys, threading, time
from pathlib import Path
import pyarrow.compute as pc, pyarrow.parquet as pq
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.machine.memory import peak_memory_mb, reset_peak_memory
from engage_pipeline_tests.samples import tiny_settings

inputs, output, limit = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
settings = tiny_settings(output / "data", engine={"threads": 1, "memory_limit": f"{limit}MB"})
spilled = 0

def watch():
    global spilled
    while True:
        files = (output / "data" / ".spill").glob("duckdb_temp_*")
        spilled = max(spilled, sum(path.stat().st_size for path in files if path.exists()))
        time.sleep(0.005)

def tweets():
    ingest_part(inputs / "part-00000", tweets=output / "tweets.parquet", rejects=output / "rejects.parquet",
                settings=settings, labelled=True, order="day")

def validation_counts():
    (output / "validation_counts").mkdir()
    count_validation([inputs / "validation.parquet"], output / "validation_counts", settings)

def features():
    write_features(inputs / "tweets.parquet", output / "features.parquet", kind="training", settings=settings,
                   training_counts=inputs / "counts", similarity=inputs,
                   validation_counts=inputs / "validation_counts")

def between():
    typed = inputs / "tweets.parquet"
    rows = pq.read_table(typed)
    chunks = pc.subtract(pc.bit_wise_and(rows["line_number"], 7), 1).cast("int32")
    pq.write_table(rows.append_column("split", chunks), inputs / "validation.parquet")
    (inputs / "counts").mkdir()
    count_training([typed], inputs / "counts", settings)
    similar_authors([typed], inputs / "similar.parquet", top_n=10, threshold=0.1, settings=settings)

threading.Thread(target=watch, daemon=True).start()
for step in sys.argv[4:]:
    reset_peak_memory()
    before = peak_memory_mb()
    globals()[step]()
    print(json.dumps({"step": step, "taken": peak_memory_mb() - before, "spilled": spilled}), flush=True)
"""


def run(inputs: Path, output: Path, limit: int, *steps: str) -> dict[str, dict[str, Any]]:
    """What each step takes at its peak (MB) and what was spilled (bytes), in a process of their own."""
    output.mkdir(exist_ok=True)
    command = [sys.executable, "-c", STEPS, str(inputs), str(output), str(limit), *steps]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["step"]: line for line in lines}


def content(folder: Path, step: str) -> dict[str, str]:
    """SHA-256 of what a step wrote, by name."""
    paths = [folder / f"{step}.parquet"] if (folder / f"{step}.parquet").exists() else (folder / step).iterdir()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def ample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """What the steps write with ample memory, and the memory that they take then."""
    folder = tmp_path_factory.mktemp("ample")
    write_raw_part(folder / "part-00000", ROWS)
    figures = run(folder, folder, AMPLE, "tweets", "between", "validation_counts")
    return folder, figures | run(folder, folder, AMPLE, "features")  # anew, as under a limit


@pytest.mark.parametrize("step", LIMITS)
def test_it_stays_near_the_limit_and_gives_the_same(
    ample: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path, step: str
) -> None:
    inputs, without = ample
    limit = LIMITS[step]
    figures = run(inputs, tmp_path / "limited", limit, step)[step]
    print(step, limit, "MB:", figures, "without:", without[step], file=sys.stderr)
    assert without[step]["spilled"] == 0
    assert figures["taken"] < SHARES[step] * without[step]["taken"]
    assert figures["taken"] <= 1.3 * limit + 300
    assert content(tmp_path / "limited", step) == content(inputs, step)


def test_ingest_takes_no_more_for_a_larger_part(ample: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    write_raw_part(tmp_path / "part-00000", ROWS // 2)
    smaller = run(tmp_path, tmp_path / "smaller", AMPLE, "tweets")["tweets"]
    print("ingest of half of the rows:", smaller, "of all:", ample[1]["tweets"], file=sys.stderr)
    assert ample[1]["tweets"]["taken"] < 1.3 * smaller["taken"]


def test_a_limit_below_what_duckdb_can_do_with_is_one_line(
    ample: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path
) -> None:
    store = ArtifactStore(tiny_settings(tmp_path / "data", engine={"threads": 1, "memory_limit": "12MB"}))
    with (
        pytest.raises(UserError, match=r"^author_similarity: engine.memory_limit = 12MB is too little .*; raise it$"),
        store.publish("author_similarity") as draft,
    ):
        similar_authors(
            [ample[0] / "tweets.parquet"], draft.path(SIMILAR_AUTHORS), top_n=10, threshold=0.1, settings=store.settings
        )
    assert store.manifest("author_similarity") is None
