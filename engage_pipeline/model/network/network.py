"""The base of every network: a linear first stage, and an architecture above it.

    first  = known input x Wk + b + embeddings x We       the first stage, common to all
    logits = above_first(first)                           the architecture: residual, deep_cross

Nearly all of the input is the known part. It needs no gradient, so its weights are apart from the embeddings' weights.
The weights of the smoothed rates start at 0: the counters by tweet are 0 in nearly every training row, and a random
weight must not act on an input that training never showed.

Training, scoring, single rows, attribution and warm start use EngagementNetwork only; none depends on an architecture.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

from engage_pipeline.model.network.inputs import known_size
from engage_pipeline.model.network.smoothed_rates import n_history_features

N_HOURS, N_DAYS = 24, 31
EMBEDDING_DEVIATION = 0.01
"""Standard deviation of the normal distribution of initial embeddings, truncated at two deviations."""


@dataclass(frozen=True)
class NetworkConfig:
    """The network's architecture and shape, and the languages it knows in the order of their embeddings."""

    languages: tuple[str, ...]
    sketch_depth: int
    sketch_width: int
    hidden_size: int
    embedding_size: int
    base_rates: tuple[float, ...] = ()
    """Base rates of the training rows, in the order of TARGETS; empty if the network reads no smoothed rates."""
    precision: str = "fp32"
    """Precision of the training: `fp32` or `bf16`."""
    architecture: str = "residual"
    """A name in ARCHITECTURES."""
    further_counters: tuple[str, ...] = ()
    """Counters beyond the reference whose smoothed rates the network reads; not in network.json if empty."""


class EngagementNetwork(nn.Module, ABC):
    """Logits of the four engagements, in the order of TARGETS.

    An architecture adds `above_first`, and `output`, the last layer, which gives the logits.
    """

    output: nn.Linear

    def __init__(self, config: NetworkConfig, first_size: int) -> None:
        """Makes the first stage, with `first_size` outputs and random weights from torch's generator."""
        super().__init__()
        self.config = config
        size, further = config.embedding_size, len(config.further_counters)
        n_known = known_size(
            config.sketch_depth, config.sketch_width, smoothed_rates=bool(config.base_rates), further=further
        )
        self.language = _embedding(len(config.languages) + 1, size)
        self.hour = _embedding(N_HOURS, size)
        self.day = _embedding(N_DAYS, size)
        self.first_known = nn.Linear(n_known, first_size)
        self.first_embedded = nn.Linear(3 * size, first_size, bias=False)
        bound = 1 / math.sqrt(n_known + 3 * size)
        for parameter in (*self.first_known.parameters(), *self.first_embedded.parameters()):
            nn.init.uniform_(parameter, -bound, bound)
        if config.base_rates:
            nn.init.zeros_(self.first_known.weight[:, -n_history_features(further) :])

    @abstractmethod
    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """Output of the first stage, [n, first_size] -> logits float32 [n, 4]."""

    def forward(self, known: torch.Tensor, categories: torch.Tensor) -> torch.Tensor:
        """known float32 [n, known_size], categories int64 [n, 3] -> logits float32 [n, 4]."""
        return self.above_first(self.first_known(known) + self.first_embedded(self.embed(categories)))

    def embed(self, categories: torch.Tensor) -> torch.Tensor:
        """categories int64 [n, 3] -> their embeddings side by side, [n, 3 embedding_size]."""
        language, hour, day = categories.unbind(1)
        return torch.cat([self.language(language), self.hour(hour), self.day(day)], dim=1)

    def mean_embeddings(self) -> torch.Tensor:
        """Returns the means of the three tables side by side, [1, 3 embedding_size]: average language, hour and day."""
        return torch.cat([table.weight.mean(dim=0, keepdim=True) for table in self.embedding_tables()], dim=1)

    def embedding_tables(self) -> tuple[nn.Embedding, nn.Embedding, nn.Embedding]:
        """Returns the embeddings of language, hour and day."""
        return self.language, self.hour, self.day

    def start_at(self, rates: Sequence[float]) -> None:
        """Sets the output bias to the logits of `rates`, four in the order of TARGETS, and the other outputs to 0."""
        with torch.no_grad():
            self.output.weight.zero_()
            for place, rate in enumerate(rates):
                self.output.bias[place] = math.log(rate / (1 - rate))

    def weights_for(self, languages: Sequence[str]) -> dict[str, torch.Tensor]:
        """Returns the weights of a network of this shape that knows `languages` and computes the same as this one.

        A new language starts with the embedding of unknown languages.
        """
        before = {language: place for place, language in enumerate(self.config.languages)}
        unknown = len(before)
        places = [before.get(language, unknown) for language in languages]
        weights = self.state_dict()
        weights["language.weight"] = weights["language.weight"][[*places, unknown]]
        return weights


def _embedding(count: int, size: int) -> nn.Embedding:
    table = nn.Embedding(count, size)
    # torch takes the bounds as values, not as multiples of std
    nn.init.trunc_normal_(table.weight, std=EMBEDDING_DEVIATION, a=-2 * EMBEDDING_DEVIATION, b=2 * EMBEDDING_DEVIATION)
    return table
