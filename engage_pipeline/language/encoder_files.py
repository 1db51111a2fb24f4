"""Checks that the encoder of `encoder.model` is available, without loading it.

What does not belong here: loading (encoders). torch is not imported.
"""

import json
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.settings.computing import AUTO, DISTILBERT, NONE
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import TOKENIZER_FILES

CONFIG, WEIGHTS = "config.json", "model.safetensors"
REMEDY = f"give a local folder with {CONFIG} and {WEIGHTS}, or `{NONE}`"
SKIPPED = (
    "finetuned_encoder, token_sketches and emde_sketches are skipped, and the network reads words without what an "
    "encoder knows of them"
)
WORDS = "deep_fm"
"""The architecture that reads words beside sketches."""
SKETCHES_ALONE = "reads text by sketches alone: give an encoder"
_POSITIONS = "max_position_embeddings"


def why_none(settings: Settings) -> str | None:
    """Checks the encoder's files and fetches missing ones from the hub. Returns why there is no encoder, and what is
    skipped; None if there is one.

    Raises UserError: files that are missing and can't be fetched, unless `auto` allows it; an encoder that reads fewer
    than encoder.max_tokens; none for a network that reads text by sketches alone.
    """
    model, network = settings.encoder.model, settings.network
    if model == NONE:
        if network.architecture != WORDS:
            raise UserError(f"encoder.model: {NONE}, but network.architecture {network.architecture} {SKETCHES_ALONE}")
        return f"encoder.model: {NONE}; {SKIPPED}"
    if model == AUTO and network.architecture == WORDS:
        try:
            base_folder(DISTILBERT)
        except UserError as error:
            return f"{str(error).removesuffix(REMEDY)}{SKIPPED}; to have one, give its name or folder as encoder.model"
    _require_encoder(settings)
    return None


def _require_encoder(settings: Settings) -> None:
    name = settings.encoder.base
    folder = base_folder(name)
    if folder is None:
        return
    try:
        positions = json.loads((folder / CONFIG).read_bytes()).get(_POSITIONS)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"encoder.model: {name}: no readable {CONFIG} in {folder}; {REMEDY}") from error
    if isinstance(positions, int):
        require_positions(positions, settings)


def base_folder(name: str | None) -> Path | None:
    """Returns the folder with the files of `encoder.base`, fetched from the hub if necessary; None for None.

    Raises UserError: no weights in it, or it can't be fetched.
    """
    return None if name is None else local_folder(name) or _from_hub(name)


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
    if folder.is_dir():
        if not list(folder.glob("*.safetensors")):
            raise UserError(f"encoder.model: {name}: no {WEIGHTS} in it, and pickled weights are refused; {REMEDY}")
        return folder
    if folder.is_absolute() or name.startswith((".", "~")):
        raise UserError(f"encoder.model: {name}: no such folder; {REMEDY}")
    return None


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
        raise UserError(
            f"encoder.model: {name} is not in the local cache and can't be fetched ({words}); {REMEDY}"
        ) from None
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"encoder.model: {name}: no {WEIGHTS} in it, and pickled weights are refused; {REMEDY}")
    return folder
