"""Measures the time and memory of making an artifact."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.memory import peak_memory_mb, release_memory, reset_peak_memory
from engage_pipeline.plurals import counted
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.store import ArtifactStore, Draft

LOGGER = logging.getLogger("engage_pipeline")


@contextmanager
def making(
    store: ArtifactStore, name: str, key: str | None = None, sources: Sequence[Location] = ()
) -> Iterator[Draft]:
    """Yields a draft of the artifact and records the seconds and the peak memory (MB, resident) of the block as facts.

    If the block records `seconds` itself, for a draft that is made together with others, they are kept.
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
"""The result of making a part: the manifest of the published version, or the error."""


def published(draft: Draft) -> Manifest:
    """Returns the manifest of a published draft. Raises RuntimeError before its publication."""
    if draft.manifest is None:
        raise RuntimeError("the draft is not published")
    return draft.manifest


def published_elsewhere(store: ArtifactStore, name: str, key: str, problem: UserError | None) -> PartResult:
    """Returns the result of a part that this or another process, or machine, published; `problem` is its error, if
    there was one."""
    if problem is not None:
        return problem
    try:
        if (copy := store.mirrored(name, key)) is not None:
            copy.follow_unless_locked()
        return store.manifest(name, key) or UserError(f"{name}/{key}: was removed while it was made")
    except UserError as error:
        return error
