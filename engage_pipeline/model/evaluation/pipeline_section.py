"""The report's sections on what the model is made of: the data, the interactions and the text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engage_pipeline import plots
from engage_pipeline.catalogue import FURTHER, SCORED_FILE, relevant_settings
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.interactions.facts import CountFacts, SimilarityFacts
from engage_pipeline.language.facts import EncoderFacts, SketchFacts, TokenFacts
from engage_pipeline.model.evaluation.cost_section import Made
from engage_pipeline.model.evaluation.report import Cell, Figure, Group, Section, Table, table_of
from engage_pipeline.model.facts import BundleFacts, NetworkFacts, TreesFacts
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings

_PART_COUNTS = ("rows", "rejected", "blank", "forgotten", "duplicates")
"""What a part's facts count, in the order of the table."""

DRIFT_LIMIT = 0.25
"""Where a population is usually called another one. The checks' own limit is a setting that changes no artifact."""

_DRIFTING_PARTS, _DRIFTING_FEATURES = 15, 4
"""How many are named."""


@dataclass(frozen=True)
class PipelineFacts:
    """What the report tells of the artifacts that the model was made of.

    `parts` are facts of tweet_parts by part. `days` holds, for each engagement day of the training rows,
    `engagement_day`, `rows` and the rows of each engagement. `drift` is the population stability index by part and
    feature, `window_drift` that of the validation rows against all parts, by feature. `made` says when and at what cost
    each artifact was made. The other fields are facts of the artifacts that they are named after; None where they are
    not known.
    """

    parts: Mapping[str, PartFacts] = field(default_factory=dict)
    days: Mapping[str, Sequence[int]] = field(default_factory=dict)
    drift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    window_drift: Mapping[str, float] = field(default_factory=dict)
    made: Sequence[Made] = ()
    validation_tweets: PartFacts | None = None
    interaction_counts: CountFacts | None = None
    validation_counts: CountFacts | None = None
    author_similarity: SimilarityFacts | None = None
    finetuned_encoder: EncoderFacts | None = None
    token_sketches: TokenFacts | None = None
    emde_sketches: SketchFacts | None = None
    pretrained_network: NetworkFacts | None = None
    finetuned_network: NetworkFacts | None = None
    engagement_trees: TreesFacts | None = None
    candidate_model: BundleFacts | None = None


def data_section(facts: PipelineFacts) -> Section:
    """The training parts, why lines were rejected, label rates by day, and how far parts drift from each other."""
    figures = []
    if facts.parts:
        rows = {name: part.rows for name, part in facts.parts.items()}
        rejected = {name: part.rejected for name, part in facts.parts.items()}
        caption = "Rows of each training part, and the share of lines that were rejected, where there are any."
        figures.append(Figure("Rows by part", caption, plots.part_sizes(rows, rejected)))
    if reasons := _rejected(facts):
        caption = "Rejected lines of the training and validation parts, by reason."
        figures.append(Figure("Rejected lines", caption, plots.rejected_reasons(reasons)))
    if facts.days:
        caption = (
            "Share of the training rows with each engagement, by day (UTC) of the latest engagement, else the tweet. "
            "A day after the last tweets has engaged rows alone, so that its rates are high."
        )
        figures.append(Figure("Label rates", caption, plots.label_rates_by_day(facts.days)))
    if facts.drift:
        caption = "How far each part's rows lie from those of all other parts: 0 is the same."
        svg = plots.drift(facts.drift, limit=DRIFT_LIMIT)
        figures.append(Figure("Drift of the parts", caption, svg))
    tables = [_part_table(facts.parts)] if facts.parts else []
    tables += [_drift_table(facts)] if facts.drift or facts.window_drift else []
    return Section("Data", [Group(tables=tables, figures=figures)])


def _rejected(facts: PipelineFacts) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for part in (*facts.parts.values(), facts.validation_tweets):
        reasons.update(part.reasons if part else {})
    return reasons


def _part_table(parts: Mapping[str, PartFacts]) -> Table:
    counts = {name: [getattr(part, count) or 0 for count in _PART_COUNTS] for name, part in parts.items()}
    rows = [[name, *(f"{count:,}" for count in counts[name]), part.days] for name, part in parts.items()]
    total = ["all parts", *(f"{sum(column):,}" for column in zip(*counts.values(), strict=True)), ""]
    columns = ("part", *_PART_COUNTS, "engagement days")
    return Table(f"The {len(parts)} training parts.", columns, [*rows, total], frozenset({len(rows)}), folded=True)


def _drift_table(facts: PipelineFacts) -> Table:
    """Names the parts that lie furthest from the others, the furthest first, and what they differ in."""
    worst = sorted(facts.drift, key=lambda part: (-max(facts.drift[part].values()), part))[:_DRIFTING_PARTS]
    rows = [_drift_row(part, facts.drift[part]) for part in worst]
    if facts.window_drift:
        rows.insert(0, _drift_row("validation rows", facts.window_drift))
    caption = (
        f"Population stability index of the features that differ most: of the validation rows against the training "
        f"rows, and of {len(worst):,} of {counted(len(facts.drift), 'part')}, the furthest first, against the others. "
        f"From {DRIFT_LIMIT:g} on it is called another population."
    )
    begins = frozenset({1} if facts.window_drift and worst else ())
    return Table(caption, ("rows", "furthest", "features"), rows, begins)


def _drift_row(name: str, index: Mapping[str, float]) -> list[Cell | str]:
    order = sorted(index, key=lambda feature: (-index[feature], feature))
    furthest = index[order[0]]
    named = ", ".join(f"{feature} {index[feature]:.3f}" for feature in order[:_DRIFTING_FEATURES])
    return [name, Cell(f"{furthest:.3f}", best=furthest >= DRIFT_LIMIT), Cell(named, words=True)]


def interactions_section(facts: PipelineFacts) -> Section:
    """How many keys were counted in both windows, and how many similar authors were found."""
    figures = []
    windows = (facts.interaction_counts, "training rows"), (facts.validation_counts, "fine-tuning rows")
    for counts, title in windows:
        if counts and (counted := counts.keys_counted()):
            svg = plots.table_rows(counted, title=f"Counters of the {title}")
            figures.append(Figure(f"Counters, {title}", f"How many keys were counted over the {title}, by kind.", svg))
    similarity = facts.author_similarity
    if similarity and similarity.degrees:
        caption = "How many authors have how many similar authors: authors who share followers."
        figures.append(Figure("Similar authors", caption, plots.similarity_degrees(similarity.degrees)))
    names = {"authors": "authors with a follower", "follows": "followers, all authors", "edges": "similar pairs"}
    rows = [(words, f"{getattr(similarity, name):,}") for name, words in names.items()] if similarity else []
    return Section(
        "Interactions", [Group(tables=[table_of("Author similarity.", rows)] if rows else [], figures=figures)]
    )


def text_section(facts: PipelineFacts) -> Section:
    """How the encoder learned, how often tokens occur, and how evenly the codes are used."""
    encoder, tokens, codes = facts.finetuned_encoder, facts.token_sketches, facts.emde_sketches
    figures = []
    if encoder and encoder.losses:
        caption = "Masked-language-model loss over the steps, and of held-out tweets."
        svg = plots.loss_curve(encoder.training_curve(), encoder.heldout_curve())
        figures.append(Figure("Encoder loss", caption, svg))
    if tokens and tokens.frequencies:
        caption = "Occurrences of the tokens in the sketched tweets, from the most frequent on; both axes logarithmic."
        figures.append(Figure("Tokens by frequency", caption, plots.token_frequencies(tokens.frequencies)))
    if codes and codes.tokens:
        caption = "How many tokens share a code, at each depth of the sketch: the more alike, the better codes tell."
        svg = plots.code_occupancy(codes.occupancy, codes.tokens_a_code())
        figures.append(Figure("Tokens by code", caption, svg))
    rows = _text_rows(encoder, tokens, codes)
    return Section("Text", [Group(tables=[table_of("The text encoder.", rows)] if rows else [], figures=figures)])


def _text_rows(
    encoder: EncoderFacts | None, tokens: TokenFacts | None, codes: SketchFacts | None
) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if encoder and encoder.why:
        return [("text encoder", encoder.why)]
    if encoder:
        rows += [
            ("tweets that trained the encoder", f"{encoder.tweets:,}"),
            ("steps", encoder.steps_in_words()),
            ("loss on held-out tweets before", f"{encoder.heldout_loss_before:.3f}"),
            ("loss on held-out tweets after", f"{encoder.heldout_loss_after:.3f}"),
        ]
    if tokens:
        rows += [("tokens with a vector", f"{tokens.tokens:,}"), ("numbers in a vector", f"{tokens.dim:,}")]
    if codes:
        rows += [
            ("depths of the sketch", f"{codes.depth:,}"),
            ("codes of a depth", f"{codes.width:,}"),
            ("share of the codes in use", f"{codes.used_share:.1%}"),
        ]
    return rows


def shown_settings(artifact: str, settings: Settings) -> dict[str, Any]:
    """Returns the settings that the artifact depends on, without those that only repeat which families are on."""
    values = relevant_settings(artifact, settings)
    hidden = (FURTHER,) if values[SCORED_FILE] else (FURTHER, SCORED_FILE)
    return {name: value for name, value in values.items() if name not in hidden}
