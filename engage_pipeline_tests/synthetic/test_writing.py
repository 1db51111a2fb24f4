"""The parts are in the challenge's exact format."""

from typing import Any

from engage_pipeline import schema
from engage_pipeline_tests.synthetic.reading import (
    AUTHOR,
    EVALUATION_END,
    HASHED,
    PARTS,
    TRAINING_END,
    TRAINING_START,
    VIEWER,
    Made,
    Row,
)


def test_files_and_row_counts(made: Made) -> None:
    files = sorted(str(path.relative_to(made.folder)) for path in made.folder.rglob("*") if path.is_file())
    assert files == [
        "test/part-00000",
        "test_labels.parquet",
        "test_oracle.parquet",
        *(f"train/part-0000{part}" for part in range(PARTS)),
        "validation/part-00000",
        "validation_oracle.parquet",
        "world.json",
    ]
    assert (len(made.train), len(made.validation), len(made.test)) == (15_250, 2_400, 2_350)
    assert max(map(len, made.parts)) - min(map(len, made.parts)) <= 1


def test_values_are_as_the_challenge_has_them(made: Made) -> None:
    for row in made.all_rows:
        tokens = row["text_tokens"]
        assert (tokens[0], tokens[-1]) == (schema.CLS_TOKEN, schema.SEP_TOKEN)
        assert all(1000 <= token < schema.VOCABULARY_SIZE for token in tokens[1:-1])
        hashed = [row["tweet_id"], row["language"], row[AUTHOR], row[VIEWER]]
        hashed += row["hashtags"] + row["present_links"] + row["present_domains"]
        assert all(HASHED.fullmatch(value) for value in hashed)
        assert len(row["present_links"]) == len(row["present_domains"])
        assert set(row["present_media"]) <= set(schema.MEDIA)
        assert row["tweet_type"] in schema.TWEET_TYPES
        assert row[AUTHOR] != row[VIEWER]
        for role in ("engaged_with_user", "engaging_user"):
            assert row[f"{role}_follower_count"] >= 0
            assert row[f"{role}_following_count"] >= 0
            assert row[f"{role}_account_creation"] < row["tweet_timestamp"]


def test_engagements_follow_the_tweet_and_end_with_the_window(made: Made) -> None:
    windows = ((made.train, TRAINING_START, TRAINING_END), (made.validation, TRAINING_END, EVALUATION_END))
    for rows, start, end in windows:
        for row in rows:
            assert start <= row["tweet_timestamp"] < end
            for target in schema.TARGETS:
                moment = row[schema.engagement_timestamp(target)]
                assert moment is None or row["tweet_timestamp"] < moment < end
    assert all(TRAINING_END <= row["tweet_timestamp"] < EVALUATION_END for row in made.test)


def test_a_tweet_and_a_person_are_the_same_wherever_they_occur(made: Made) -> None:
    tweet_columns = schema.COLUMN_NAMES[: schema.COLUMN_NAMES.index(VIEWER)]
    seen: dict[str, Any] = {}
    for row in made.all_rows:
        tweet = [row[name] for name in tweet_columns]
        assert seen.setdefault("tweet" + row["tweet_id"], tweet) == tweet
        for role in ("engaged_with_user", "engaging_user"):
            person = [value for name, value in row.items() if name.startswith(role + "_")]
            assert seen.setdefault("person" + row[f"{role}_id"], person) == person


def test_every_part_holds_all_days(made: Made) -> None:
    def days(rows: list[Row]) -> set[int]:
        return {row["tweet_timestamp"] // 86_400 for row in rows}

    for part in made.parts:
        assert days(part) == set(range(TRAINING_START // 86_400, TRAINING_END // 86_400))
    for rows in (made.validation, made.test):
        assert days(rows) == set(range(TRAINING_END // 86_400, EVALUATION_END // 86_400))
