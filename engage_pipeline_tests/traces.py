"""Where ids are found in a folder: every file of it, whatever it is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.numerics.fingerprints import hashes

_HEX = re.compile(rb"(?=([0-9A-Fa-f]{32}))")


def traces(folder: Path, ids: set[str]) -> dict[str, set[str]]:
    """Which of `ids` (32 hex digits each) each file below `folder` holds, as bytes or in a column of a Parquet file.

    In the tables of the interactions they are found by their hashes.
    """
    found: dict[str, set[str]] = {}
    wanted = {one.encode() for one in ids}
    names = dict(zip(hashes(pa.array(sorted(ids), pa.string())).tolist(), sorted(wanted), strict=True))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        held = {match[1] for content in _contents(path) for match in _HEX.finditer(content)} & wanted
        if path.suffix == ".arrow" and "interactions" in path.parts:
            held |= {names[one] for one in _hashes(path) & names.keys()}
        if held:
            found[str(path.relative_to(folder))] = {one.decode() for one in held}
    return found


def _hashes(path: Path) -> set[int]:
    """The 64-bit numbers of a table; none of one that was not written to its end."""
    try:
        table = pa.ipc.open_file(path.read_bytes()).read_all()
    except pa.ArrowInvalid:
        return set()
    columns = [pc.list_flatten(column) if pa.types.is_large_list(column.type) else column for column in table.columns]
    return {one for column in columns if column.type == pa.uint64() for one in column.to_pylist()}


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content.startswith(b"PAR1"):
        for column in pq.read_table(path).columns:
            yield from _texts(column.combine_chunks())


def _texts(column: pa.Array) -> Iterator[bytes]:
    if pa.types.is_list(column.type):
        yield from _texts(column.flatten())
    elif pa.types.is_dictionary(column.type):
        yield from _texts(column.dictionary_decode())
    elif pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        yield b"\n".join(value for value in pc.cast(column, pa.binary()).to_pylist() if value is not None)
    elif pa.types.is_struct(column.type):
        raise NotImplementedError(column.type)
