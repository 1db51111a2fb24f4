"""Variants of a world that reveal leaks: shuffled labels, or viewers left out of all labelled parts.

Raw parts are read line by line, since the generator writes no line that can't be read.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engage_pipeline import schema
from engage_pipeline.files.atomic import atomic_file

STRANGERS_SHARE = 5
"""One in five viewers is a stranger."""
_SEPARATOR = schema.FIELD_SEPARATOR.encode()
_VIEWER = schema.COLUMN_NAMES.index("engaging_user_id")
_N_LABELS = len(schema.COLUMNS) - schema.N_TEST_COLUMNS


def labelled_parts(folder: Path) -> list[Path]:
    """Returns the training parts and the validation part of a synthetic world, sorted."""
    return sorted([*(folder / "train").glob("part-*"), *(folder / "validation").glob("part-*")])


def shuffle_labels(source: Path, target: Path, seed: int) -> None:
    """Writes the labelled parts of `source` to `target` and shuffles the labels among the rows of each part.

    The four timestamps of a row stay together, so a model can learn only how often each combination occurs.
    """
    rng = np.random.default_rng(seed)
    for part in labelled_parts(source):
        rows = [line.rsplit(_SEPARATOR, _N_LABELS) for line in _lines(part)]
        order = rng.permutation(len(rows))
        lines = (_SEPARATOR.join([row[0], *rows[other][1:]]) for row, other in zip(rows, order, strict=True))
        _write(target / part.relative_to(source), lines)


def leave_out_strangers(source: Path, target: Path, seed: int) -> None:
    """Writes the labelled parts of `source` to `target`, without the rows of every fifth viewer, chosen by a hash."""
    for part in labelled_parts(source):
        kept = (line for line in _lines(part) if not _is_stranger(_viewer(line), seed))
        _write(target / part.relative_to(source), kept)


def seen_viewers(folder: Path) -> set[str]:
    """Returns the viewers that occur in a labelled part of the world in `folder`."""
    return {_viewer(line).decode() for part in labelled_parts(folder) for line in _lines(part)}


def _is_stranger(viewer: bytes, seed: int) -> bool:
    return zlib.crc32(viewer, seed) % STRANGERS_SHARE == 0


def _viewer(line: bytes) -> bytes:
    return line.split(_SEPARATOR, _VIEWER + 1)[_VIEWER]


def _lines(part: Path) -> Iterator[bytes]:
    with part.open("rb") as file:
        for line in file:
            yield line.removesuffix(b"\n")


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")
