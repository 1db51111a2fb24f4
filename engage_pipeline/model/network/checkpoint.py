"""A training run on disk: weights, optimizer state and position in one safetensors file, replaced atomically."""

import json
from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - nothing light imports this module
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import atomic_file

CHECKPOINT_FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer, position: dict[str, Any]
) -> bool:
    """Saves the run. Returns False and keeps the last checkpoint if a weight is not finite. `position` is JSON."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        return False
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{name}.{key}"] = value
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_file(folder / CHECKPOINT_FILE) as path:
        save_file(tensors, path, metadata={"position": json.dumps(position)})
    return True


def load_checkpoint(folder: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Loads network and optimizer from the checkpoint in `folder`. Returns its position, or None without a checkpoint.

    Raises UserError naming the file if it can't be read.
    """
    path = folder / CHECKPOINT_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            position: dict[str, Any] = dict(json.loads(file.metadata()["position"]))
        network.load_state_dict(_below("network.", tensors))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise no_checkpoint(folder) from error
    for name, parameter in network.named_parameters():
        if state := _below(f"optimizer.{name}.", tensors):
            # Copied, since a tensor of the file would be read from it again and again, maybe after it was replaced.
            optimizer.state[parameter] = {key: value.to(parameter.device, copy=True) for key, value in state.items()}
    return position


def no_checkpoint(folder: Path) -> UserError:
    """Returns the error for a file in `folder` that is no checkpoint of the network."""
    return UserError(f"{folder / CHECKPOINT_FILE}: not a checkpoint of this network; remove it to start over")


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
