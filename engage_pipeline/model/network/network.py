"""The residual network of the reference, in one piece.

    x  = known input and embeddings side by side          p = Wp x
    h1 = bn1(lrelu(W1 x))                                 h3 = bn3(lrelu(W3 h2 + p))
    h2 = bn2(lrelu(W2 h1 + p))                            logits = Wo bn4(lrelu(W4 h3 + h1))

W1 and Wp read the same x, so they are one product; and the known part of x, which is nearly all of it, needs no
gradient, so it has its own weights apart from the embeddings'. Those of the smoothed rates start at 0: the counters by
tweet are 0 in nearly every training row, and an input that was never seen must not act by a random weight.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch  # noqa: TID253 - nothing light imports this module
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.inputs import known_size
from engage_pipeline.model.network.smoothed_rates import n_history_features

WEIGHTS_FILE, CONFIG_FILE = "network.safetensors", "network.json"
N_HOURS, N_DAYS = 24, 31
EMBEDDING_DEVIATION = 0.01
"""Of the normal distribution that embeddings begin with, truncated at two of it."""


@dataclass(frozen=True)
class NetworkConfig:
    """The network's shape, and the languages it knows in the order of their embeddings."""

    languages: tuple[str, ...]
    sketch_depth: int
    sketch_width: int
    hidden_size: int
    embedding_size: int
    base_rates: tuple[float, ...] = ()
    """Of the training rows, in the order of TARGETS, where it reads smoothed rates; else empty."""
    precision: str = "fp32"
    """How it was trained: `fp32` or `bf16`."""
    further_counters: tuple[str, ...] = ()
    """Beyond the reference, whose smoothed rates it reads too; a network.json without them says nothing of them."""


class EngagementNetwork(nn.Module):
    """Logits of the four engagements, in the order of TARGETS."""

    def __init__(self, config: NetworkConfig) -> None:
        """Random weights from torch's generator."""
        super().__init__()
        self.config = config
        hidden, size = config.hidden_size, config.embedding_size
        further = len(config.further_counters)
        n_known = known_size(
            config.sketch_depth, config.sketch_width, smoothed_rates=bool(config.base_rates), further=further
        )
        self.language = _embedding(len(config.languages) + 1, size)
        self.hour = _embedding(N_HOURS, size)
        self.day = _embedding(N_DAYS, size)
        self.first_known = nn.Linear(n_known, 2 * hidden)  # rows: W1, then Wp
        self.first_embedded = nn.Linear(3 * size, 2 * hidden, bias=False)
        bound = 1 / math.sqrt(n_known + 3 * size)
        for parameter in (*self.first_known.parameters(), *self.first_embedded.parameters()):
            nn.init.uniform_(parameter, -bound, bound)
        if config.base_rates:
            nn.init.zeros_(self.first_known.weight[:, -n_history_features(further) :])
        self.second, self.third, self.fourth = (nn.Linear(hidden, hidden) for _ in range(3))
        self.norm1, self.norm2, self.norm3, self.norm4 = (BatchNorm(hidden) for _ in range(4))
        self.output = nn.Linear(hidden, len(schema.TARGETS))

    def forward(self, known: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """known float32 [n, known_size], categories int64 [n, 3] -> logits float32 [n, 4]."""
        return self.above_first(self.first_known(known) + self.first_embedded(self.embed(categories)))

    def embed(self, categories: torch.Tensor) -> torch.Tensor:
        """categories int64 [n, 3] -> their embeddings side by side, [n, 3 embedding_size]."""
        language, hour, day = categories.unbind(1)
        return torch.cat([self.language(language), self.hour(hour), self.day(day)], dim=1)

    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """The first products, W1 x and then Wp x, [n, 2 hidden] -> logits float32 [n, 4]."""
        first, skip = first.chunk(2, dim=1)  # W1 x, p: [n, hidden] each
        h1 = self.norm1(F.leaky_relu(first))
        h2 = self.norm2(F.leaky_relu(self.second(h1) + skip))
        h3 = self.norm3(F.leaky_relu(self.third(h2) + skip))
        h4 = self.norm4(F.leaky_relu(self.fourth(h3) + h1))
        return self.output(h4).float()

    def start_at(self, rates: Sequence[float]) -> None:
        """Sets the output bias to the logits of `rates`, four in the order of TARGETS, and the other outputs to 0."""
        with torch.no_grad():
            self.output.weight.zero_()
            for place, rate in enumerate(rates):
                self.output.bias[place] = math.log(rate / (1 - rate))


def _embedding(count: int, size: int) -> nn.Embedding:
    table = nn.Embedding(count, size)
    # torch takes the bounds as values, not as deviations
    nn.init.trunc_normal_(table.weight, std=EMBEDDING_DEVIATION, a=-2 * EMBEDDING_DEVIATION, b=2 * EMBEDDING_DEVIATION)
    return table


def save_network(network: EngagementNetwork, folder: Path) -> None:
    """Writes network.safetensors and network.json into `folder`."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS_FILE)
    values = asdict(network.config)
    if not network.config.further_counters:
        del values["further_counters"]
    text = json.dumps(values, indent=1, ensure_ascii=False)
    (folder / CONFIG_FILE).write_text(text, encoding="utf-8")


def load_network(folder: Path, prefix: str = "") -> EngagementNetwork:
    """The network in `folder`, whose files' names begin with `prefix`, on the CPU, in evaluation mode.

    Raises UserError where its files make no network.
    """
    try:
        values = json.loads((folder / f"{prefix}{CONFIG_FILE}").read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        config = NetworkConfig(**{**values, **lists})
        with torch.device("meta"):
            network = EngagementNetwork(config)
        network.load_state_dict(load_file(folder / f"{prefix}{WEIGHTS_FILE}"), assign=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder}: not a network: {' '.join(str(error).split())}") from error
    return network.eval()
