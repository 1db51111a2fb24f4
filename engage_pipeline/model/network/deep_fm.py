"""The network that knows people and words: a factorization machine and deep layers above the same embeddings.

    v, a  = embeddings of viewer and author          w = mean of the embeddings of the tweet's words
    h     = bn1(lrelu(W1 x + Wi [v, a, w, v * a, v * w]))      x = known input and embeddings side by side
    logits = Wo bn2(lrelu(W2 h)) + viewer's + author's + mean of the words' biases

After DeepFM (H. Guo et al., 2017, arXiv 1703.04247): its order 1 are the biases, one an engagement; its products of
order 2 are those of a viewer with an author and with words, and the deep layers read them by element, as in neural
factorization machines (X. He, T.-S. Chua, 2017, arXiv 1708.05027), instead of their sums.

This is a member. `network.members` of them stand side by side, each with its share of the columns of every table and
layer, its own random weights and its own loss; the mean of their logits predicts. Networks that differ by chance alone
err differently (B. Lakshminarayanan, A. Pritzel, C. Blundell, 2017, arXiv 1612.01474), and side by side they cost less
than one after the other.

Biases and output start at 0, so that training starts from the base rates. Read again, an embedding of somebody with few
rows learns these rows more than him: one pass over the training rows is the default, and it needs no dropout.
"""

from collections.abc import Sequence

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module
from torch import nn  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema
from engage_pipeline.model.network.batch_norm import BatchNorm
from engage_pipeline.model.network.mean_of_words import MeanOfWords
from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.vocabulary import PEOPLE, Vocabulary, numbers_in
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT

ID_DEVIATION = 0.05
"""Standard deviation of the initial embeddings of people and words."""
_TABLES = {"viewers": "viewer", "authors": "author", "tokens": "word"}
"""The tables of embeddings, with the biases behind them, by what of the vocabulary they stand for."""
_N_BIASES = len(schema.TARGETS)
_UNKNOWN = np.int64(NO_FINGERPRINT)


class DeepFMNetwork(EngagementNetwork):
    """Members of two deep layers above known input, embeddings and their products; biases beside them."""

    def __init__(self, config: NetworkConfig) -> None:
        """Random weights from torch's generator; of the vocabulary only the size is known (`know`)."""
        hidden, size, members = config.hidden_size, config.embedding_size, config.members
        super().__init__(config, first_size=members * hidden)
        viewers, authors, words = config.vocabulary
        for name, count in zip(_TABLES, config.vocabulary, strict=True):
            self.register_buffer(name, torch.zeros(count, dtype=torch.int64))
        columns = members * (size + _N_BIASES)
        self.viewer, self.author = (nn.Embedding(count + 1, columns) for count in (viewers, authors))
        self.word = MeanOfWords(words + 1, columns)
        for table in (self.viewer, self.author, self.word):
            nn.init.normal_(table.weight, std=ID_DEVIATION)
            nn.init.zeros_(table.weight[:, members * size :])
        self.first_identified = MemberLinear(members, 5 * size, hidden)
        self.second = MemberLinear(members, hidden, hidden // 2)
        self.norm1, self.norm2 = BatchNorm(members * hidden), BatchNorm(members * (hidden // 2))
        self.output = MemberLinear(members, hidden // 2, len(schema.TARGETS))

    def know(self, vocabulary: Vocabulary) -> None:
        """Says whom and what the embeddings stand for."""
        for name in _TABLES:
            getattr(self, name).copy_(torch.from_numpy(getattr(vocabulary, name)))

    @property
    def vocabulary(self) -> Vocabulary:
        """Whom and what the embeddings stand for."""
        return Vocabulary(*(getattr(self, name).cpu().numpy() for name in _TABLES))

    @property
    def large_tables(self) -> list[nn.Embedding | nn.EmbeddingBag]:
        """The embeddings of viewers, authors and words."""
        return [self.viewer, self.author, self.word]

    def weights_for(self, languages: Sequence[str], vocabulary: Vocabulary | None = None) -> dict[str, torch.Tensor]:
        """Returns the weights of a network that knows `languages` and `vocabulary`: EngagementNetwork.weights_for."""
        weights, before, now = super().weights_for(languages), self.vocabulary, vocabulary or self.vocabulary
        for name, table in _TABLES.items():
            kept = getattr(now, name)
            places = torch.from_numpy(numbers_in(getattr(before, name), np.append(_UNKNOWN, kept)))
            weights[name] = torch.from_numpy(kept.copy())
            weights[f"{table}.weight"] = weights[f"{table}.weight"][places]
        return weights

    @property
    def identified_features(self) -> list[str]:
        """The feature behind each of the columns that `identified` adds."""
        columns = self.config.members * (self.config.embedding_size + _N_BIASES)
        return [name for name in (*PEOPLE, schema.TEXT_TOKENS) for _ in range(columns)]

    def identified(
        self, first: torch.Tensor, people: torch.Tensor, words: torch.Tensor, first_words: torch.Tensor
    ) -> torch.Tensor:
        """Returns the first stage with embeddings and biases of viewer, author and words beside it, [n, members x
        (hidden + 3 size + 12)]."""
        return torch.cat([first, *self._known(people, words, first_words)], dim=1)

    def above_first(self, first: torch.Tensor) -> torch.Tensor:
        """What `identified` returns -> logits float32 [n, 4], the mean of the members'; in training [n, members, 4]."""
        columns = self.viewer.embedding_dim
        first, *known = first.split([self.config.members * self.config.hidden_size, *[columns] * 3], dim=1)
        return self._logits(first, known)

    def above(
        self, first: torch.Tensor, people: torch.Tensor, words: torch.Tensor, first_words: torch.Tensor
    ) -> torch.Tensor:
        """The same logits, of the first stage as it is: in bfloat16 all up to the output is, but for the biases."""
        return self._logits(first, self._known(people, words, first_words))

    def _known(self, people: torch.Tensor, words: torch.Tensor, first_words: torch.Tensor) -> list[torch.Tensor]:
        """Returns the columns of viewer, author and words, [n, members x (size + 4)] each."""
        viewers, authors = people.unbind(1)
        return [self.viewer(viewers), self.author(authors), self.word(words, first_words)]

    def _logits(self, first: torch.Tensor, known: Sequence[torch.Tensor]) -> torch.Tensor:
        """The first stage [n, members x hidden], and what `_known` returns -> logits, as `above_first`."""
        members, size = self.config.members, self.config.embedding_size
        parts = (columns.split([members * size, members * _N_BIASES], dim=1) for columns in known)
        (viewer, viewer_bias), (author, author_bias), (words, word_bias) = parts
        viewer, author, words = (embedding.unflatten(1, (members, size)) for embedding in (viewer, author, words))
        products = torch.cat([viewer, author, words, viewer * author, viewer * words], dim=2)
        hidden = self.norm1(F.leaky_relu(first + self.first_identified(products).flatten(1)))
        hidden = self.second(hidden.unflatten(1, (members, self.config.hidden_size)))
        hidden = self.norm2(F.leaky_relu(hidden.flatten(1)))
        biases = (viewer_bias + author_bias + word_bias).unflatten(1, (members, _N_BIASES))
        logits = self.output(hidden.unflatten(1, (members, -1))).float() + biases.float()
        return logits if self.training else logits.mean(dim=1)
