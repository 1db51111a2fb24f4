"""What every artifact of the tiny world holds, by code version: golden/code_versions.json.

`python -m engage_pipeline_tests.code_versions` makes the world of `worlds.py` and writes the record anew. It refuses
where an artifact came out otherwise under the same code version.

A record holds digests of contents (columns and their values, tensors, text), not of files: how pyarrow packs a table
is no result. What ingest and interactions make consists of integers, text and exactly rounded numbers: it is the same
on every machine and must be equal. What language, model and submission make is fitted in floating point: the last
digits depend on the processor (AVX2 or AVX-512, bfloat16 in hardware) and on the libraries, and clusters and trees
carry a last digit into whole values. It must be equal on the kind of machine that wrote the record; on another kind,
names and types must be equal and the root mean square of all its floats within TOLERANCE. Measured beside AVX-512 with
bfloat16: AVX2 and SSE differ by at most 0.4 %, AVX2 without bfloat16 by 1.3 %. Trees are compared there by their
predictions alone, in `evaluation`: a last digit decides whether the few rows of an engagement get trees at all. Not
compared: the report's page, which shows times, and what describes a version without being its content.
"""

import csv
import hashlib
import json
import math
import re
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import safetensors.numpy

from engage_pipeline.catalogue import ARTIFACTS, Stage, digest
from engage_pipeline.machine.device import torch_device
from engage_pipeline.machine.precision import bf16_is_fast
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import DESCRIPTIONS, REPORT
from engage_pipeline.store.manifests import label
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds

RECORD = Path(__file__).parent / "golden" / "code_versions.json"
COMMAND = "python -m engage_pipeline_tests.code_versions"
EXACT = (Stage.INGEST, Stage.INTERACTIONS)
TOLERANCE = 0.05
NOT_COMPARED = {REPORT, *DESCRIPTIONS}
LIBRARIES = ("lightgbm", "numba", "numpy", "scikit-learn", "scipy", "torch")


@dataclass(frozen=True)
class Made:
    """One artifact of the tiny world: `contents` and `types` are digests, `size` is the root mean square of its floats.

    `made_of` is the digest of its settings and of the raw files that it reads itself.
    """

    code_version: str
    made_of: str
    contents: str
    types: str
    size: float


@dataclass(frozen=True)
class Record:
    """Everything made of the tiny world on one kind of machine, by artifact."""

    machine: str
    artifacts: dict[str, Made]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_record(path: Path = RECORD) -> Record:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Record(values["machine"], {name: Made(**made) for name, made in values["artifacts"].items()})


def record_of(store: ArtifactStore) -> Record:
    """The record of a world in which everything is made."""
    return Record(_machine(), {name: _made(store, name) for name in ARTIFACTS})


def problems(before: Record, now: Record) -> list[str]:
    """What to do about each artifact that differs from the record, in the order of the flow.

    An artifact that differs because something it is made of does is no problem of its own.
    """
    found = []
    same = set()
    outdated = []
    for name, artifact in ARTIFACTS.items():
        old, new = before.artifacts.get(name), now.artifacts[name]
        if old is not None and _is_same(old, new, exact=artifact.stage in EXACT or before.machine == now.machine):
            same.add(name)
        if old is None or (old.code_version, old.made_of) != (new.code_version, new.made_of):
            outdated.append(name)
        elif name not in same and same.issuperset(artifact.inputs):
            found.append(
                f"{name} came out otherwise, but its code_version is still {new.code_version}: "
                f"raise it in catalogue.py and run `{COMMAND}`"
            )
    if outdated:
        names = ", ".join(outdated)
        found.append(f"the record is of another code version, settings or raw files: run `{COMMAND}` (for {names})")
    return found


def _is_same(old: Made, new: Made, *, exact: bool) -> bool:
    if exact:
        return old.contents == new.contents
    return old.types == new.types and math.isclose(old.size, new.size, rel_tol=TOLERANCE)


def _machine() -> str:
    """The kind of machine, as far as floating point depends on it."""
    import torch

    processor = dict(re.findall(r"^(.*?)\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE))
    facts = [f"{name} {processor.get(name)}" for name in ("vendor_id", "cpu family", "model")]
    facts += [torch.backends.cpu.get_cpu_capability(), f"bf16 {bf16_is_fast(torch_device(Settings().engine.device))}"]
    return ", ".join([*facts, *(f"{name} {version(name)}" for name in LIBRARIES)])


def _made(store: ArtifactStore, name: str) -> Made:
    artifact = ARTIFACTS[name]
    opened = {label(name, key): store.open(name, key) for key in (store.parts() if artifact.partitioned else [None])}
    paths = {f"{part}/{file}": one.path(file) for part, one in opened.items() for file in sorted(one.manifest.files)}
    read = {path: read_file(place) for path, place in paths.items() if place.name not in NOT_COMPARED}
    contents = {path: content for path, (content, _, _) in read.items()}
    types = {path: types for path, (_, types, _) in read.items() if not path.endswith(".txt")}
    floats = np.concatenate([numbers for _, _, numbers in read.values()])
    manifests = [one.manifest for one in opened.values()]
    made_of = [[one.settings, [(source.name, source.sha256) for source in one.sources]] for one in manifests]
    size = float(np.sqrt(np.mean(floats**2))) if len(floats) else 0.0
    return Made(manifests[0].code_version, digest(made_of), digest(contents), digest(types), round(size, 6))


def read_file(path: Path) -> tuple[str, str, np.ndarray]:
    """A file's content (SHA-256), its names and types, and its finite floats (float64, 1-D)."""
    if path.suffix == ".parquet":
        return _read_table(pq.read_table(path))
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            return _read_table(pa.ipc.open_file(source).read_all())
    if path.suffix == ".safetensors":
        tensors = dict(sorted(safetensors.numpy.load_file(path).items()))
        types = [f"{name} {tensor.dtype}" for name, tensor in tensors.items()]
        parts = [part for name, one in tensors.items() for part in (f"{name} {one.shape}".encode(), one.tobytes())]
        return _sha256(*parts), str(types), _finite([one for one in tensors.values() if one.dtype.kind == "f"])
    text = path.read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()) if path.suffix == ".csv" else []
    numbers = [float(value) for row in rows for value in row[2:]]
    return _sha256(text.encode()), path.suffix, _finite([np.array(numbers)])


def _read_table(table: pa.Table) -> tuple[str, str, np.ndarray]:
    types = str([f"{field.name} {field.type}" for field in table.schema])
    columns = [pc.list_flatten(column) if pa.types.is_nested(column.type) else column for column in table.columns]
    floats = [column.to_numpy() for column in columns if pa.types.is_floating(column.type)]
    return _sha256(types.encode(), repr(table.to_pydict()).encode()), types, _finite(floats)


def _finite(arrays: list[np.ndarray]) -> np.ndarray:
    values = np.concatenate([np.zeros(0), *(array.ravel().astype(float) for array in arrays)])
    return values[np.isfinite(values)]


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def main() -> int:
    """Writes the record anew; 1 where a code version must be raised first."""
    with tempfile.TemporaryDirectory() as folder:
        config = worlds.make_world(Path(folder))
        worlds.run(config)
        now = record_of(worlds.store_of(config))
    faults = [problem for problem in problems(read_record(), now) if "otherwise" in problem] if RECORD.exists() else []
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    if not faults:
        now.write(RECORD)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
