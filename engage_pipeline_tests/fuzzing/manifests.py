"""Mutated manifests and entries of kept versions: read, or refused with the asset to materialize again."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engage_pipeline.commands.status_table import read_status, status_table
from engage_pipeline.errors import UserError
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.fuzzing.splices import random_splices, replace_value, spliced
from engage_pipeline_tests.samples import bare_store, tiny_settings

PART, FILE = "part-00000", "tweets.parquet"


def publish(folder: Path) -> dict[str, bytes]:
    """A store with a part and a model with one before it; the content of each file that says what is published."""
    store = bare_store(tiny_settings(folder / "data", recsys_data=str(folder / "raw")))
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / PART).write_bytes(b"raw")
    with store.publish("tweet_parts", PART, [folder / "raw" / PART]) as draft:
        draft.path(FILE).write_bytes(b"rows")
        draft.rows, draft.facts = 4, {"rows": 4, "seconds": 1.0, "peak_mb": 10}
    for content in (b"one", b"two"):
        with store.publish("trained_model") as draft:
            draft.path("weights").write_bytes(content)
    base = store.root
    paths = [path for path in base.rglob("*.json") if path.parent.name in {PART, "trained_model"}]
    assert {path.name for path in paths} == {"manifest.json", "kept-00000001.json", "last.json"}
    return {str(path.relative_to(base)): path.read_bytes() for path in sorted(paths)}


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """The JSON with one value, key or element replaced or removed somewhere in it; half of the manifests without their
    checksum, unless it is the facts that change, which nothing but the checksum protects."""
    value = json.loads(content)
    facts = json.dumps(value.get("facts"))
    replace_value(value, rng)
    if rng.random() < 0.5 and json.dumps(value.get("facts")) == facts:
        value.pop("sha256", None)
    return json.dumps(value).encode()


def check_manifest(folder: Path, name: str, content: bytes, original: bytes) -> Counter[str]:
    """Puts the content in the place of the file `name` and asks the store everything; what it said.

    Raises AssertionError where a file outside of the artifact is named, or an error has more than one line, and
    whatever else the store raises.
    """
    store = bare_store(tiny_settings(folder / "data", recsys_data=str(folder / "raw")))
    path = store.root / name
    path.write_bytes(content)
    said: Counter[str] = Counter()
    try:
        for artifact, key in (("tweet_parts", PART), ("trained_model", None)):
            for ask in _questions(store, artifact, key):
                said += _ask(ask)
        said += _ask(lambda: status_table(read_status(store)))
        said += _ask(store.parts)
    finally:
        path.write_bytes(original)
    return said


def _questions(store: ArtifactStore, artifact: str, key: str | None) -> list[Callable[[], object]]:
    def files() -> None:
        version = store.open(artifact, key)
        for file in version.manifest.files:
            assert version.path(file).resolve().parent.parent == store.folder(artifact, key).resolve()
        version.directory()

    def readers() -> None:
        current = store.current(artifact, key)
        for version in [*store.kept(artifact, key), *([current] if current else [])]:
            assert version.directory().resolve().parent == store.folder(artifact, key).resolve()

    raw = [store.settings.recsys_data / PART] if key else []
    return [files, readers, lambda: store.stale(artifact, key, raw), lambda: store.manifest(artifact, key)]


def _ask(question: Callable[[], object]) -> Counter[str]:
    try:
        question()
    except UserError as error:
        assert str(error).isprintable(), repr(str(error))
        return Counter(refused=1)
    return Counter(answered=1)


def fuzz_manifests(folder: Path, files: int, seed: int) -> Counter[str]:
    """Asks the store about so many mutated manifests and entries, by bytes and by values."""
    rng = random.Random(seed)
    originals = publish(folder)
    said: Counter[str] = Counter()
    for _ in range(files):
        name = rng.choice(list(originals))
        original = originals[name]
        content = mutated_json(original, rng) if rng.random() < 0.5 else spliced(original, random_splices(rng))
        said += check_manifest(folder, name, content, original)
    return said
