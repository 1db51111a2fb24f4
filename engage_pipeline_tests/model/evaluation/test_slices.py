"""Slices of the rows and their scores: against a plain reference, row by row, and by hand."""

import math
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import metrics, schema
from engage_pipeline.model.evaluation.report import Cell
from engage_pipeline.model.evaluation.scores_section import slices_section
from engage_pipeline.model.evaluation.slices import SLICED_COLUMNS, Scored, Slice, Slicing, score_slices
from engage_pipeline_tests.samples import feature_table

TITLES = [
    "language",
    "tweet type",
    "viewer and author",
    "engagement day (UTC)",
    "training rows of the viewer",
]
LANGUAGES = [f"l{number}" for number in range(14)]
ROWS = 600


def rows_of_a_small_world() -> tuple[pa.Table, Scored]:
    rng = np.random.default_rng(5)
    table = feature_table(ROWS, 5, validation=True)
    shares = 0.7 ** np.arange(len(LANGUAGES))
    names = [*LANGUAGES[:-1], None]
    languages = pa.array([names[place] for place in rng.choice(len(names), ROWS, p=shares / shares.sum())])
    history = pa.array(rng.choice([0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 900], ROWS), pa.int32())
    for name, column in (("language", languages), ("viewer_exposures", history)):
        table = table.set_column(table.column_names.index(name), name, column)
    labels = np.column_stack([table[name].to_numpy() for name in schema.TARGETS])
    viewers = metrics.viewer_numbers(table["engaging_user_id"])
    return table, Scored(labels, 0.05 + 0.7 * rng.random((ROWS, 4)) + 0.2 * labels, viewers)


TABLE, SCORED = rows_of_a_small_world()
FOUND = score_slices(TABLE.select(SLICED_COLUMNS), SCORED)


def names_of(row: dict[str, Any], kept: list[str], others: int) -> list[str]:
    """The slice of one row in each slicing, in the plainest words."""
    language = row["language"] or "unknown"
    kinds = [("is_top_level", "TopLevel"), ("is_retweet", "Retweet"), ("is_quote", "Quote")]
    seen, author = row["viewer_exposures"], row["author_exposures"]
    newness = {
        (True, True): "both have training rows",
        (False, True): "new viewer",
        (True, False): "new author",
        (False, False): "new viewer and new author",
    }
    lengths = [(0, "none"), (1, "1"), (4, "2 to 4"), (9, "5 to 9"), (19, "10 to 19"), (49, "20 to 49")]
    return [
        language if language in kept else f"{others} others",
        next((name for column, name in kinds if row[column]), "Reply or unknown"),
        newness[seen > 0, author > 0],
        str(date(1970, 1, 1) + timedelta(days=row[schema.ENGAGEMENT_DAY])),
        next((name for most, name in lengths if seen <= most), "50 or more"),
    ]


def plain_scores(rows: list[int], place: int) -> tuple[float, float, float, float]:
    """Share, AP, RCE and margin of these rows, by loops."""
    labels = [bool(SCORED.labels[row, place]) for row in rows]
    values = [float(SCORED.probabilities[row, place]) for row in rows]
    share = sum(labels) / len(rows)
    hits, precision = 0, 0.0
    for rank, (_, label) in enumerate(sorted(zip(values, labels, strict=True), reverse=True), 1):
        hits += label
        precision += hits / rank if label else 0.0
    losses = [-math.log(p if label else 1 - p) for p, label in zip(values, labels, strict=True)]
    naive = [-math.log(share if label else 1 - share) for label in labels]
    ratio = sum(losses) / sum(naive)
    by_viewer: dict[int, float] = defaultdict(float)
    for row, loss, other in zip(rows, losses, naive, strict=True):
        by_viewer[int(SCORED.viewers[row])] += loss - ratio * other
    error = math.sqrt(sum(value**2 for value in by_viewer.values())) / sum(naive)
    return share, precision / hits, 100 * (1 - ratio), 1.96 * 100 * error


def test_slices_are_those_of_a_loop_over_the_rows() -> None:
    rows = TABLE.select(SLICED_COLUMNS).to_pylist()
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["language"] or "unknown"] += 1
    kept = sorted(counts, key=lambda name: (-counts[name], name))[:10]
    members: list[dict[str, list[int]]] = [defaultdict(list) for _ in TITLES]
    for number, row in enumerate(rows):
        for slicing, name in zip(members, names_of(row, kept, len(counts) - 10), strict=True):
            slicing[name].append(number)
    assert [one.title for one in FOUND] == TITLES
    for slicing, wanted in zip(FOUND, members, strict=True):
        assert {one.name: one.rows for one in slicing.slices} == {name: len(rows) for name, rows in wanted.items()}
        assert sum(one.rows for one in slicing.slices) == ROWS
        for one in slicing.slices:
            check_scores(one, wanted[one.name])


def check_scores(one: Slice, rows: list[int]) -> None:
    for place, score in enumerate(one.scores):
        positives = int(SCORED.labels[rows, place].sum())
        assert score.share == pytest.approx(positives / len(rows))
        if min(positives, len(rows) - positives) < 10:
            assert (score.ap, score.rce, score.margin) == (None, None, None)
        else:
            assert (score.share, score.ap, score.rce, score.margin) == pytest.approx(plain_scores(rows, place))


def test_the_most_frequent_languages_come_first_and_the_others_together() -> None:
    *kept, others = FOUND[0].slices
    assert len(kept) == 10
    assert [one.rows for one in kept] == sorted((one.rows for one in kept), reverse=True)
    assert others.name == "4 others"


def traits_of(count: int, rows_before: list[int] | None = None) -> pa.Table:
    """Rows that are alike but for their viewers' history."""
    columns: dict[str, Any] = dict.fromkeys(SLICED_COLUMNS, [False] * count)
    columns |= {"language": ["en"] * count, "author_exposures": [1] * count, schema.ENGAGEMENT_DAY: [0] * count}
    return pa.table(columns | {"viewer_exposures": rows_before or [1] * count})


def by_history(labels: np.ndarray, probabilities: np.ndarray, rows_before: list[int]) -> Slicing:
    """The last slicing of rows that are alike but for their viewers' history."""
    count = len(labels)
    traits = traits_of(count, rows_before)
    tiled = (np.tile(values[:, None], 4) for values in (labels, probabilities))
    return score_slices(traits, Scored(*tiled, np.arange(count)))[-1]


def test_a_slice_by_hand() -> None:
    """Ten positives at 0.8 and ten negatives at 0.2, all ranked rightly: every loss is -ln 0.8, the naive one ln 2."""
    labels = np.array([True, False] * 10)
    (one,) = by_history(labels, np.where(labels, 0.8, 0.2), [1] * 20).slices
    assert (one.name, one.rows) == ("1", 20)
    score = one.scores[0]
    assert (score.share, score.ap) == (0.5, 1.0)
    assert score.rce == pytest.approx(100 * (1 + math.log(0.8) / math.log(2)))
    assert score.margin == pytest.approx(0.0, abs=1e-9)


def test_rows_of_one_viewer_have_a_score_and_no_margin() -> None:
    """Their residuals add up to 0 whatever they are: a margin of 0 would say the opposite of the truth."""
    labels, traits = np.tile(np.arange(60)[:, None] % 3 == 0, 4), traits_of(60)
    chances = np.full((60, 4), 0.5)
    for viewers, known in ((np.full(60, 7), False), (np.arange(60) % 2, True)):
        (one,) = score_slices(traits, Scored(labels, chances, viewers))[-1].slices
        assert one.scores[0].rce is not None
        assert (one.scores[0].margin is not None) == known
        section = slices_section("blend", score_slices(traits, Scored(labels, chances, viewers)))
        cells = [cell for group in section.groups for table in group.tables for row in table.rows for cell in row[2:]]
        assert {("±" in cell.text, "AP" in cell.note) for cell in cells if isinstance(cell, Cell)} == {(known, True)}


def test_too_few_of_a_class_give_no_score() -> None:
    labels = np.arange(40) < 9
    for few in (labels, ~labels):
        (one,) = by_history(few, np.full(40, 0.3), [50] * 40).slices
        assert one.name == "50 or more"
        assert one.scores[0].rce is one.scores[0].ap is None
        assert one.scores[0].share == few.mean()
