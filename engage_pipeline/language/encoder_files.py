"""Decides whether there is an encoder, and checks that its files are at hand, without loading it.

What does not belong here: loading (encoders). torch is not imported.
"""

import json
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.progress import LOGGER
from engage_pipeline.settings.computing import AUTO, DISTILBERT, NONE, TINY
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import TOKENIZER_FILES

CONFIG, WEIGHTS = "config.json", "model.safetensors"
REMEDY = f"give a local folder with {CONFIG} and {WEIGHTS}, or `{NONE}`"
READS_WORDS = "deep_fm"
"""The architecture that reads words beside sketches."""
NEEDS_ENCODER = f"reads text by sketches alone: give encoder.model a name, a folder, or `{TINY}`"
_SKIPPED = (
    "finetuned_encoder, token_sketches and emde_sketches are skipped, and the network reads words without sketches"
)
_UNREACHABLE = f"{DISTILBERT} is neither in the local cache nor to be had from the hub"
_POSITIONS = "max_position_embeddings"


class UnreachableError(UserError):
    """A model is not in the local cache, and the hub can't be reached."""


def reason_to_skip(settings: Settings, before: EncoderFacts | None = None) -> str | None:
    """Decides whether there is an encoder: returns why there is none, and logs what is skipped; None if there is one.

    Its files are checked, and missing ones fetched from the hub. `before` are the figures of what `auto` gave before,
    if anything: an encoder is never replaced by none because the hub is away, and what was skipped stays so. Raises
    UserError: files that are missing and can't be fetched, an encoder that reads fewer than encoder.max_tokens, none
    for a network that reads text by sketches alone.
    """
    model, architecture = settings.encoder.model, settings.network.architecture
    if model == NONE and architecture != READS_WORDS:
        raise UserError(f"encoder.model: {NONE}, but network.architecture {architecture} {NEEDS_ENCODER}")
    if model == NONE:
        LOGGER.info("encoder.model: %s: %s", NONE, _SKIPPED)
        return f"encoder.model is {NONE}"
    if model == AUTO and architecture == READS_WORDS:
        if before is not None and before.why is not None:
            LOGGER.info("encoder.model: as before, %s", _SKIPPED)
            return before.why
        try:
            _from_hub(DISTILBERT)
        except UnreachableError as error:
            if before is not None:
                raise
            told = error.details["told"]
            LOGGER.warning("%s: %s; to have an encoder, give encoder.model its name or folder", told, _SKIPPED)
            return _UNREACHABLE
    _require_encoder(settings)
    return None


def _require_encoder(settings: Settings) -> None:
    name = settings.encoder.base
    if name is None:
        return
    folder = base_folder(name)
    try:
        positions = json.loads((folder / CONFIG).read_bytes()).get(_POSITIONS)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"encoder.model: {name}: no readable {CONFIG} in {folder}; {REMEDY}") from error
    if isinstance(positions, int):
        require_positions(positions, settings)


def base_folder(name: str) -> Path:
    """Returns the folder with the files of `encoder.base`, fetched from the hub if necessary.

    Raises UserError: no weights in it, or it can't be fetched.
    """
    return local_folder(name) or _from_hub(name)


def require_positions(positions: int, settings: Settings) -> None:
    """Raises UserError if the encoder's number of `positions` is less than encoder.max_tokens."""
    if positions < settings.encoder.max_tokens:
        model = settings.encoder.model
        raise UserError(f"encoder.max_tokens: {settings.encoder.max_tokens}, but {model} reads {positions} tokens")


def local_folder(name: str) -> Path | None:
    """Returns the folder with weights that `encoder.model` names; None if it names a model of the hub.

    Raises UserError: no such folder, or one without safetensors weights.
    """
    folder = Path(name).expanduser()
    if not folder.is_absolute() and not name.startswith("."):  # a folder beside the settings file has its whole path
        return None
    if folder.is_dir():
        if not list(folder.glob("*.safetensors")):
            raise UserError(f"encoder.model: {name}: no {WEIGHTS} in it, and pickled weights are refused; {REMEDY}")
        return folder
    raise UserError(f"encoder.model: {name}: no such folder; {REMEDY}")


def _from_hub(name: str) -> Path:
    """Returns the model's folder in the hub's cache, after fetching it if necessary."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    wanted = [CONFIG, "*.safetensors", "*.safetensors.index.json", *TOKENIZER_FILES]
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if (folder / CONFIG).is_file() and list(folder.glob("*.safetensors")):
            return folder
    except Exception:  # not in the cache: huggingface_hub has an error class of its own for each reason
        folder = Path()
    try:
        folder = Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:
        words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
        told = f"encoder.model: {name} is not in the local cache and can't be fetched ({words})"
        kind = UnreachableError if _is_offline(error) else UserError
        raise kind(f"{told}; {REMEDY}", {"told": told}) from None
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"encoder.model: {name}: no {WEIGHTS} in it, and pickled weights are refused; {REMEDY}")
    return folder


def _is_offline(error: Exception) -> bool:
    """Tells whether the hub was not reached, and so said nothing of the model."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    return isinstance(error, LocalEntryNotFoundError) and not isinstance(error.__cause__, HfHubHTTPError)
