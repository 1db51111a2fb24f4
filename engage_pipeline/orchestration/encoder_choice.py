"""Whether the encoder is skipped: asked before a run, and again when its turn comes, as its weights may come or go."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoder_files import NEEDS_ENCODER, READS_WORDS, reason_to_skip
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.language.resume import last_state
from engage_pipeline.settings.computing import AUTO, DISTILBERT
from engage_pipeline.store.plan import Step, raw_sources, training_listing
from engage_pipeline.store.store import ArtifactStore

ENCODER, MODEL = "finetuned_encoder", "encoder.model"


def skipped_before_training(store: ArtifactStore) -> str | None:
    """Returns why finetuned_encoder holds nothing when it is made now, and logs it; None if there is an encoder.

    Raises UserError as reason_to_skip does.
    """
    # Asked for `auto` alone: the workspace of a local encoder must outlive a folder that is away for a while.
    begun = store.settings.encoder.model == AUTO and last_state(encoder_workspace(store)) is not None
    return reason_to_skip(store.settings, EncoderFacts() if begun else _before(store))


def encoder_workspace(store: ArtifactStore) -> Path:
    """Returns the workspace of finetuned_encoder: another one once the files of a local encoder have other content."""
    return store.workspace(ENCODER, sources=raw_sources(store.settings, ENCODER))


def check_encoder(store: ArtifactStore, steps: Collection[Step]) -> None:
    """Checks before any of the `steps` what the encoder will need, and logs if it will be skipped.

    Raises UserError as reason_to_skip does, or if a network would be trained that needs an encoder that was skipped.
    """
    before = _before(store)
    if _is_made(store, steps):
        reason_to_skip(store.settings, before)
    elif before is not None and before.why is not None:
        architecture = store.settings.network.architecture
        if architecture != READS_WORDS and any(step.artifact == "pretrained_network" for step in steps):
            raise UserError(f"network.architecture: {architecture} {NEEDS_ENCODER}; it was skipped, as {before.why}")


def _is_made(store: ArtifactStore, steps: Collection[Step]) -> bool:
    """Tells whether the encoder is made: it is stale, or a part that it reads is."""
    if not any(step.artifact == ENCODER for step in steps):
        return False
    read = sorted(training_listing(store.settings).parts)[: store.settings.encoder.parts]
    if any(step.artifact == "tweet_parts" and step.key in read for step in steps):
        return True
    with suppress(UserError):  # a damaged manifest, which this run mends: it is decided when the encoder's turn comes
        return store.stale(ENCODER, sources=raw_sources(store.settings, ENCODER)) is not None
    return False


def _before(store: ArtifactStore) -> EncoderFacts | None:
    """Returns the figures of the current version, if it is of `auto` or of what `auto` takes."""
    current = store.current(ENCODER)
    if current is None or current.manifest.settings.get(MODEL) not in (AUTO, DISTILBERT):
        return None
    return EncoderFacts.read(current.manifest)
