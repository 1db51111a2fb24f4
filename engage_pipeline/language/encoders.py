"""Loads and saves encoders: from the hub, a local folder or `tiny`; config.json and safetensors.

No pickled file is opened, and no code of a model repository is run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoder_files import CONFIG, REMEDY, WEIGHTS, local_folder, require_positions
from engage_pipeline.language.ragged import TokenLists
from engage_pipeline.progress import LOGGER
from engage_pipeline.schema import VOCABULARY_SIZE
from engage_pipeline.settings.computing import TINY
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TINY_HEADS = 4
_TINY_POSITIONS = 512


def step_file(step: int) -> str:
    """Returns the name of the weights file of a fine-tuning step."""
    return f"step-{step}.safetensors"


def starting_encoder(settings: Settings) -> "PreTrainedModel":
    """Loads the masked language model of `encoder.model`, in fp32 on the CPU.

    A head that the weights lack starts at random, from `seed`. Raises UserError: the model can't be loaded, has pickled
    weights only, lacks others, or reads fewer than encoder.max_tokens.
    """
    with quiet_transformers():
        model = _tiny_encoder(settings) if settings.encoder.model == TINY else _pretrained(settings)
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None:
        require_positions(positions, settings)
    return model


def longest_tweet(model: "PreTrainedModel", settings: Settings) -> int | None:
    """Returns the number of tokens whose positions the encoder has learned; None = unlimited.

    A pretrained encoder has learned all of its positions, `tiny` only those of its fine-tuning: `max_tokens`.
    """
    if settings.encoder.model == TINY:
        return settings.encoder.max_tokens
    return getattr(model.config, "max_position_embeddings", None)


def load_encoder(folder: Path, checkpoint: int | None = None) -> "PreTrainedModel":
    """Loads the masked language model of a published encoder: the published one, or that of the step `checkpoint`.

    It is in fp32, as its weights are, whatever config.json says. Raises UserError if that step has no weights; the
    message lists the available steps.
    """
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    path = folder / (WEIGHTS if checkpoint is None else step_file(checkpoint))
    if not path.is_file():
        raise UserError(_missing_weights(folder, path, checkpoint))
    with quiet_transformers():
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForMaskedLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
    load_weights(model, path)
    return model


def save_encoder(model: "PreTrainedModel", folder: Path) -> None:
    """Writes config.json and model.safetensors, readable by `load_encoder` and by transformers' from_pretrained."""
    model.config.architectures = [type(model).__name__]
    model.config.use_cache = False  # as the Trainer sets it, which does not run if no step is left
    (folder / CONFIG).write_text(model.config.to_json_string(), encoding="utf-8")
    save_weights(model, folder / WEIGHTS)


def save_weights(model: "PreTrainedModel", path: Path) -> None:
    """Writes the weights; tied ones are written once. Equal weights give equal bytes."""
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            tensors[name] = tensor.detach().cpu().contiguous()
    save_file(tensors, path, metadata={"format": "pt"})


def load_weights(model: "PreTrainedModel", path: Path) -> None:
    """Loads into `model` the weights that `save_weights` wrote. Raises UserError if they don't fit the model."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
        absent = model.load_state_dict(found, strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{path}: not the weights of this encoder: {_first_line(error)}") from error
    own = model.state_dict()
    loaded = {own[name].data_ptr() for name in found if name in own}
    lacking = [name for name in absent.missing_keys if own[name].data_ptr() not in loaded]
    if problem := [*lacking, *absent.unexpected_keys]:
        raise UserError(f"{path}: not the weights of this encoder: {problem[0]} is missing or unknown")


def check_tokens(model: "PreTrainedModel", tweets: TokenLists) -> None:
    """Raises UserError if a token id of the tweets is outside the encoder's vocabulary."""
    low, high = int(tweets.values.min()), int(tweets.values.max())
    if low < 0 or high >= model.config.vocab_size:
        wrong = low if low < 0 else high
        raise UserError(f"text_tokens: token {wrong} is not one of the encoder's {model.config.vocab_size}")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silences the progress bars and warnings of transformers within the block; errors are raised all the same."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    verbosity, hub_verbosity = logging.get_verbosity(), hub_logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        hub_logging.set_verbosity(hub_verbosity)
        if bars:
            logging.enable_progress_bar()


def _tiny_encoder(settings: Settings) -> "PreTrainedModel":
    import torch
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    dim = settings.encoder.tiny_dim
    config = DistilBertConfig(
        vocab_size=VOCABULARY_SIZE,
        dim=dim,
        n_layers=settings.encoder.tiny_layers,
        n_heads=_TINY_HEADS,
        hidden_dim=4 * dim,
        max_position_embeddings=_TINY_POSITIONS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return DistilBertForMaskedLM(config)


def _pretrained(settings: Settings) -> "PreTrainedModel":
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForMaskedLM

    name = settings.encoder.base
    if name is None:
        raise UserError(f"encoder.model: {settings.encoder.model} is no encoder")
    folder = local_folder(name)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)  # of a head that the weights lack
            model, loading = AutoModelForMaskedLM.from_pretrained(
                folder or name,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=folder is not None,
                ignore_mismatched_sizes=True,  # they are named by _require_weights
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _not_loaded(name, _first_line(error)) from error
    except Exception as error:  # bad values of config.json lead to errors of any class
        raise _not_loaded(name, f"{CONFIG}: {type(error).__name__}: {_first_line(error)}") from error
    _require_weights(model, loading, name)
    return model


def _require_weights(model: "PreTrainedModel", loading: Mapping[str, Any], name: str) -> None:
    """Raises UserError if the weights do not fit config.json or lack one of the encoder; logs a head that they lack,
    and layers that config.json leaves out.

    `loading` is what from_pretrained tells: missing_keys and unexpected_keys (names), mismatched_keys (name, shape in
    the file, in the model). Weights that are tied to others are not missing.
    """
    if mismatched := sorted(loading["mismatched_keys"]):
        weight, found, wanted = mismatched[0]
        shapes = f"{CONFIG} says that {weight} has shape {list(wanted)}, its weights have {list(found)}"
        raise _not_loaded(name, shapes)
    missing = sorted(loading["missing_keys"])
    if lacking := [weight for weight in missing if weight.startswith(f"{model.base_model_prefix}.")]:
        raise _not_loaded(name, f"its weights lack {_and_more(lacking)}")
    if missing:
        head = f"lacks the head of a masked language model ({_and_more(missing)}): it starts at random"
        LOGGER.warning("encoder.model: %s %s", name, head)
    if unused := sorted(weight for weight in loading["unexpected_keys"] if re.search(r"\.\d+\.", weight)):
        LOGGER.warning("encoder.model: %s has more layers than %s says: %s unused", name, CONFIG, _and_more(unused))


def _not_loaded(name: str, reason: str) -> UserError:
    return UserError(f"encoder.model: {name} can't be loaded ({reason}); {REMEDY}")


def _and_more(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _missing_weights(folder: Path, path: Path, checkpoint: int | None) -> str:
    if checkpoint is None:
        return f"{path}: no such file; materialize finetuned_encoder again"
    steps = sorted(int(file.stem.removeprefix("step-")) for file in folder.glob("step-*.safetensors"))
    kept = (
        ", ".join(map(str, steps)) or "none (encoder.save_steps says how often one is kept, encoder.patience how long)"
    )
    return f"encoder.checkpoint: no checkpoint of step {checkpoint}; available steps: {kept}"


def _first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, with the second one if the first ends in a colon."""
    first, *others = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join([first, *(line.strip() for line in others[:1] if first.endswith(":"))]).rstrip(".:")
