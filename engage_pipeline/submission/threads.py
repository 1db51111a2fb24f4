"""Limits the threads of the libraries that keep them for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pyarrow as pa


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Inside the block pyarrow and torch use at most `threads` threads each; None = as they are.

    DuckDB and LightGBM take their number with each call.
    """
    if threads is None:
        yield
        return
    import torch

    before = pa.cpu_count(), pa.io_thread_count(), torch.get_num_threads()
    with suppress(RuntimeError):  # torch refuses once it has worked in parallel
        torch.set_num_interop_threads(threads)
    pa.set_cpu_count(threads)
    pa.set_io_thread_count(threads)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        pa.set_cpu_count(before[0])
        pa.set_io_thread_count(before[1])
        torch.set_num_threads(before[2])
