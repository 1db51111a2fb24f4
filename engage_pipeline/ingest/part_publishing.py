"""Publishes raw training parts as versions of tweet_parts, each by itself (engines.tasks).

What does not belong here: the content of a part's files (drafts).
"""

from collections.abc import Sequence
from functools import partial

from engage_pipeline.engines.tasks import attempt_items
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import identity
from engage_pipeline.ingest.deletions.forgetting import enter_replaced
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.drafts import write_labelled
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import PartResult, making, published, published_elsewhere
from engage_pipeline.store.plan import parts_with_files, raw_sources, training_listing
from engage_pipeline.store.store import ArtifactStore

ARTIFACT = "tweet_parts"
BYTES_A_ROW = 500
"""Of raw text, about; compressed files have fewer."""


def publish_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """Reads and publishes the parts `keys`; returns the result of each, in their order.

    Raises UserError if a list of deletions can't be read, or if Spark is not available.
    """
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    raw = training_listing(store.settings).parts
    rows = sum(raw[key].stat().st_size for key in keys if key in raw and raw[key].exists()) // BYTES_A_ROW
    found = attempt_items(ARTIFACT, partial(_publish, deletions), keys, store.settings, all_rows=rows)
    return {key: published_elsewhere(store, ARTIFACT, key, result) for key, result in zip(keys, found, strict=True)}


def _publish(deletions: Deletions, settings: Settings, key: str) -> None:
    """Publishes a part in this process, or in a process or a task of its own."""
    publish_part(ArtifactStore(settings), deletions, key)


def publish_part(store: ArtifactStore, deletions: Deletions, key: str) -> Manifest:
    """Reads the raw part `key` and publishes it, without the rows of `deletions`.

    Raises UserError in the same cases as ingest_part, and if the settings ask for no such part, or if another run is
    making it.
    """
    sources = raw_sources(store.settings, ARTIFACT, key)
    if not sources:
        gone = key not in parts_with_files(store.settings)
        why = "its file is gone (engage register-parts --prune)" if gone else "max_n_parts leaves it out"
        raise UserError(f"{store.settings.recsys_data}: no part {key} among the parts that the settings ask for: {why}")
    enter_replaced(store, ARTIFACT, key, deletions)
    since = identity(sources[0])
    with making(store, ARTIFACT, key, sources) as draft:
        write_labelled(store, ARTIFACT, key, draft, sources[0], since, deletions)
    return published(draft)
