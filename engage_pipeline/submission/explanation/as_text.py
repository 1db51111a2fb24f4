"""An explained row as text: the contributions to each probability, and the counters, in fewer than 80 lines."""

from datetime import UTC, datetime

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import FAMILIES, ExplainedFamily
from engage_pipeline.model.explanation.row import Explanation, FamilyEffect, probability_of
from engage_pipeline.model.trees.inputs import NEGATIVE
from engage_pipeline.settings.families import SCORED_FILE_TITLE
from engage_pipeline.submission.explanation import words
from engage_pipeline.submission.explanation.explain import ExplainedRow

FAMILIES_SHOWN = 6
"""Families shown per engagement; one line sums up the others."""
LEAST_SHOWN = 0.005
"""Contributions below this, in logits, are summed up too: they would print as 0.00."""
_LEGEND = (
    "logits: what the family adds to the log-odds. points: the probability minus that without the family, in %.",
    "in brackets: where the true probability is for about nine rows in ten, by what the mixed model does not know.",
    "from: a row of which nothing is known. base rate: the share of the training rows with the engagement.",
    "by: the feature with the largest contribution of its family.",
    "counters: how often the key was shown, with each engagement, and with none.",
)


def to_text(explained: ExplainedRow) -> str:
    """Formats the explanation as aligned lines."""
    known = explained.known_features
    lines = [f"{explained.part}, row {explained.row}", *_subject(explained, known), ""]
    for explanation in explained.explanation.engagements:
        label = None if explained.labels is None else explained.labels[explanation.engagement]
        lines += [_heading(explanation, label), *_effects(explanation, known), ""]
    return "\n".join([*lines, *_counters(known), "", *_LEGEND])


def _subject(explained: ExplainedRow, features: words.Features) -> list[str]:
    tweet = explained.tweet
    file = f"  file    {SCORED_FILE_TITLE} are missing: the row is explained alone, `engage predict` may differ"
    return [
        f"  tweet   {_id(tweet['tweet_id'])}  {_moment(tweet['tweet_timestamp'])}, {words.content(features)}",
        f"  author  {_id(tweet['engaged_with_user_id'])}  {words.author(features)}",
        f"  viewer  {_id(tweet['engaging_user_id'])}  {words.viewer(features)}",
        *([file] if schema.SCORED_FILE_FEATURES[0] in features else []),
    ]


def _id(text: str | None) -> str:
    return "(missing)" if text is None else text


def _moment(seconds: int | None) -> str:
    if seconds is None:
        return "time missing"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"at {seconds} s"


def _heading(explanation: Explanation, label: bool | None) -> str:
    facts = [f"from {_percent(explanation.baseline_probability)}"]
    if explanation.base_rate is not None:
        facts.append(f"base rate {_percent(explanation.base_rate)}")
    if len(explanation.models) > 1:
        facts += [f"{name} {_percent(probability_of(logit))}" for name, logit in explanation.models.items()]
    if label is not None:
        facts.append(f"label: {'yes' if label else 'no'}")
    ends = explanation.interval
    between = "" if ends is None else f" ({100 * ends[0]:.2f} to {_percent(ends[1])})"
    return f"{explanation.engagement}: {_percent(explanation.probability)}{between}, {', '.join(facts)}"


def _effects(explanation: Explanation, features: words.Features) -> list[str]:
    effects = explanation.effects()
    shown = [effect for effect in effects[:FAMILIES_SHOWN] if abs(effect.contribution) >= LEAST_SHOWN]
    lines = ["  logits  points"] + [
        _line(effect.contribution, effect.points, _sentence(effect, explanation.engagement, features))
        for effect in shown
    ]
    rest = effects[len(shown) :]
    sums = [(sum(effect.contribution for effect in rest), f"{len(rest)} other families together")]
    if abs(explanation.residual) >= LEAST_SHOWN:
        sums.append((explanation.residual, "in no family: rounding of the network's arithmetic"))
    for value, text in sums:
        lines.append(_line(value, explanation.probability - probability_of(explanation.logit - value), text))
    return lines


def _sentence(effect: FamilyEffect, engagement: str, features: words.Features) -> str:
    name, value = next(iter(effect.features.items()))
    by = f"  [by {name} {value:+.2f}]" if len(effect.features) > 1 else ""
    return f"{effect.family.full_title}: {words.describe(effect.family, engagement, features)}{by}"


def _line(contribution: float, points: float, text: str) -> str:
    return f"{contribution:+8.2f}{100 * points:+8.2f}  {text}"


def _counters(features: words.Features) -> list[str]:
    """Formats the counters as a table, a line per window and key."""
    heads = {"exposures": "shown", **{target: target for target in schema.TARGETS}, NEGATIVE: "none"}
    families = [
        family
        for family in FAMILIES.values()
        if family.key and f"{words.counter_prefix(family)}{schema.TARGETS[0]}" in features
    ]
    start = max(len(_row_title(family)) for family in families)
    lines = [f"{'counters':{start}}" + "".join(f"{head:>{_width(head)}}" for head in heads.values())]
    for family in families:
        if absent := words.absent(family, features):
            lines.append(f"{_row_title(family):{start}}  {absent}")
            continue
        cells = [_cell(features, family, outcome, _width(head)) for outcome, head in heads.items()]
        lines.append(f"{_row_title(family):{start}}{''.join(cells)}".rstrip())
    return lines


def _row_title(family: ExplainedFamily) -> str:
    return f"{family.window:10}  {family.title}"


def _width(head: str) -> int:
    return max(len(head) + 2, 9)


def _cell(features: words.Features, family: ExplainedFamily, outcome: str, width: int) -> str:
    value = features.get(f"{words.counter_prefix(family)}{outcome}")
    if value is None:
        return " " * width
    return f"{value:>{width}.2f}" if isinstance(value, float) else f"{value:>{width},}"


def _percent(probability: float) -> str:
    return f"{100 * probability:.2f} %"
