"""A network on disk: its weights in a safetensors file, its architecture and shape in a JSON file."""

import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engage_pipeline.errors import UserError
from engage_pipeline.model.network.architectures import network_of
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig

WEIGHTS_FILE, CONFIG_FILE = "network.safetensors", "network.json"


def save_network(network: EngagementNetwork, folder: Path, prefix: str = "") -> None:
    """Writes network.safetensors and network.json into `folder`, `prefix` before their names.

    The JSON leaves out architecture, further counters, vocabulary and members if they are the defaults, as in files
    that were saved before these existed.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / f"{prefix}{WEIGHTS_FILE}")
    values = asdict(network.config)
    for name in ("architecture", "further_counters", "vocabulary", "members"):
        if values[name] == getattr(NetworkConfig, name):
            del values[name]
    text = json.dumps(values, indent=1, ensure_ascii=False)
    (folder / f"{prefix}{CONFIG_FILE}").write_text(text, encoding="utf-8")


def load_network(folder: Path, prefix: str = "") -> EngagementNetwork:
    """Loads the network in `folder`, from files whose names begin with `prefix`, on the CPU and in evaluation mode.

    Raises UserError if the files are no network.
    """
    try:
        values = json.loads((folder / f"{prefix}{CONFIG_FILE}").read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        config = NetworkConfig(**{**values, **lists})
        network = network_of(config, load_file(folder / f"{prefix}{WEIGHTS_FILE}"))
    except RuntimeError as error:  # which lists every weight
        raise UserError(f"{folder}: not a network: its weights are not those of its architecture and shape") from error
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise UserError(f"{folder}: not a network: {' '.join(str(error).split())}") from error
    return network.eval()
