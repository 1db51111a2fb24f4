"""The report's sections on what the model is made of: the data, the interactions and the text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engage_pipeline import plots
from engage_pipeline.model.evaluation.report import Figure, Group, Section, Table, table_of
from engage_pipeline.settings.families import COUNTER_FAMILIES, VALIDATION, counted_keys

Facts = Mapping[str, Any]
_PART_COUNTS = ("rows", "rejected", "blank", "forgotten", "duplicates")
"""What a part's facts count, in the order of the table."""

DRIFT_LIMIT = 0.25
"""Where a population is usually called another one. The checks' own limit is a setting that changes no artifact."""


@dataclass(frozen=True)
class PipelineFacts:
    """What the report tells of the artifacts that the model was made of.

    `artifacts` are facts by artifact, `parts` those of tweet_parts by part. `days` holds, for each engagement day of
    the training rows, `engagement_day`, `rows` and the rows of each engagement. `drift` is the population stability
    index by part and feature.
    """

    artifacts: Mapping[str, Facts] = field(default_factory=dict)
    parts: Mapping[str, Facts] = field(default_factory=dict)
    days: Mapping[str, Sequence[int]] = field(default_factory=dict)
    drift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, artifact: str) -> Facts:
        """The facts of an artifact; empty where none are known."""
        return self.artifacts.get(artifact, {})


def data_section(facts: PipelineFacts) -> Section:
    """The training parts, why lines were rejected, label rates by day, and how far parts drift from each other."""
    figures = []
    if facts.parts:
        rows, rejected = (
            {name: part.get(count, 0) for name, part in facts.parts.items()} for count in _PART_COUNTS[:2]
        )
        caption = "Rows of each training part, and the share of lines that were rejected, where there are any."
        figures.append(Figure("Rows by part", caption, plots.part_sizes(rows, rejected)))
    if reasons := _rejected(facts):
        caption = "Rejected lines of the training and validation parts, by reason."
        figures.append(Figure("Rejected lines", caption, plots.rejected_reasons(reasons)))
    if facts.days:
        caption = "Share of the training rows with each engagement, by engagement day (UTC)."
        figures.append(Figure("Label rates", caption, plots.label_rates_by_day(facts.days)))
    if facts.drift:
        caption = "How far each part's rows lie from those of all other parts: 0 is the same."
        png = plots.drift(facts.drift, limit=DRIFT_LIMIT)
        figures.append(Figure("Drift of the parts", caption, png))
    return Section("Data", [Group(tables=[_part_table(facts.parts)] if facts.parts else [], figures=figures)])


def _rejected(facts: PipelineFacts) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for part in (*facts.parts.values(), facts.of("validation_tweets")):
        reasons.update(part.get("reasons", {}))
    return reasons


def _part_table(parts: Mapping[str, Facts]) -> Table:
    rows = [
        [name, *(f"{part.get(count, 0):,}" for count in _PART_COUNTS), str(part.get("days", ""))]
        for name, part in parts.items()
    ]
    total = ["all parts", *(f"{sum(part.get(count, 0) for part in parts.values()):,}" for count in _PART_COUNTS), ""]
    columns = ("part", *_PART_COUNTS, "engagement days")
    return Table(f"The {len(parts)} training parts.", columns, [*rows, total], frozenset({len(rows)}), folded=True)


def interactions_section(facts: PipelineFacts) -> Section:
    """How many keys were counted in both windows, and how many similar authors were found."""
    figures = []
    for artifact, title in (("interaction_counts", "training rows"), ("validation_counts", "fine-tuning rows")):
        if counted := _counted(facts.of(artifact)):
            png = plots.table_rows(counted, title=f"Counters of the {title}")
            figures.append(Figure(f"Counters, {title}", f"How many keys were counted over the {title}, by kind.", png))
    similarity = facts.of("author_similarity")
    if degrees := similarity.get("degrees"):
        caption = "How many authors have how many similar authors: authors who share followers."
        figures.append(Figure("Similar authors", caption, plots.similarity_degrees(degrees)))
    names = {"authors": "authors with a follower", "follows": "followers, all authors", "edges": "similar pairs"}
    rows = [(words, f"{similarity[name]:,}") for name, words in names.items() if name in similarity]
    return Section(
        "Interactions", [Group(tables=[table_of("Author similarity.", rows)] if rows else [], figures=figures)]
    )


def _counted(facts: Facts) -> dict[str, int]:
    """The keys of each kind; of the validation window those of the fine-tuning rows."""
    keys = [key.name for key in counted_keys(VALIDATION, COUNTER_FAMILIES)]
    found = {key: facts.get(key, facts.get(f"finetune_{key}")) for key in keys}
    return {key: count for key, count in found.items() if count is not None}


def text_section(facts: PipelineFacts) -> Section:
    """How the encoder learned, how often tokens occur, and how evenly the codes are used."""
    encoder, tokens, codes = (facts.of(name) for name in ("finetuned_encoder", "token_sketches", "emde_sketches"))
    figures = []
    if encoder.get("losses"):
        caption = "Masked-language-model loss over the steps, and of the held-out tweets before and after."
        figures.append(Figure("Encoder loss", caption, plots.encoder_loss(encoder)))
    if frequencies := tokens.get("frequencies"):
        caption = "Occurrences of the tokens in the sketched tweets, from the most frequent on; both axes logarithmic."
        figures.append(Figure("Tokens by frequency", caption, plots.token_frequencies(frequencies)))
    if occupancy := codes.get("occupancy"):
        caption = "How many tokens share a code, at each depth of the sketch: the more alike, the better codes tell."
        png = plots.code_occupancy(occupancy, codes["tokens"] / codes["width"])
        figures.append(Figure("Tokens by code", caption, png))
    rows = _text_rows(encoder, tokens, codes)
    return Section("Text", [Group(tables=[table_of("The text encoder.", rows)] if rows else [], figures=figures)])


def _text_rows(encoder: Facts, tokens: Facts, codes: Facts) -> list[tuple[str, str]]:
    known = (
        ("tweets that trained the encoder", encoder.get("tweets"), ","),
        ("loss on held-out tweets before", encoder.get("heldout_loss_before"), ".3f"),
        ("loss on held-out tweets after", encoder.get("heldout_loss_after"), ".3f"),
        ("tokens with a vector", tokens.get("tokens"), ","),
        ("numbers in a vector", tokens.get("dim"), ","),
        ("depths of the sketch", codes.get("depth"), ","),
        ("codes of a depth", codes.get("width"), ","),
        ("share of the codes in use", codes.get("used_share"), ".1%"),
    )
    return [(name, format(value, form)) for name, value, form in known if value is not None]
