"""What can be known before a run begins: whether what it will read, and what it will need, is there.

    require_ready(store, wanted)        # raises UserError with one line, or says nothing

Only what the run will make is asked about. What does not belong here: what is found in the files (ingest).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.parsing.streams import require_lzop
from engage_pipeline.machine.full_disk import free_bytes, in_units, unpacked_bytes
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import SEGMENTS, Step, raw_sources, training_listing, training_parts
from engage_pipeline.store.store import ArtifactStore

INGESTED = ("tweet_parts", "validation_tweets", "test_tweets")
_TYPED = 4
"""How much smaller typed tweets are than raw ones, at most: 2.4 to 4 times."""


def require_ready(store: ArtifactStore, wanted: Collection[str]) -> None:
    """Checks raw folders and lists of deletions, `lzop`, the encoder, Spark and the free disk for what is to be made of
    the artifacts `wanted`. Raises UserError with the first thing that is missing."""
    settings = store.settings
    for name in INGESTED:
        if name in wanted:
            training_parts(settings) if name == "tweet_parts" else raw_sources(settings, name)
    steps = expected_steps(store, wanted)
    made = {step.artifact for step in steps}
    if made.intersection(INGESTED):
        read_deletions(settings.deletions, follow_links=settings.follow_links)
    for source in _sources(store, steps):
        require_lzop(source)
    if "finetuned_encoder" in made:
        from engage_pipeline.language.encoder_files import require_encoder

        require_encoder(settings)
    if steps and settings.engine.kind == "spark":
        from engage_pipeline.engines.spark.session import require_spark

        require_spark()
    _require_space(store, steps)


def expected_steps(store: ArtifactStore, wanted: Collection[str]) -> list[Step]:
    """What is stale now, and what will be looked at because an input of it is made again: at most so much is made."""
    steps: list[Step] = []
    for names in SEGMENTS:
        for name in (name for name in names if name in wanted):
            parents = [step.artifact for step in steps if step.artifact in ARTIFACTS[name].inputs]
            for key, sources in _keys(store, name):
                reason = store.stale(name, key, sources) or (f"{parents[0]} is made again" if parents else None)
                if reason:
                    steps.append(Step(name, key, reason))
    return steps


def _keys(store: ArtifactStore, name: str) -> Iterator[tuple[str | None, list[Path]]]:
    """The parts of an artifact, None where it has none, each with its raw files."""
    if name == "tweet_parts":
        yield from ((key, [path]) for key, path in training_listing(store.settings).parts.items())
    elif ARTIFACTS[name].partitioned:
        yield from ((key, []) for key in store.parts()[: store.settings.max_n_parts])
    else:
        yield None, raw_sources(store.settings, name)


def _sources(store: ArtifactStore, steps: Collection[Step]) -> list[Path]:
    """The raw parts that are to be read."""
    training = training_listing(store.settings).parts if any(step.artifact == "tweet_parts" for step in steps) else {}
    found = [training[str(step.key)] for step in steps if step.artifact == "tweet_parts"]
    for step in steps:
        if step.artifact in INGESTED and step.key is None:
            found += raw_sources(store.settings, step.artifact)
    return found


def _require_space(store: ArtifactStore, steps: Collection[Step]) -> None:
    """Refuses a run for which there is surely not enough: raw parts that were never ingested become typed tweets, and
    the largest artifact that is made again lies beside its version before for a while."""
    place, again, first = store.root, 0, 0
    for step in steps:
        version = store.current(step.artifact, step.key)
        if version is not None:
            again = max(again, sum(mark.bytes for mark in version.manifest.files.values()))
        elif step.artifact in INGESTED:
            first += sum(unpacked_bytes(path) for path in _sources(store, [step])) // _TYPED
    free = free_bytes(place)
    if free < again + first:
        names = ", ".join(label(step.artifact, step.key) for step in list(steps)[:1])
        more = f" and {len(steps) - 1:,} more" if len(steps) > 1 else ""
        raise UserError(
            f"{place}: {in_units(free)} free, and making {names}{more} takes at least {in_units(again + first)}: make "
            "room there, or name another working_dir"
        )
