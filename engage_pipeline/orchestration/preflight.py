"""Checks before a run that its inputs and requirements are available.

    require_ready(store, wanted)        # raises UserError with one line, or returns

It checks only what the run will make. What does not belong here: the content of files (ingest).
"""

from collections.abc import Collection, Iterator

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.parsing.streams import require_lzop
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.device import torch_device
from engage_pipeline.machine.full_disk import free_bytes, in_units, unpacked_bytes
from engage_pipeline.orchestration.encoder_choice import check_encoder
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import SEGMENTS, Step, raw_sources, training_listing, training_parts
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.tracking.services import require_trackers

INGESTED = ("tweet_parts", "validation_tweets", "test_tweets")
TRACKED = ("finetuned_encoder", "pretrained_network", "finetuned_network", "engagement_trees", "evaluation")
"""The artifacts whose making the trackers follow."""
_TYPED = 4
"""The highest ratio of raw to typed bytes: typed tweets are 2.4 to 4 times smaller."""


def require_ready(store: ArtifactStore, wanted: Collection[str]) -> None:
    """Checks raw folders, lists of deletions, `lzop`, encoder, trackers, GPU, Spark and free disk space for those of
    the artifacts `wanted` that will be made, and warns of what will be skipped. Raises UserError with the first thing
    that is missing."""
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
    check_encoder(store, steps)
    if made.intersection(TRACKED):
        require_trackers(settings)
    if steps and settings.engine.device == "cuda":
        torch_device("cuda")
    if steps and settings.engine.kind == "spark":
        from engage_pipeline.engines.spark.session import require_spark

        require_spark()
    _require_space(store, steps)


def expected_steps(store: ArtifactStore, wanted: Collection[str]) -> list[Step]:
    """Returns the steps that may be made: what is stale now, and what may become so because an input is remade."""
    steps: list[Step] = []
    for names in SEGMENTS:
        for name in (name for name in names if name in wanted):
            parents = [step.artifact for step in steps if step.artifact in ARTIFACTS[name].inputs]
            for key, sources in _keys(store, name, ingested="tweet_parts" not in parents):
                again = f"{parents[0]} is made again" if parents else None  # which also repairs a damaged manifest
                if reason := again or store.stale(name, key, sources):
                    steps.append(Step(name, key, reason))
    return steps


def _keys(store: ArtifactStore, name: str, *, ingested: bool) -> Iterator[tuple[str | None, list[Location]]]:
    """Yields the parts of an artifact, or None if it has none, each with its raw files; unless all are `ingested`,
    those that will be."""
    if name == "tweet_parts":
        yield from ((key, [path]) for key, path in training_listing(store.settings).parts.items())
    elif ARTIFACTS[name].partitioned and not ingested:
        yield from ((key, []) for key in training_listing(store.settings).parts)
    elif ARTIFACTS[name].partitioned:
        yield from ((key, []) for key in store.parts()[: store.settings.max_n_parts])
    else:
        yield None, raw_sources(store.settings, name)


def _sources(store: ArtifactStore, steps: Collection[Step]) -> list[Location]:
    """Returns the raw parts that the steps will read."""
    training = training_listing(store.settings).parts if any(step.artifact == "tweet_parts" for step in steps) else {}
    found = [training[str(step.key)] for step in steps if step.artifact == "tweet_parts"]
    for step in steps:
        if step.artifact in INGESTED and step.key is None:
            found += raw_sources(store.settings, step.artifact)
    return found


def _require_space(store: ArtifactStore, steps: Collection[Step]) -> None:
    """Raises UserError if the disk is surely too full: new raw parts become typed tweets, and for a while the largest
    remade artifact exists beside its previous version."""
    place, again, first = store.root, 0, 0
    for step in steps:
        version = store.current(step.artifact, step.key)
        if version is not None:
            again = max(again, version.manifest.own_bytes)
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
