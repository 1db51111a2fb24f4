"""Figures of the language stage: the encoder, token vectors, sketch codes and topics."""

from collections.abc import Sequence

from engage_pipeline.store.facts import Facts


class EncoderFacts(Facts):
    """Figures of finetuned_encoder: tweets that trained it and held-out ones, steps, losses in nats a masked token.

    `steps` of `planned_steps` were taken, and the weights after `published_step` are published. `losses` are means over
    neighbouring steps; `loss_steps` holds the last step of each. `heldout_losses` are (step, loss) on the way, of some
    of the held-out tweets; those before and after are of all.
    """

    tweets: int = 0
    heldout_tweets: int = 0
    steps: int = 0
    planned_steps: int | None = None
    published_step: int | None = None
    heldout_loss_before: float = 0
    heldout_loss_after: float = 0
    heldout_losses: Sequence[tuple[int, float]] = []
    loss_steps: Sequence[int] = []
    losses: Sequence[float] = []

    def training_curve(self) -> list[tuple[int, float]]:
        """Step and loss of the tweets that trained it."""
        return list(zip(self.loss_steps, self.losses, strict=True))

    def steps_in_words(self) -> str:
        """The steps that were taken, why no more, and after which the weights are published."""
        planned, published = self.planned_steps or self.steps, self.published_step
        stopped = f" of {planned:,}, as the held-out loss no longer fell" if self.steps < planned else ""
        best = "" if published in (None, self.steps) else f"; the weights are those after {published:,}"
        return f"{self.steps:,}{stopped}{best}"

    def heldout_curve(self) -> list[tuple[int, float]]:
        """Step and loss of held-out tweets: before and on the way, or before and after."""
        return [(0, self.heldout_loss_before), *(self.heldout_losses or [(self.steps, self.heldout_loss_after)])]


class TokenFacts(Facts):
    """Figures of token_sketches: tokens that have a vector, and the numbers in one.

    `frequencies` holds (rank from 1, occurrences) of some tokens, the most frequent first.
    """

    tokens: int
    dim: int
    frequencies: Sequence[tuple[int, int]]


class SketchFacts(Facts):
    """Figures of emde_sketches: tokens, depths, codes of a depth, and the share of the codes that are used.

    `occupancy` holds, for each depth, quantiles of the tokens that share a code (language.emde.code_occupancy).
    """

    tokens: int
    depth: int
    width: int
    used_share: float
    occupancy: Sequence[Sequence[int]]

    def tokens_a_code(self) -> float:
        """How many tokens each code would have if all had as many."""
        return self.tokens / self.width


class TopicFacts(Facts):
    """Figures of tweet_topics: topics, and the share of the tweets in them: (rank from 1, share)."""

    topics: int
    shares: Sequence[tuple[int, float]] = []
