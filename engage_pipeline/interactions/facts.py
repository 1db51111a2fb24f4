"""Figures of the interactions stage: counters, similar authors and communities."""

from collections.abc import Mapping, Sequence
from typing import Any

from engage_pipeline.schema import ENGAGEMENTS
from engage_pipeline.settings.families import COUNTER_FAMILIES, VALIDATION, counted_keys
from engage_pipeline.store.facts import Facts


class CountFacts(Facts):
    """Figures of a window's counters: the number of rows, and of rows with each engagement.

    Further, undeclared figures are the rows of each file of counters, by the file's name.
    """

    rows: int
    like: int
    reply: int
    retweet: int
    retweet_with_comment: int

    def counted(self) -> dict[str, int]:
        """Returns the number of rows, and of rows with each of ENGAGEMENTS, by name."""
        return {name: getattr(self, name) for name in ("rows", *ENGAGEMENTS)}

    def keys_counted(self) -> dict[str, int]:
        """Returns the number of counted keys of each kind; in the validation window, of the fine-tuning rows."""
        files: dict[str, Any] = self.model_extra or {}
        keys = [key.name for key in counted_keys(VALIDATION, COUNTER_FAMILIES)]
        found = {key: files.get(key, files.get(f"finetune_{key}")) for key in keys}
        return {key: count for key, count in found.items() if count is not None}


class SimilarityFacts(Facts):
    """Figures of author_similarity: authors with a follower, pairs of author and follower, similar pairs.

    `degrees` is the number of authors by their number of similar authors.
    """

    authors: int
    follows: int
    edges: int
    degrees: Mapping[str, int]


class CommunityFacts(Facts):
    """Figures of user_communities.

    `shares` holds, for authors and for viewers, the share of each community: (rank from 1, share).
    """

    communities: int
    users: int = 0
    shares: Mapping[str, Sequence[tuple[int, float]]] = {}
