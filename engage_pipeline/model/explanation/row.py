"""Why a model gives one row its probabilities: each final logit as a baseline and what every feature moved it by.

    logit = intercept + network_weight * network + trees_weight * trees
    network = its logit of a row without history + integrated gradients
    trees   = intercept + slopes * (pretrained network, effects) + expected value + SHAP values

All three are sums over features, and so is the logit; what the sum misses (the line of the integrated gradients is cut
into finitely many steps, and a network may predict in bfloat16) is told as `residual`. The baseline is the
same sum of what belongs to no feature: the logits of networks and effects of a row of which nothing is known, and
the mean of the trees over the rows that they were grown on.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.model.blend import NETWORK_ONLY, Weights
from engage_pipeline.model.bundle import TrainedModel, to_probabilities
from engage_pipeline.model.effects.scoring import EffectScorer
from engage_pipeline.model.explanation.effects import EffectsAttribution, attribute_effects, no_attribution
from engage_pipeline.model.explanation.families import FAMILIES, FEATURE_NAMES, FEATURES, ExplainedFamily
from engage_pipeline.model.explanation.trees import BelowTree, TreesAttribution, attribute_trees

if TYPE_CHECKING:
    from engage_pipeline.model.explanation.network import NetworkAttribution


@dataclass(frozen=True)
class FamilyEffect:
    """What a family did to one probability.

    `contribution` in logits; `points` is the probability less what it would be without that contribution;
    `features` are the contributions of its features, the largest first.
    """

    family: ExplainedFamily
    contribution: float
    points: float
    features: dict[str, float]


@dataclass(frozen=True)
class Explanation:
    """Of one engagement: `logit` and `probability` as the model gives them, and where they come from, in logits.

    `contributions` by feature, `baseline` without them. `network` and `trees` are the logits that were blended (None
    = no trees), `base_rate` how often the engagement happened where the model was trained (None = it does not say).
    """

    engagement: str
    logit: float
    probability: float
    baseline: float
    contributions: dict[str, float]
    weights: Weights
    network: float
    trees: float | None
    base_rate: float | None

    @property
    def baseline_probability(self) -> float:
        """The probability of the baseline."""
        return probability_of(self.baseline)

    @property
    def residual(self) -> float:
        """What of the logit the baseline and the contributions miss."""
        return self.logit - self.baseline - sum(self.contributions.values())

    def effects(self) -> list[FamilyEffect]:
        """Every family, the largest contribution first."""
        members: dict[str, dict[str, float]] = defaultdict(dict)
        for name, value in self.contributions.items():
            members[FEATURES[name].family][name] = value
        effects = [self._effect(FAMILIES[name], features) for name, features in members.items()]
        return sorted(effects, key=lambda effect: (-abs(effect.contribution), effect.family.name))

    def _effect(self, family: ExplainedFamily, features: dict[str, float]) -> FamilyEffect:
        contribution = sum(features.values())
        largest = dict(sorted(features.items(), key=lambda item: (-abs(item[1]), item[0])))
        return FamilyEffect(family, contribution, self.probability - probability_of(self.logit - contribution), largest)


@dataclass(frozen=True)
class RowExplanation:
    """The explanations of the four engagements in the order of TARGETS; `steps` of each network's integration."""

    engagements: tuple[Explanation, ...]
    steps: dict[str, int]


def probability_of(logit: float) -> float:
    """The probability that the model gives for a logit."""
    return float(to_probabilities(np.array(logit)))


def explain_row(model: TrainedModel, table: pa.Table) -> RowExplanation:
    """Explains the one row of `table`, features as schema.feature_schema says.

    Raises UserError where a logit is no number, ValueError for any other number of rows than 1.
    """
    if table.num_rows != 1:
        raise ValueError(f"{table.num_rows} rows to explain, 1 is expected")
    from engage_pipeline.model.explanation.network import attribute_network

    logits = model.components(table)
    network, trees = attribute_network(model.finetuned, table), None
    steps = {"network": network.steps}
    if model.trees is not None and model.pretrained is not None and model.effects is not None:
        below = attribute_network(model.pretrained, table)
        effects = _effects(model.effects, table)
        columns = model.effects.columns(table)
        read = BelowTree(logits["pretrained"], below.baseline, below.contributions, columns, effects)
        trees = attribute_trees(model.trees, table, read)
        steps["pretrained"] = below.steps
    rates = _base_rates(model)
    known = {name for name, feature in FEATURES.items() if {*feature.columns} <= {*table.column_names}}
    engagements = []
    for place, target in enumerate(schema.TARGETS):
        weights = NETWORK_ONLY if trees is None else model.blend[target]
        baseline, contributions = _blended(weights, network, trees, place)
        explanation = Explanation(
            engagement=target,
            logit=float(logits["blend"][0, place]),
            probability=probability_of(logits["blend"][0, place]),
            baseline=baseline,
            contributions={
                name: value for name, value in zip(FEATURE_NAMES, contributions.tolist(), strict=True) if name in known
            },
            weights=weights,
            network=float(logits["network"][0, place]),
            trees=None if trees is None else float(logits["trees"][0, place]),
            base_rate=rates.get(target),
        )
        engagements.append(explanation)
    return RowExplanation(tuple(engagements), steps)


def _effects(scorer: EffectScorer, table: pa.Table) -> EffectsAttribution:
    if not scorer.enabled:
        return no_attribution()
    return attribute_effects(scorer.tables.intercepts, scorer.families(table)[0])


def _blended(
    weights: Weights, network: "NetworkAttribution", trees: TreesAttribution | None, place: int
) -> tuple[float, np.ndarray]:
    """Baseline and contributions [features] of the blend for the engagement at `place` in TARGETS."""
    baseline = weights.intercept + weights.network * network.baseline[place]
    contributions = weights.network * network.contributions[place]
    if trees is not None:
        baseline += weights.trees * trees.baseline[place]
        contributions = contributions + weights.trees * trees.contributions[place]
    return float(baseline), contributions


def _base_rates(model: TrainedModel) -> dict[str, float]:
    """How often each engagement happened in the rows of the trees, else in those of the network; {} if neither says."""
    if model.trees is not None:
        return {target: model.trees.inputs.base_rates[target] for target in schema.TARGETS}
    return dict(zip(schema.TARGETS, model.finetuned.network.config.base_rates, strict=False))
