"""Whether the encoder that `encoder.model` names can be had, found out without loading it.

What does not belong here: loading (encoders). torch is not imported.
"""

import json
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings

TINY = "tiny"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
REMEDY = f"give a local folder with {CONFIG} and {WEIGHTS}, or `{TINY}`"
_POSITIONS = "max_position_embeddings"


def require_encoder(settings: Settings) -> None:
    """Raises UserError where the encoder's files are not there and can't be fetched, or where it reads fewer tokens
    than encoder.max_tokens. What has to be fetched from the hub is fetched now, and used later."""
    name = settings.encoder.model
    if name == TINY:
        return
    folder = local_folder(name) or _from_hub(name)
    try:
        positions = json.loads((folder / CONFIG).read_bytes()).get(_POSITIONS)
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"encoder.model: {name}: no readable {CONFIG} in {folder}; {REMEDY}") from error
    if isinstance(positions, int):
        require_positions(positions, settings)


def require_positions(positions: int, settings: Settings) -> None:
    """Raises UserError where the encoder reads fewer tokens than encoder.max_tokens."""
    if positions < settings.encoder.max_tokens:
        model = settings.encoder.model
        raise UserError(f"encoder.max_tokens: {settings.encoder.max_tokens}, but {model} reads {positions} tokens")


def local_folder(name: str) -> Path | None:
    """The folder that `encoder.model` names, with weights in it; None for the name of a model of the hub.

    Raises UserError where it is no such folder, or holds pickled weights only.
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
    """The folder of the hub's cache that holds the model; it is fetched where it is not there yet."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    wanted = [CONFIG, "*.safetensors", "*.safetensors.index.json"]
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
