"""The base of every network: a linear first stage, and an architecture above it.

    first  = known input x Wk + b + embeddings x We       the first stage, common to all
    logits = above_first(first)                           the architecture: deep_fm, residual, deep_cross

An architecture that knows people and words adds what it knows of them to the first stage (`identified`).

Nearly all of the input is the known part. It needs no gradient, so its weights are apart from the embeddings' weights.
The weights of the smoothed rates start at 0: the counters by tweet are 0 in nearly every training row, and a random
weight must not act on an input that training never showed.

Training, scoring, single rows, attribution and warm start use EngagementNetwork only; none depends on an architecture.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253

from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.rows import RowReader
from engage_pipeline.model.network.vocabulary import Vocabulary

N_HOURS, N_DAYS = 24, 31
EMBEDDING_DEVIATION = 0.01
"""Standard deviation of the normal distribution of initial embeddings, truncated at two deviations."""


class EngagementNetwork(nn.Module, ABC):
    """Logits of the four engagements, in the order of TARGETS.

    An architecture adds `above_first`, and `output`, the last layer, which gives the logits.
    """

    output: nn.Linear | MemberLinear

    def __init__(self, config: NetworkConfig, first_size: int) -> None:
        """Makes the first stage, with `first_size` outputs and random weights from torch's generator."""
        super().__init__()
        self.config = config
        size, n_known = config.embedding_size, config.known_size
        self.language = _embedding(len(config.languages) + 1, size)
        self.hour = _embedding(N_HOURS, size)
        self.day = _embedding(N_DAYS, size)
        self.first_known = nn.Linear(n_known, first_size)
        self.first_embedded = nn.Linear(3 * size, first_size, bias=False)
        bound = 1 / math.sqrt(n_known + 3 * size)
        for parameter in (*self.first_known.parameters(), *self.first_embedded.parameters()):
            nn.init.uniform_(parameter, -bound, bound)
        if config.base_rates:
            nn.init.zeros_(self.first_known.weight[:, -config.history_size :])

    @abstractmethod
    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """Output of the first stage, [n, first_size] -> logits float32 [n, 4]; in training [n, members, 4] if there are
        several members."""

    def forward(
        self,
        known: torch.Tensor,
        categories: torch.Tensor,
        people: torch.Tensor,
        words: torch.Tensor,
        first_words: torch.Tensor,
    ) -> torch.Tensor:
        """The fields of Inputs of n rows -> logits, as `above_first`."""
        first = self.first_known(known) + self.first_embedded(self.embed(categories))
        return self.above(first, people, words, first_words)

    def know(self, vocabulary: Vocabulary) -> None:
        """Says whom and what the embeddings stand for; an architecture that reads no vocabulary does nothing."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The people and the tokens that it knows; None if it reads none."""
        return None

    @property
    def reader(self) -> RowReader:
        """Reads what this network reads of a row."""
        return RowReader(self.config.languages, self.config.further_counters, self.vocabulary)

    @property
    def identified_features(self) -> list[str]:
        """The feature behind each of the columns that `identified` adds."""
        return []

    def identified(
        self, first: torch.Tensor, people: torch.Tensor, words: torch.Tensor, first_words: torch.Tensor
    ) -> torch.Tensor:
        """Returns the first stage, [n, first_size], with what is known of the people and words of the rows beside it;
        the arguments are fields of Inputs."""
        return first

    def above(
        self, first: torch.Tensor, people: torch.Tensor, words: torch.Tensor, first_words: torch.Tensor
    ) -> torch.Tensor:
        """Does the same as `above_first` of what `identified` returns."""
        return self.above_first(first)

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

    @property
    def large_tables(self) -> list[nn.Embedding | nn.EmbeddingBag]:
        """The tables of which a batch reads few rows."""
        return []

    def start_at(self, rates: Sequence[float]) -> None:
        """Sets the output bias to the logits of `rates`, four in the order of TARGETS, and the other outputs to 0."""
        with torch.no_grad():
            self.output.weight.zero_()
            for place, rate in enumerate(rates):
                self.output.bias[..., place] = math.log(rate / (1 - rate))

    def weights_for(self, languages: Sequence[str], vocabulary: Vocabulary | None = None) -> dict[str, torch.Tensor]:
        """Returns the weights of a network of this shape that knows `languages` and `vocabulary`, and computes the same
        as this one for all that both know.

        What is new starts with the embedding of what is unknown.
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
