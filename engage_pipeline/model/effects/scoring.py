"""Scores feature rows with published effects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from engage_pipeline.interactions.graphs.communities import COMMUNITIES, Communities
from engage_pipeline.language.topics import TopicModel
from engage_pipeline.model.effects.columns import effect_columns, no_effects
from engage_pipeline.model.effects.fields import Clusters, EffectRows
from engage_pipeline.model.effects.tables import EFFECTS_FILE, EffectTables, Scores, copy_file
from engage_pipeline.model.feature_columns import Features
from engage_pipeline.model.validation_roles import DECIDED

_TOPICS = "topic*"


@dataclass(frozen=True)
class EffectScorer:
    """The effects, and the clusters behind their keys. Without a family of effects, all scores are 0."""

    tables: EffectTables
    clusters: Clusters

    @classmethod
    def load(cls, folder: Path, *, decided: bool = False) -> Self:
        """Loads the effects of `folder`, those that no holdout row has taught if `decided`.

        Raises UserError naming a file that is missing or made for other effects.
        """
        return cls(EffectTables.load(folder, DECIDED if decided else ""), load_clusters(folder))

    @property
    def enabled(self) -> bool:
        """Whether any family of effects is on."""
        return bool(self.tables.tables)

    def scores(self, table: Features) -> Scores:
        """Returns what the effects say of feature rows (schema.feature_schema): EffectTables.score."""
        ends = self.tables.window_end, self.tables.newest
        return self.tables.score(EffectRows.from_table(table, self.clusters, *ends))

    def columns(self, table: Features) -> np.ndarray:
        """Returns the columns for the trees: float32 [n, 4], all 0 without a family of effects."""
        if not self.enabled:
            return no_effects(table.num_rows)
        scores = self.scores(table)
        means = self.tables.intercepts + scores.families.sum(axis=1)
        return effect_columns(means, scores.variances.sum(axis=1), self.tables.coupling)


def load_clusters(folder: Path) -> Clusters:
    """Loads the topics and the communities of `folder`."""
    return Clusters(TopicModel.load(folder), Communities.load(folder / COMMUNITIES))


def copy_clusters(topics: Path, communities: Path, output: Path) -> None:
    """Copies the files for `load_clusters` from the folders of tweet_topics and user_communities."""
    _copy(topics, _TOPICS, output)
    _copy(communities, COMMUNITIES, output)


def copy_effects(source: Path, output: Path) -> None:
    """Copies the files for `EffectScorer.load`."""
    for pattern in (f"*{EFFECTS_FILE}", "*effect_*.arrow", _TOPICS, COMMUNITIES):
        _copy(source, pattern, output)


def _copy(source: Path, pattern: str, output: Path) -> None:
    for path in sorted(source.glob(pattern)):
        copy_file(path, output / path.name)
