"""A part a day: the world stays the same however many days there are, and days can be appended."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.synthetic import Recipe, synthesize
from engage_pipeline_tests.synthetic.reading import TRAINING_START, VIEWER, read_part

SIZES = {"rows": 2_100, "users": 300, "parts": 2, "seed": 4}
ROWS_A_DAY = 76
DAY = 86_400


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def train_names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "train").iterdir())


@pytest.mark.parametrize("recipe", [Recipe.PLAIN, Recipe.ALL])
def test_appended_days_are_those_of_a_longer_world(tmp_path: Path, recipe: Recipe) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    synthesize(short, **SIZES, world=recipe, days=3)
    before = digests(short)
    synthesize(long, **SIZES, world=recipe, days=5)
    assert train_names(short) == ["part-2021-02-04", "part-2021-02-05", "part-2021-02-06"]
    synthesize(short, **SIZES, world=recipe, days=5, append=True)
    after = digests(short)
    assert {name: after[name] for name in before} == before
    assert train_names(short) == train_names(long)
    for name in train_names(long):
        assert after[f"train/{name}"] == digests(long)[f"train/{name}"]
    synthesize(short, **SIZES, world=recipe, days=5, append=True)
    assert digests(short) == after


def test_a_part_has_its_day_and_the_evaluation_the_week_after(tmp_path: Path) -> None:
    synthesize(tmp_path, **SIZES, days=3)
    for day, name in enumerate(train_names(tmp_path)):
        rows = read_part(tmp_path / "train" / name, labelled=True)
        start = TRAINING_START + day * DAY
        assert len(rows) == ROWS_A_DAY
        assert all(start <= row["tweet_timestamp"] < start + DAY for row in rows)
        moments = [row[schema.engagement_timestamp(target)] or start for target in schema.TARGETS for row in rows]
        assert start + DAY < max(moments) < start + 2 * DAY
    validation = read_part(tmp_path / "validation" / "part-00000", labelled=True)
    assert {row["tweet_timestamp"] // DAY - TRAINING_START // DAY for row in validation} == set(range(3, 10))


def test_days_go_on_after_mixed_parts(tmp_path: Path) -> None:
    synthesize(tmp_path, **SIZES)
    synthesize(tmp_path, **SIZES, days=23, append=True)
    assert train_names(tmp_path) == ["part-00000", "part-00001", "part-2021-02-25", "part-2021-02-26"]
    mixed, added = (read_part(tmp_path / "train" / train_names(tmp_path)[place], labelled=True) for place in (0, 2))
    people = {row[VIEWER]: row["engaging_user_account_creation"] for row in mixed}
    known = [row for row in added if row[VIEWER] in people]
    assert len(known) > len(added) / 3
    assert all(people[row[VIEWER]] == row["engaging_user_account_creation"] for row in known)


def test_what_is_kept_when_days_are_appended_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "engage_pipeline")
    days, mixed = tmp_path / "days", tmp_path / "mixed"
    synthesize(days, **SIZES, days=2)
    synthesize(mixed, **SIZES)
    (days / "train" / "part-2021-02-04").unlink()
    assert not [line for line in caplog.messages if "kept" in line]
    synthesize(days, **SIZES, days=3, append=True)
    synthesize(mixed, **SIZES, days=22, append=True)
    synthesize(mixed, **SIZES, days=23, append=True)
    assert [line for line in caplog.messages if "kept" in line] == [
        f"{days / 'train'}: kept what is there already: part-2021-02-05",
        f"{mixed / 'train'}: kept what is there already: part-00000, part-00001",
        f"{mixed / 'train'}: kept what is there already: part-00000, part-00001, part-2021-02-25",
    ]


def test_days_are_not_appended_to_mixed_parts_that_are_not_all_there(tmp_path: Path) -> None:
    """The first of them is written last."""
    synthesize(tmp_path, **SIZES)
    (tmp_path / "train" / "part-00000").unlink()
    before = digests(tmp_path)
    with pytest.raises(UserError, match="part-00001: is of a world that was not finished; remove it"):
        synthesize(tmp_path, **SIZES, days=22, append=True)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("change", [{"rows": 2_000}, {"users": 301}, {"seed": 5}, {"world": Recipe.DRIFT}])
def test_another_world_is_not_appended(tmp_path: Path, change: dict[str, object]) -> None:
    synthesize(tmp_path, **SIZES, days=1)
    before = digests(tmp_path)
    with pytest.raises(UserError, match=r"world.json: .*is not the world to append to"):
        synthesize(tmp_path, **(SIZES | change), days=2, append=True)  # type: ignore[arg-type]
    assert digests(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 0}, "days: 0 is out of range, 1 to 358 are possible"),
        ({"days": 359}, "days: 359 is out of range"),
        ({"append": True}, "append: needs days"),
        ({"append": True, "days": 2, "oracle": True}, "oracle: is of validation and test rows"),
        ({"append": True, "days": 2}, r"world.json: .*leave out append"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        synthesize(tmp_path / "raw", **SIZES, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "raw").exists()


def test_the_truth_stands_in_the_order_of_the_parts(tmp_path: Path) -> None:
    synthesize(tmp_path, **SIZES, world=Recipe.ALL, oracle=True)
    order = ["reply", "retweet", "retweet_with_comment", "like"]
    for part, labelled in (("validation", True), ("test", False)):
        truth = pq.read_table(tmp_path / f"{part}_truth.parquet")
        odds = [f"p_{target}" for target in order]
        assert truth.column_names == ["tweet_id", "user_id", *order, *odds, "author_followers"]
        rows = read_part(tmp_path / part / "part-00000", labelled=labelled)
        names = {"tweet_id": "tweet_id", "user_id": VIEWER, "author_followers": "engaged_with_user_follower_count"}
        for column, name in names.items():
            assert truth[column].to_pylist() == [row[name] for row in rows]
        oracle = pq.read_table(tmp_path / f"{part}_oracle.parquet")
        for target in order:
            assert truth[f"p_{target}"] == oracle[target]
            if labelled:
                stamps = [row[schema.engagement_timestamp(target)] for row in rows]
                assert truth[target].to_pylist() == [stamp is not None for stamp in stamps]
    labels = pq.read_table(tmp_path / "test_labels.parquet")
    assert pq.read_table(tmp_path / "test_truth.parquet").select(order) == labels.select(order)
