"""Arrow files of which only what is looked at is read: memory-mapped, without a copy."""

import mmap
from pathlib import Path

import pyarrow as pa


class MappedArrow:
    """The record `batches` of an Arrow file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Opens the file `path`. Raises ValueError if it is no Arrow file, or has another schema than `schema`."""
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        reader = pa.ipc.open_file(pa.py_buffer(self._map))
        if reader.schema != schema:
            raise ValueError(f"{path}: other columns than {schema.names}")
        self._looks = 0
        self.batches: list[pa.RecordBatch] = [reader.get_batch(place) for place in range(reader.num_record_batches)]

    @property
    def bytes(self) -> int:
        """The size of the file."""
        return len(self._map)

    def looked(self, most: int) -> None:
        """Counts a look at the file. Of every `most` of them the memory is given back of what was looked at, which the
        system may still have in its cache."""
        self._looks += 1
        if self._looks >= most:
            self._looks = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)
