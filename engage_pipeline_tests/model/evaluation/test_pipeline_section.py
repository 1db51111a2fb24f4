"""The sections on data, interactions, text and model tell what the facts say, and only what an input says."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.interactions.facts import CountFacts, SimilarityFacts
from engage_pipeline.language.facts import EncoderFacts, SketchFacts, TokenFacts
from engage_pipeline.model.evaluation.figures import blend_table, holdout_table, learning_table, model_section
from engage_pipeline.model.evaluation.pipeline_facts import report_inputs
from engage_pipeline.model.evaluation.pipeline_section import (
    PipelineFacts,
    data_section,
    interactions_section,
    shown_settings,
    text_section,
)
from engage_pipeline.model.evaluation.report import Cell, Section
from engage_pipeline.model.facts import BlendFigures, BundleFacts, NetworkFacts, TreesFacts, TreesFigures
from engage_pipeline.settings.families import DEFAULT_FAMILIES, SCORED_FILE
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline_tests import worlds
from engage_pipeline_tests.model.evaluation.report_pages import Page, assert_whole
from engage_pipeline_tests.samples import tiny_settings

MOST_BYTES = 2_000_000
FULL_PARTS, FULL_DAYS = 290, 21


def test_the_report_shows_the_scored_file_only_where_it_is_on(tmp_path: Path) -> None:
    off = shown_settings("evaluation", tiny_settings(tmp_path))
    on = shown_settings("evaluation", tiny_settings(tmp_path, features={"families": [*DEFAULT_FAMILIES, SCORED_FILE]}))
    assert "features.further" not in off
    assert on == {**off, "features.scored_file": True}


def titles(section: Section) -> list[str]:
    return [figure.title for group in section.groups for figure in group.figures]


def facts_of_part(number: int = 0, **others: Any) -> PartFacts:
    counts = {"rows": 3_000_000 + number, "rejected": number % 3, "blank": 0, "forgotten": 1, "duplicates": 2}
    known = {"lines": 3_000_009, "positives": {}, "days": "2021-02-04 to 2021-02-24", **counts}
    return PartFacts(**{**known, "reasons": {"too few fields": number % 3}, **others})


def full_facts() -> PipelineFacts:
    """Facts of the size of the full data set."""
    rng = np.random.default_rng(0)
    parts = {f"part-{number:05}": facts_of_part(number) for number in range(FULL_PARTS)}
    days: dict[str, list[int]] = {
        schema.ENGAGEMENT_DAY: list(range(18_662, 18_662 + FULL_DAYS)),
        "rows": [10**6] * FULL_DAYS,
    }
    days |= {name: rng.integers(1, 10**5, FULL_DAYS).tolist() for name in schema.TARGETS}
    drift = {part: {"hour": 0.01, "n_tokens": 0.02} for part in parts}
    drift["part-00007"] = {"hour": 0.3, "n_tokens": 0.1}
    window = dict.fromkeys(("rows", *schema.ENGAGEMENTS), 1)
    return PipelineFacts(
        parts,
        days,
        drift,
        {"hour": 0.1, "n_tokens": 0.0},
        validation_tweets=facts_of_part(reasons={"no number": 7}),
        interaction_counts=CountFacts(**window, **dict.fromkeys(schema.TRAINING_KEYS, 10**7)),
        validation_counts=CountFacts(**window, **{f"finetune_{key}": 10**6 for key in schema.VALIDATION_KEYS}),
        author_similarity=SimilarityFacts(authors=9, follows=10, edges=11, degrees={"0": 4, "1": 5}),
        finetuned_encoder=EncoderFacts(
            tweets=12345,
            steps=9,
            heldout_loss_before=11.5,
            heldout_loss_after=2.25,
            loss_steps=[4, 9],
            losses=[8.0, 3.0],
        ),
        token_sketches=TokenFacts(tokens=5, dim=768, frequencies=[(1, 100), (5, 1)]),
        emde_sketches=SketchFacts(tokens=5, depth=2, width=4, used_share=0.75, occupancy=[[0, 1, 1, 2, 3]] * 2),
    )


FACTS = full_facts()
SECTIONS = (data_section, interactions_section, text_section)


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return [section(FACTS) for section in SECTIONS]


def test_every_section_shows_what_the_facts_hold(sections: list[Section]) -> None:
    data, interactions, text = sections
    assert titles(data) == ["Rows by part", "Rejected lines", "Label rates", "Drift of the parts"]
    assert titles(interactions) == ["Counters, training rows", "Counters, fine-tuning rows", "Similar authors"]
    assert titles(text) == ["Encoder loss", "Tokens by frequency", "Tokens by code"]
    (table,) = text.groups[0].tables
    assert ("loss on held-out tweets after", "2.250") in table.rows
    assert ("share of the codes in use", "75.0%") in table.rows
    assert ("steps", "9") in table.rows


def test_a_skipped_encoder_is_told_instead() -> None:
    nothing = SketchFacts(tokens=0, depth=2, width=4, used_share=0, occupancy=[[0] * 5] * 2)
    skipped = replace(
        FACTS,
        finetuned_encoder=EncoderFacts(why="it was away"),
        token_sketches=TokenFacts(tokens=0, dim=0, frequencies=[]),
        emde_sketches=nothing,
    )
    section = text_section(skipped)
    assert titles(section) == []
    (table,) = section.groups[0].tables
    assert list(table.rows) == [("text encoder", "it was away")]


def test_the_parts_add_up(sections: list[Section]) -> None:
    table, _ = sections[0].groups[0].tables
    assert len(table.rows) == FULL_PARTS + 1
    assert table.folded
    rows = sum(3_000_000 + number for number in range(FULL_PARTS))
    rejected = sum(number % 3 for number in range(FULL_PARTS))
    assert list(table.rows[-1])[:3] == ["all parts", f"{rows:,}", f"{rejected:,}"]


def test_drift_is_named_by_part(sections: list[Section]) -> None:
    _, table = sections[0].groups[0].tables
    assert table.rows[0] == ["validation rows", Cell("0.100"), Cell("hour 0.100, n_tokens 0.000", words=True)]
    assert table.rows[1] == ["part-00007", Cell("0.300", best=True), Cell("hour 0.300, n_tokens 0.100", words=True)]
    assert table.rows[2] == ["part-00000", Cell("0.020"), Cell("n_tokens 0.020, hour 0.010", words=True)]
    assert len(table.rows) == 16
    assert "of 15 of 290 parts" in table.caption


def test_seconds_and_memory_stand_with_the_cost_alone(sections: list[Section]) -> None:
    facts = {field.name: getattr(FACTS, field.name) for field in fields(FACTS)}
    slower = {
        name: type(one)(**{**one.model_dump(), "seconds": 99.0, "peak_mb": 1234})
        for name, one in facts.items()
        if isinstance(one, Facts)
    }
    assert len(slower) == 7
    assert [section(replace(FACTS, **slower)) for section in SECTIONS] == sections


def test_rejected_lines_of_training_and_validation_are_counted_together() -> None:
    parts = {"part-0": facts_of_part(reasons={"a": 3})}
    facts = PipelineFacts(parts, validation_tweets=facts_of_part(reasons={"a": 1, "b": 2}))
    together = PipelineFacts({"part-0": facts_of_part(reasons={"b": 2, "a": 4})})
    assert data_section(facts).groups[0].figures == data_section(together).groups[0].figures


def test_nothing_is_shown_of_what_is_not_known() -> None:
    nothing = PipelineFacts()
    for section in (
        data_section(nothing),
        interactions_section(nothing),
        text_section(nothing),
        model_section(nothing),
    ):
        assert not any(group.tables or group.figures or group.paragraphs for group in section.groups)


def test_a_learning_curve_over_rows_by_hand() -> None:
    """Three points over 20 steps of 5 rows: the second stands for 8 steps, the others for 10 and 2."""
    losses = {10: 1.0, 18: 0.5, 20: 0.25}
    curve = [{"step": step, **dict.fromkeys(schema.TARGETS, loss)} for step, loss in losses.items()]
    table = learning_table(NetworkFacts(rows=100, curve=curve))
    assert [list(row)[:2] for row in table.rows] == [["50", "1.0000"], ["90", "0.5000"], ["100", "0.2500"]]
    curve = [{"step": step, **dict.fromkeys(schema.TARGETS, float(step))} for step in (1, 3, 100)]
    rows = [list(row)[:2] for row in learning_table(NetworkFacts(rows=1000, curve=curve)).rows]
    assert rows == [["30", f"{(1 * 1 + 2 * 3) / 3:.4f}"], ["1,000", "100.0000"]]


def test_an_engagement_without_trees_is_named_and_not_drawn() -> None:
    trees = {
        "like": TreesFigures(curve=[0.5, 0.4], trees=1, reason="least out-of-fold loss"),
        "reply": TreesFigures(curve=[0.3], trees=0, reason="least out-of-fold loss"),
        "retweet": TreesFigures(trees=0, reason="7 of 90 rows have it"),
        "retweet_with_comment": TreesFigures(curve=[0.3, 0.2, 0.25], trees=0, reason="nothing beats the constant rate"),
    }
    section = model_section(PipelineFacts(engagement_trees=TreesFacts(enabled=True, engagements=trees)))
    (figure,) = [one for group in section.groups for one in group.figures]
    assert figure.caption.endswith(
        " Without trees: reply (none lowered the loss), retweet (7 of 90 rows have it), retweet_with_comment (nothing "
        "beats the constant rate)."
    )
    alone = PipelineFacts(engagement_trees=TreesFacts(enabled=True, engagements={"like": trees["like"]}))
    (other,) = [one for group in model_section(alone).groups for one in group.figures]
    assert other.svg == figure.svg
    assert "Without trees" not in other.caption


def test_the_model_s_tables_show_the_facts() -> None:
    losses = {"network": 0.5, "trees": 0.25, "blend": 0.125}
    one = BlendFigures(
        network_weight=0.6,
        trees_weight=0.4,
        effects_weight=0.0,
        log_loss=losses,
        best_alone="trees",
        gain=0.125,
        gain_error=0.0625,
    )
    weights, found = ["0.600", "0.400", "0.000"], ["trees", "0.12500", "0.06250"]
    assert blend_table({"like": one}).rows == [["like", *weights, "0.50000", "0.25000", "", "0.12500", *found]]
    tiny = one.model_copy(update={"gain": -1e-9})
    assert blend_table({"like": tiny}).rows[0][-2:] == ["0.00000", "0.06250"]
    section = model_section(PipelineFacts(candidate_model=BundleFacts(trees=True, engagements={"like": one})))
    assert [group.title for group in section.groups if group.tables] == ["The blend of network, trees and effects"]
    known = {name: {"ap": 0.5, "rce": 12.0} for name in schema.TARGETS}
    unknown = {name: {"ap": None, "rce": None} for name in schema.TARGETS}
    table = holdout_table({"before": known, "after": unknown})
    assert table.columns == ("engagement", "AP before", "AP after", "RCE before", "RCE after")
    assert table.rows[0] == ["like", "0.5000", "-", "12.00", "-"]


class Watched(ArtifactStore):
    """A store that knows what was opened."""

    def __init__(self, store: ArtifactStore) -> None:
        super().__init__(store.settings)
        self.opened: set[str] = set()

    def open(self, name: str, key: str | None = None) -> Version:
        self.opened.add(name)
        return super().open(name, key)


@pytest.mark.long
def test_what_the_report_reads_are_inputs_of_the_evaluation(finished_world: Path) -> None:
    store = Watched(worlds.store_of(finished_world / "config.yaml"))
    facts = report_inputs(store)
    assert store.opened == set(ARTIFACTS["evaluation"].inputs)
    assert list(facts.parts) == list(facts.drift) == store.parts()
    assert sum(facts.days["rows"]) == sum(part.rows for part in facts.parts.values())


@pytest.mark.long
def test_a_real_report_is_whole_and_small(finished_world: Path) -> None:
    path = worlds.store_of(finished_world / "config.yaml").open("evaluation").path("report.html")
    assert path.stat().st_size < MOST_BYTES
    page = Page(path.read_text(encoding="utf-8"))
    assert_whole(page)
    assert page.text_of("h2") == [
        "Summary",
        "Slices",
        "Models before",
        "Data",
        "Interactions",
        "Text",
        "Model",
        "Quality",
        "Cost and versions",
        "Settings",
    ]
    assert "promoted" in page.plain()
    assert str(finished_world) not in page.text


@pytest.mark.long
def test_a_part_with_more_rejected_lines_makes_a_new_report_but_no_new_network(world: Path) -> None:
    config = world / "config.yaml"
    worlds.run(config)
    with (world / "raw" / "train" / "part-00001").open("a", encoding="utf-8") as part:
        part.write("no tweet\n")
    made = {step.artifact for step in worlds.run(config)}
    assert "evaluation" in made
    assert not made & {"pretrained_network", "candidate_model"}
    page = Page(worlds.store_of(config).open("evaluation").path("report.html").read_text(encoding="utf-8"))
    assert "Rejected lines of the training and validation parts, by reason." in page.plain()
