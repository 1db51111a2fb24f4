"""A draft of an artifact that is measured while it is made."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.machine.memory import peak_memory_mb, release_memory, reset_peak_memory
from engage_pipeline.plurals import counted
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.store import ArtifactStore, Draft

LOGGER = logging.getLogger("engage_pipeline")


@contextmanager
def making(store: ArtifactStore, name: str, key: str | None = None, sources: Sequence[Path] = ()) -> Iterator[Draft]:
    """A draft of the artifact, with the seconds and the peak memory (MB, resident) that making it took as facts.

    `seconds` stand where they are already known, of a draft that is made together with others.
    """
    LOGGER.info("%s: started", label(name, key))
    started = time.monotonic()
    reset_peak_memory()
    try:
        with store.publish(name, key, sources) as draft:
            yield draft
            taken = Facts(seconds=round(time.monotonic() - started, 2), peak_mb=peak_memory_mb())
            draft.facts = taken.model_dump() | draft.facts
    finally:
        release_memory()
    rows = f", {counted(draft.rows, 'row')}" if draft.rows is not None else ""
    taken = Facts.model_validate(draft.facts)
    LOGGER.info("%s: %.1f s%s, peak %d MB", label(name, key), taken.seconds, rows, taken.peak_mb)


PartResult = Manifest | UserError
"""What became of a part that was to be made: the manifest of the version that was published, or why there is none."""


def published(draft: Draft) -> Manifest:
    """The manifest of a draft whose publication has ended."""
    if draft.manifest is None:
        raise RuntimeError("the draft is not published")
    return draft.manifest
