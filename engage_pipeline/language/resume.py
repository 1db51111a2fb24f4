"""The state from which a killed fine-tuning resumes: weights, optimizer and losses, as safetensors and JSON.

workspace/
    resume-<step>/          the newest state; appears by one rename, then the previous one is removed
    step-<n>.safetensors    weights kept for `encoder.checkpoint`
    best-<n>.safetensors    weights of the least held-out loss (early_stopping)
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import seal_folder, sync_folder
from engage_pipeline.language.early_stopping import HeldoutLoss
from engage_pipeline.language.encoders import load_weights, save_weights

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_PREFIX = "resume-"
_UNFINISHED = ".tmp-resume"
_MODEL, _OPTIMIZER, _HISTORY = "model.safetensors", "optimizer.safetensors", "history.json"


@dataclass
class History:
    """The losses so far, in nats: of all held-out tweets before the first step, of every step, and of some held-out
    tweets on the way."""

    heldout_before: float
    losses: list[float] = field(default_factory=list)
    heldout: list[HeldoutLoss] = field(default_factory=list)


def last_state(workspace: Path) -> Path | None:
    """Returns the folder of the newest complete state; None if there is none."""
    states = [path for path in workspace.glob(f"{_PREFIX}*") if path.is_dir()]
    return max(states, key=_step, default=None)


def save_state(
    workspace: Path, step: int, model: "PreTrainedModel", optimizer: "torch.optim.Optimizer", history: History
) -> None:
    """Saves the state after `step` and removes earlier ones. Raises UserError if a weight is not finite."""
    check_finite(model, step)
    draft = workspace / _UNFINISHED
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        _write_state(draft, model, optimizer, history)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(workspace / f"{_PREFIX}{step}", ignore_errors=True)
    draft.rename(workspace / f"{_PREFIX}{step}")
    sync_folder(workspace)
    for path in workspace.glob(f"{_PREFIX}*"):
        if _step(path) != step:
            shutil.rmtree(path)


def _write_state(draft: Path, model: "PreTrainedModel", optimizer: "torch.optim.Optimizer", history: History) -> None:
    from safetensors.torch import save_file

    save_weights(model, draft / _MODEL)
    moments = {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    save_file(moments, draft / _OPTIMIZER)
    (draft / _HISTORY).write_text(json.dumps(asdict(history)), encoding="utf-8")
    seal_folder(draft)


def load_state(state: Path, model: "PreTrainedModel", optimizer: "torch.optim.Optimizer") -> tuple[int, History]:
    """Loads a state into the model and the optimizer; returns the number of steps done and the history.

    Raises UserError if the state can't be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    load_weights(model, state / _MODEL)
    try:
        moments: dict[int, dict[str, Any]] = {}
        for name, value in load_file(state / _OPTIMIZER).items():
            index, moment = name.split(".", 1)
            moments.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        history = History(**json.loads((state / _HISTORY).read_text(encoding="utf-8")))
        history.heldout = [(step, loss) for step, loss in history.heldout]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{state}: not a state of this fine-tuning; remove it to start over") from error
    return _step(state), history


def check_finite(model: "PreTrainedModel", step: int) -> None:
    """Raises UserError if a weight is NaN or infinite."""
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise UserError(diverged(step, f"weight {name} is not finite"))


def diverged(step: int, what: str) -> str:
    """Returns the message on a diverged fine-tuning: what happened, and what to change."""
    return f"finetuned_encoder: {what} at step {step}; the last good checkpoint is kept: lower encoder.learning_rate"


def _step(state: Path) -> int:
    return int(state.name.removeprefix(_PREFIX))
