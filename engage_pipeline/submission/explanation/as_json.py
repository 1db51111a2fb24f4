"""An explained row as JSON: everything that is known, unrounded."""

import json
from dataclasses import asdict
from typing import Any

from engage_pipeline import schema
from engage_pipeline.files.outputs import Output
from engage_pipeline.model.explanation.families import FEATURES
from engage_pipeline.model.explanation.row import Explanation
from engage_pipeline.submission.explanation import words
from engage_pipeline.submission.explanation.explain import ExplainedRow


def write_json(explained: ExplainedRow, output: Output) -> None:
    """Writes to_json to `output`. Raises UserError if it can't be written."""
    output.write_text(json.dumps(to_json(explained), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def to_json(explained: ExplainedRow) -> dict[str, Any]:
    """Returns the explanation as JSON types.

    `features` are all columns of schema.feature_schema, with token ids as one list; `missing` names those that are 0 or
    false because the raw value is missing. The `contribution`s are in logits;
    with `baseline_logit` and `residual` they sum to `logit`. `points` is the probability minus the probability without
    the family. `interval` holds the true probability of about nine rows in ten; null without a mixed model.
    """
    features = {name: value for name, value in explained.features.items() if name != schema.ENGAGEMENT_DAY}
    known = explained.known_features
    return {
        "part": str(explained.part),
        schema.LINE_NUMBER: explained.row,
        "model_version": explained.model_version,
        "tweet": explained.tweet,
        "labels": explained.labels,
        "engagements": {
            explanation.engagement: _engagement(explanation, explained.features, known)
            for explanation in explained.explanation.engagements
        },
        "features": features,
        "missing": [name for name, value in features.items() if value is not None and known[name] is None],
        "integration_steps": explained.explanation.steps,
    }


def _engagement(explanation: Explanation, features: dict[str, Any], known: words.Features) -> dict[str, Any]:
    return {
        "probability": explanation.probability,
        "interval": explanation.interval and list(explanation.interval),
        "logit": explanation.logit,
        "baseline_probability": explanation.baseline_probability,
        "baseline_logit": explanation.baseline,
        "residual": explanation.residual,
        "base_rate": explanation.base_rate,
        "blend": asdict(explanation.weights),
        "logits": explanation.models,
        "families": [
            {
                "family": effect.family.name,
                "title": effect.family.full_title,
                "says": words.describe(effect.family, explanation.engagement, known),
                "contribution": effect.contribution,
                "points": effect.points,
                "features": [
                    {"feature": name, "contribution": value, "made_of": _made_of(name, features)}
                    for name, value in effect.features.items()
                ],
            }
            for effect in explanation.effects()
        ],
    }


def _made_of(feature: str, features: dict[str, Any]) -> dict[str, Any]:
    """Returns the raw columns of a feature, except the tokens, which are in `tweet` already."""
    return {column: features[column] for column in FEATURES[feature].columns if column not in schema.TOKEN_COLUMNS}
