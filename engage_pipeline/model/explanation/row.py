"""Explains the probabilities of one row: each final logit is a baseline plus a contribution of every feature.

    logit = network_weight * network + trees_weight * trees + effects_weight * effects
    network = its logit for a row without history + integrated gradients
    trees   = intercept + slopes * (pretrained network, effects) + expected value + SHAP values
    effects = the logit of the intercept + the parts of the families

All of them are sums over features, and so is the logit. The error of the sum is the `residual`: integrated gradients
use finitely many steps, and a network may predict in bfloat16. The baseline is the same sum over the terms that belong
to no feature: the logits of networks and effects for an unknown row, and the mean of the trees over their training
rows.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.model.blend import Weights
from engage_pipeline.model.bundle import TrainedModel, to_probabilities
from engage_pipeline.model.effects.scoring import EffectScorer
from engage_pipeline.model.explanation.effects import EffectsAttribution, attribute_effects, no_attribution
from engage_pipeline.model.explanation.families import FAMILIES, FEATURE_NAMES, FEATURES, ExplainedFamily
from engage_pipeline.model.explanation.trees import BelowTree, attribute_trees
from engage_pipeline.model.explanation.uncertainty import probability_intervals


@dataclass(frozen=True)
class FamilyEffect:
    """The effect of a family on one probability.

    `contribution` is in logits; `points` is the probability minus the probability without that contribution;
    `features` are the contributions of its features, the largest first.
    """

    family: ExplainedFamily
    contribution: float
    points: float
    features: dict[str, float]


@dataclass(frozen=True)
class Explanation:
    """The explanation of one engagement: `logit` and `probability` of the model, and the terms of the logit.

    `contributions` are by feature, `baseline` is the logit without them. `models` are the blended logits by the names
    in Weights, `base_rate` is the share of the training rows with the engagement (None = unknown). `interval`: the ends
    of the 95 % interval of the probability (module uncertainty); None without effects.
    """

    engagement: str
    logit: float
    probability: float
    interval: tuple[float, float] | None
    baseline: float
    contributions: dict[str, float]
    weights: Weights
    models: dict[str, float]
    base_rate: float | None

    @property
    def baseline_probability(self) -> float:
        """The probability of the baseline."""
        return probability_of(self.baseline)

    @property
    def residual(self) -> float:
        """The logit minus baseline and contributions."""
        return self.logit - self.baseline - sum(self.contributions.values())

    def effects(self) -> list[FamilyEffect]:
        """Returns the effect of every family, the largest contribution first."""
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
    """The explanations of the four engagements, in the order of TARGETS; `steps` of integration by network."""

    engagements: tuple[Explanation, ...]
    steps: dict[str, int]


def probability_of(logit: float) -> float:
    """Returns the model's probability for a logit."""
    return float(to_probabilities(np.array(logit)))


def explain_row(model: TrainedModel, table: pa.Table) -> RowExplanation:
    """Explains the one row of `table`: schema.feature_schema and, if the model reads them, SCORED_FILE_FEATURES.

    Raises UserError if a logit is not finite, ValueError if the number of rows is not 1.
    """
    if table.num_rows != 1:
        raise ValueError(f"{table.num_rows} rows to explain, 1 is expected")
    from engage_pipeline.model.explanation.network import attribute_network

    logits = model.components(table)
    intervals: list[tuple[float, float] | None] = [None] * len(schema.TARGETS)
    network = attribute_network(model.finetuned, table)
    parts, steps = {"network": (network.baseline, network.contributions)}, {"network": network.steps}
    if model.trees is not None and model.pretrained is not None and model.effects is not None:
        below = attribute_network(model.pretrained, table)
        effects = _effects(model.effects, table)
        columns = model.effects.columns(table)
        read = BelowTree(logits["pretrained"], below.baseline, below.contributions, columns, effects)
        trees = attribute_trees(model.trees, table, read)
        parts |= {"trees": (trees.baseline, trees.contributions), "effects": (effects.baseline, effects.contributions)}
        steps["pretrained"] = below.steps
        if model.effects.enabled:
            ends = probability_intervals(logits["blend"][0].astype(np.float64), effects.deviations)
            intervals = list(zip(*(end.tolist() for end in ends), strict=True))
    rates = _base_rates(model)
    known = {name for name, feature in FEATURES.items() if {*feature.columns} <= {*table.column_names}}
    engagements = []
    for place, target in enumerate(schema.TARGETS):
        weights = model.blend[target]
        baseline, contributions = _blended(weights, parts, place)
        explanation = Explanation(
            engagement=target,
            logit=float(logits["blend"][0, place]),
            probability=probability_of(logits["blend"][0, place]),
            interval=intervals[place],
            baseline=baseline,
            contributions={
                name: value for name, value in zip(FEATURE_NAMES, contributions.tolist(), strict=True) if name in known
            },
            weights=weights,
            models={name: float(logits[name][0, place]) for name in parts if name in logits},
            base_rate=rates.get(target),
        )
        engagements.append(explanation)
    return RowExplanation(tuple(engagements), steps)


def _effects(scorer: EffectScorer, table: pa.Table) -> EffectsAttribution:
    if not scorer.enabled:
        return no_attribution()
    return attribute_effects(scorer.tables.intercepts, scorer.tables.coupling, scorer.scores(table))


def _blended(weights: Weights, parts: dict[str, tuple[np.ndarray, np.ndarray]], place: int) -> tuple[float, np.ndarray]:
    """Returns baseline and contributions [features] of the blend for the engagement at `place` in TARGETS.

    `parts` are the baseline [4] and the contributions [4, features] of each model.
    """
    own = {name: getattr(weights, name) for name in parts}
    baseline = sum(weight * parts[name][0][place] for name, weight in own.items())
    return float(baseline), sum(weight * parts[name][1][place] for name, weight in own.items())


def _base_rates(model: TrainedModel) -> dict[str, float]:
    """Returns the base rates of the trees' training rows, or else of the network's; {} if both are unknown."""
    if model.trees is not None:
        return {target: model.trees.inputs.base_rates[target] for target in schema.TARGETS}
    return dict(zip(schema.TARGETS, model.finetuned.network.config.base_rates, strict=False))
