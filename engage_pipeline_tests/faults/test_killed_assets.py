"""kill -9 while any asset is made, at several moments: the version before stays whole, and the next run succeeds.

The moments: shares of the time it takes, and the steps of publishing. $ENGAGE_KILLS=all has every event on the disk and
twenty shares of the time instead.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.files import atomic
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import Event, Nursery

pytestmark = pytest.mark.long
ALL = os.environ.get("ENGAGE_KILLS") == "all"
SHARES = [number / 20 for number in range(20)] if ALL else [0.5]


def manifests(store: ArtifactStore) -> dict[str, Manifest | None]:
    """The current manifest of every artifact and part."""
    return {
        label(name, key): store.manifest(name, key)
        for name, artifact in ARTIFACTS.items()
        for key in (store.parts() if artifact.partitioned else [None])
    }


def steps_of_publishing(events: Sequence[Event]) -> tuple[int, int]:
    """Numbers of the events that put the draft, which the first event makes, and the new manifest in their places."""
    renames = [number for number, (event, _) in enumerate(events) if event == "os.rename"]
    (placed,) = (number for number in renames if events[number][1] == events[0][1])
    # The link `current` is moved right after the manifest; a copy of some manifests comes later.
    jsons = [(number, events[number][1].endswith(".json")) for number in renames if number > placed]
    (switched,) = (number for (number, is_json), (_, next_is) in pairwise(jsons) if is_json and not next_is)
    return placed, switched


def leftovers(store: ArtifactStore, name: str, key: str | None) -> list[str]:
    """What stands in the artifact's folder beside the version that is current, the one before, and those kept."""
    manifest = store.open(name, key).manifest
    known = {manifest.directory, manifest.previous, *(version.manifest.directory for version in store.kept(name, key))}
    return [
        path.name
        for path in store.folder(name, key).iterdir()
        if path.name.startswith((".tmp-", ".work-")) or (is_version_folder(path) and path.name not in known)
    ]


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_kill_leaves_the_version_before_whole_and_the_next_run_succeeds(
    config: Path, children: Nursery, name: str
) -> None:
    store = worlds.store_of(config)
    key = "part-00001" if ARTIFACTS[name].partitioned else None
    whole = children.make(name, key)
    assert (whole.signal, whole.failure) == (None, None)
    before = manifests(store)
    current = before.pop(label(name, key))
    assert current is not None

    def is_replaced() -> bool:
        atomic._verified.clear()
        now = store.open(name, key)
        assert now.directory().is_dir()
        assert now.manifest.files == current.files
        assert {other: manifest for other, manifest in manifests(store).items() if other != label(name, key)} == before
        return now.manifest.directory != current.directory

    placed, switched = steps_of_publishing(whole.events)
    kills = 0
    for moment in range(switched + 1) if ALL else (placed, switched):
        assert children.make(name, key, die_before=moment).signal == signal.SIGKILL
        assert not is_replaced()
        kills += 1
    for share in SHARES:
        kills += children.kill_after(share * whole.seconds, name, key).signal == signal.SIGKILL
        is_replaced()
    # Removes what the killed ones left in the spill folder: the next makes as many events again as the first.
    assert children.make(name, key).failure is None
    current = store.open(name, key).manifest
    assert children.make(name, key, die_before=switched + 1).signal == signal.SIGKILL
    assert is_replaced()
    again = children.make(name, key)
    assert (again.signal, again.failure) == (None, None)
    assert is_replaced()
    assert leftovers(store, name, key) == []
    print(f"{label(name, key)}: {kills + 1} kills", file=sys.stderr)


SPILLING = """
import sys, time
from pathlib import Path
from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline_tests.samples import tiny_settings
settings = tiny_settings(Path(sys.argv[1]), engine={"threads": 1, "memory_limit": "30MB"})
with DuckDBEngine(settings) as engine:
    engine.connection.execute(
        "CREATE TEMP TABLE numbers AS SELECT range AS n, md5(range::VARCHAR) AS t FROM range(1000000)"
    )
    print("spilled", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_what_a_killed_process_spilled_is_swept_by_the_next_that_spills(tmp_path: Path) -> None:
    spilled = tmp_path / ".spill"
    with subprocess.Popen([sys.executable, "-c", SPILLING, str(tmp_path), "600"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"spilled\n"
        assert list(spilled.iterdir())
        process.kill()
    assert list(spilled.iterdir())
    subprocess.run([sys.executable, "-c", SPILLING, str(tmp_path), "0"], check=True, capture_output=True)
    assert list(spilled.iterdir()) == []
