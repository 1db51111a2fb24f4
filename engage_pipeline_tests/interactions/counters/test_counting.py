"""Counts of a window, on rows small enough to count by hand."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.numerics.fingerprints import hashes
from engage_pipeline.settings import families
from engage_pipeline.settings.families import AUTHOR, FAMILY_NAMES, FAMILY_OF_KEY, KEYS, TRAINING, Key, counted_keys
from engage_pipeline_tests.interactions.typed_parts import Row, engagement_day, write_typed
from engage_pipeline_tests.samples import FIRST_DAY, tiny_settings

NAMES, LANGUAGES = ["ana", "ben", None, "cal", "dot"], ["en", None, "ja"]
TYPES = ["Quote", None, "Reply"]
LISTS = ("hashtags", "present_media", "present_links", "present_domains")
COUNTS = (*schema.ENGAGEMENTS, "negative", "exposures")
BELOW_AUTHOR = Key("author_language", "the author in this language", "language", AUTHOR, few=True)


def exposure(line: int, author: str, viewer: str, day: int, *engagements: str, **values: Any) -> Row:
    """A typed row with only what is counted filled in."""
    row: Row = {column.name: None for column in schema.COLUMNS}
    row |= {"language": "en", "tweet_id": "t", "text_tokens": [101, 102], **{name: [] for name in LISTS}}
    row |= {"engaged_with_user_id": author, "engaging_user_id": viewer, "tweet_timestamp": (FIRST_DAY + day) * 86400}
    row |= {schema.engagement_timestamp(name): (FIRST_DAY + day) * 86400 for name in engagements}
    row |= {schema.LINE_NUMBER: line, schema.ENGAGEMENT_DAY: engagement_day(row), **values}
    return row


ROWS = [
    exposure(0, "ana", "ben", 0, "like", hashtags=["x", "x"]),
    exposure(1, "ana", "ben", 0, "like", "reply"),
    exposure(2, "ana", "ben", 1, language=None),
    exposure(3, "ana", "cal", 1, "retweet", hashtags=["x"], language="ja"),
    exposure(4, "ben", "ben", 1, "retweet_with_comment", language="ja"),
    exposure(5, "ben", "cal", 1, language="ja", engaging_user_id=None),
]


@pytest.fixture
def training(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the counts of ROWS, in two parts of two row groups, and the figures returned."""
    parts = [write_typed(rows, tmp_path / f"part{index}.parquet") for index, rows in enumerate((ROWS[:3], ROWS[3:]))]
    for part in parts:
        pq.write_table(pq.read_table(part), part, row_group_size=2)
    counts = tmp_path / "counts"
    counts.mkdir()
    return counts, count_training(parts, counts, tiny_settings(tmp_path))


def read_counts(folder: Path, side: str, key: str | None = None, scope: str = "") -> dict[tuple, list[int]]:
    """Counts in the order of COUNTS by the value of a side, or by (value, value of the side) of a key nested in it."""
    texts = [*NAMES, "en", "ja", "x", "y", "t", *TYPES]
    names = dict(zip(hashes(pa.array(texts)).tolist(), texts, strict=True))
    own = read_table(folder, f"{scope}{side}")
    if key is None:
        return {(names[row["hash"]],): [row[name] for name in COUNTS] for row in own}
    nested, found, start = read_table(folder, f"{scope}{key}"), {}, 0
    for row in own:
        end = row[f"{key}_end"]
        for one in nested[start:end]:
            found[names[one["value"]], names[row["hash"]]] = [one[name] for name in COUNTS]
        start = end
    assert start == len(nested)
    return found


def counts_of(folder: Path, key: Key) -> dict[tuple, list[int]]:
    """Counts of a key, from the side that it is, or is nested in."""
    if key.viewer is None:
        return read_counts(folder, key.name)
    return read_counts(folder, "author" if key.viewer == AUTHOR else "viewer", key.name)


def read_table(folder: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table of one shard."""
    (path,) = folder.glob(f"{table}-*.arrow")
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all().to_pylist()


def test_pairs_in_total(training: tuple[Path, dict]) -> None:
    assert read_counts(training[0], "viewer", "pair") == {
        ("ana", "ben"): [2, 1, 0, 0, 1, 3],
        ("ana", "cal"): [0, 0, 1, 0, 0, 1],
        ("ben", "ben"): [0, 0, 0, 1, 0, 1],
    }


def test_an_author_is_counted_where_the_viewer_is_missing(training: tuple[Path, dict]) -> None:
    assert read_counts(training[0], "author") == {
        ("ana",): [2, 1, 1, 0, 1, 4],
        ("ben",): [0, 0, 0, 1, 1, 2],
    }
    assert read_counts(training[0], "viewer") == {
        ("ben",): [2, 1, 0, 1, 1, 4],
        ("cal",): [0, 0, 1, 0, 0, 1],
    }


def test_a_missing_language_is_no_key(training: tuple[Path, dict]) -> None:
    assert read_counts(training[0], "viewer", "language") == {
        ("en", "ben"): [2, 1, 0, 0, 0, 2],
        ("ja", "cal"): [0, 0, 1, 0, 0, 1],
        ("ja", "ben"): [0, 0, 0, 1, 0, 1],
    }


def test_repeated_hashtags_are_counted_again(training: tuple[Path, dict]) -> None:
    assert read_counts(training[0], "viewer", "hashtag") == {
        ("x", "ben"): [2, 0, 0, 0, 0, 2],
        ("x", "cal"): [0, 0, 1, 0, 0, 1],
    }


def test_languages_are_listed_by_frequency(training: tuple[Path, dict]) -> None:
    assert pq.read_table(training[0] / "languages.parquet").to_pydict() == {
        "language": ["ja", "en"],
        "rows": [3, 2],
    }


def test_days_add_up_to_the_figures(training: tuple[Path, dict]) -> None:
    counts, facts = training
    days = pq.read_table(counts / "days.parquet").to_pydict()
    assert days["engagement_day"] == [FIRST_DAY, FIRST_DAY + 1]
    assert days["rows"] == [2, 4]
    assert (days["like"], days["negative"]) == ([2, 0], [0, 2])
    totals = {name: sum(days[name]) for name in ("rows", *schema.ENGAGEMENTS, "negative")}
    assert totals == {name: facts[name] for name in totals}
    assert facts["pair"] == 3


def test_the_validation_window_has_a_scope_for_each_use_and_each_chunk(tmp_path: Path) -> None:
    splits = (0, 0, 1, schema.HOLDOUT, 1, 1)
    rows = [row | {schema.SPLIT: split} for row, split in zip(ROWS, splits, strict=True)]
    path = write_typed(rows, tmp_path / "validation.parquet")
    counts = tmp_path / "counts"
    counts.mkdir()
    facts = count_validation([path], counts, tiny_settings(tmp_path))
    assert facts["rows"] == 6
    assert read_counts(counts, "viewer", "pair", "finetune_") == {
        ("ana", "ben"): [2, 1, 0, 0, 1, 3],
        ("ben", "ben"): [0, 0, 0, 1, 0, 1],
    }
    assert read_counts(counts, "viewer", "pair", "chunk_0_") == {("ana", "ben"): [2, 1, 0, 0, 0, 2]}
    assert read_counts(counts, "viewer", "pair", "chunk_1_") == {
        ("ana", "ben"): [0, 0, 0, 0, 1, 1],
        ("ben", "ben"): [0, 0, 0, 1, 0, 1],
    }
    assert read_counts(counts, "tweet", scope="finetune_") == {("t",): [2, 1, 0, 1, 2, 5]}
    assert read_counts(counts, "tweet", scope="labelled_") == {("t",): [2, 1, 1, 1, 2, 6]}
    assert not list(counts.glob("chunk_-1_*")), "the holdout is no chunk"


def random_exposures(seed: int, rows: int) -> list[Row]:
    """Rows of few users, tags and days, so that most keys recur on a day, with every engagement and with none; some
    lack an author, a viewer or a language."""
    rng = np.random.default_rng(seed)
    return [
        exposure(
            line,
            NAMES[rng.integers(0, 4)],
            NAMES[rng.integers(1, 5)],
            int(rng.integers(0, 3)),
            *[name for name in schema.ENGAGEMENTS if rng.random() < 0.3],
            language=LANGUAGES[rng.integers(0, 3)],
            tweet_type=TYPES[rng.integers(0, 3)],
            **{name: rng.choice(["x", "y"], rng.integers(0, 3)).tolist() for name in LISTS},
        )
        for line in range(rows)
    ]


def counted_plainly(rows: list[Row], key: str) -> dict[tuple, list[int]]:
    """What `read_counts` should read of a key, row by row."""
    found: dict[tuple, Counter[str]] = {}
    for row in rows:
        viewer = row["engaging_user_id"]
        keys = {
            "pair": [(row["engaged_with_user_id"], viewer)],
            "author": [(row["engaged_with_user_id"],)],
            "viewer": [(viewer,)],
            "language": [(row["language"], viewer)],
            "hashtag": [(tag, viewer) for tag in row["hashtags"]],
            "type": [(row["tweet_type"], viewer)],
            BELOW_AUTHOR.name: [(row["language"], row["engaged_with_user_id"])],
        }[key]
        engaged = [name for name in schema.ENGAGEMENTS if row[schema.engagement_timestamp(name)] is not None]
        for one in (one for one in keys if None not in one):
            found.setdefault(one, Counter()).update([*(engaged or ["negative"]), "exposures"])
    return {one: [counts[name] for name in COUNTS] for one, counts in found.items()}


@pytest.mark.parametrize("key", [key.name for key in counted_keys(TRAINING, FAMILY_NAMES)])
def test_every_count_is_that_of_plain_python(tmp_path: Path, key: str) -> None:
    rows = random_exposures(1, 200)
    settings = tiny_settings(tmp_path, features={"families": list(FAMILY_NAMES)})
    count_training([write_typed(rows, tmp_path / "part.parquet")], tmp_path, settings)
    assert counts_of(tmp_path, KEYS[key]) == counted_plainly(rows, key)


def test_a_key_below_the_author_is_counted_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = replace(FAMILY_OF_KEY["type"], keys=(BELOW_AUTHOR,))
    monkeypatch.setattr(families, "FURTHER_FAMILIES", (family,))
    rows = random_exposures(3, 200)
    settings = tiny_settings(tmp_path, features={"families": [family.name]})
    count_training([write_typed(rows, tmp_path / "part.parquet")], tmp_path, settings)
    assert counts_of(tmp_path, BELOW_AUTHOR) == counted_plainly(rows, BELOW_AUTHOR.name)


def test_days_and_figures_are_those_of_plain_python(tmp_path: Path) -> None:
    rows = random_exposures(2, 200)
    facts = count_training([write_typed(rows, tmp_path / "part.parquet")], tmp_path, tiny_settings(tmp_path))
    days = pq.read_table(tmp_path / "days.parquet").to_pydict()
    for name in schema.ENGAGEMENTS:
        lines = [row for row in rows if row[schema.engagement_timestamp(name)] is not None]
        wanted = Counter(row[schema.ENGAGEMENT_DAY] for row in lines)
        assert dict(zip(days["engagement_day"], days[name], strict=True)) == wanted
        assert facts[name] == len(lines)
    assert sum(days["rows"]) == facts["rows"] == len(rows)
