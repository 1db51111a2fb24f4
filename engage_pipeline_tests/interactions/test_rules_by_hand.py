"""The rules of counters, features and results on their edges: one too many, and one too few."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.interactions.rules import RULES
from engage_pipeline.settings.families import DEFAULT_FAMILIES
from engage_pipeline.store.rules import Rule
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.rules import RULES as SUBMISSION_RULES
from engage_pipeline_tests.samples import bare_store, tiny_settings

COUNTED = {"rows": 10, "like": 4, "reply": 3, "retweet": 2, "retweet_with_comment": 1}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return bare_store(tiny_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw")))


def rule_of(artifact: str, name: str) -> Rule:
    return next(one for one in {**RULES, **SUBMISSION_RULES}[artifact] if one.name == name)


def publish(store: ArtifactStore, name: str, key: str | None = None, *, rows: int = 10, content: bytes = b"1") -> None:
    """An artifact of so many rows; of them COUNTED are positive."""
    raw = store.settings.recsys_data / (key or "none")
    if key:
        raw.parent.mkdir(exist_ok=True)
        raw.write_bytes(b"raw" + content)
    with store.publish(name, key, [raw] if name == "tweet_parts" else []) as draft:
        draft.path("tweets.parquet").write_bytes(content)
        draft.rows = rows
        positives = {engagement: COUNTED[engagement] for engagement in schema.ENGAGEMENTS}
        draft.record(
            PartFacts(lines=rows, rows=rows, rejected=0, blank=0, positives=positives, reasons={}, days="none")
        )


def publish_counts(store: ArtifactStore, counted: dict[str, int], name: str = "interaction_counts") -> None:
    """Counts of two days that add up to `counted`."""
    with store.publish(name) as draft:
        pq.write_table(pa.table({one: [1, count - 1] for one, count in counted.items()}), draft.path("days.parquet"))
        draft.facts |= counted


@pytest.mark.parametrize("made_with", [(), ("type_counters",)])
def test_features_have_the_columns_of_the_families_that_they_were_made_with(
    tmp_path: Path, made_with: tuple[str, ...]
) -> None:
    families = {"families": [*DEFAULT_FAMILIES, *made_with]}
    store = bare_store(tiny_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw"), features=families))
    publish(store, "test_tweets")
    for name in ("interaction_counts", "author_similarity", "validation_counts"):
        publish(store, name)
    for held in ((), ("type_counters",)):
        with store.publish("test_features") as draft:
            columns = schema.feature_schema(labelled=False, families=held)
            pq.write_table(columns.empty_table(), draft.path("part-00000.parquet"))
        found = problem(store, "test_features", "columns_are_as_declared")
        assert bool(found) == (held != made_with)


def problem(store: ArtifactStore, artifact: str, rule: str, key: str | None = None) -> str:
    return rule_of(artifact, rule).look(store, store.open(artifact, key)).problem


@pytest.mark.parametrize("step", [-1, 1])
@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize(
    ("tweets", "counts", "rule"),
    [
        ("tweet_parts", "interaction_counts", "counts_cover_every_row"),
        ("validation_tweets", "validation_counts", "counts_cover_every_validation_row"),
    ],
)
def test_a_count_too_many_or_too_few_is_noticed(
    store: ArtifactStore, tweets: str, counts: str, rule: str, name: str, step: int
) -> None:
    publish(store, tweets, "part-00001" if tweets == "tweet_parts" else None)
    publish_counts(store, COUNTED, counts)
    assert problem(store, counts, rule) == ""
    publish_counts(store, {**COUNTED, name: COUNTED[name] + step}, counts)
    assert problem(store, counts, rule) == f"{name}: {COUNTED[name] + step} counted, {COUNTED[name]} read"


def test_counts_of_parts_that_were_read_anew_are_not_compared(store: ArtifactStore) -> None:
    publish(store, "tweet_parts", "part-00001")
    publish_counts(store, {**COUNTED, "rows": 11})
    assert problem(store, "interaction_counts", "counts_cover_every_row") != ""
    publish(store, "tweet_parts", "part-00001", content=b"2")
    assert problem(store, "interaction_counts", "counts_cover_every_row") == ""


def test_a_part_that_is_counted_twice(store: ArtifactStore) -> None:
    publish(store, "tweet_parts", "part-00001", content=b"1")
    publish(store, "tweet_parts", "part-00002", content=b"2")
    publish_counts(store, COUNTED)
    assert problem(store, "interaction_counts", "no_part_is_counted_twice") == ""
    publish(store, "tweet_parts", "part-00002", content=b"1")
    publish_counts(store, COUNTED)
    found = problem(store, "interaction_counts", "no_part_is_counted_twice")
    assert found == "part-00002 has the same content as part-00001: remove one"


def test_an_engagement_that_never_occurs(tmp_path: Path, store: ArtifactStore) -> None:
    publish(store, "tweet_parts", "part-00001")
    for name in schema.ENGAGEMENTS:
        with store.publish("interaction_counts") as draft:
            counted = {one: [0, 0 if one == name else count] for one, count in COUNTED.items()}
            pq.write_table(pa.table(counted), draft.path("days.parquet"))
        found = problem(store, "interaction_counts", "every_engagement_occurs")
        assert found.startswith(f"none of the 10 training rows has {name}: the labels are missing")
        allowing = bare_store(
            tiny_settings(
                tmp_path / "data",
                recsys_data=str(tmp_path / "raw"),
                checks={"allow_missing_engagements": [name]},
            )
        )
        assert problem(allowing, "interaction_counts", "every_engagement_occurs") == ""
    publish_counts(store, {**COUNTED, "retweet_with_comment": 1})
    assert problem(store, "interaction_counts", "every_engagement_occurs") == ""


@pytest.mark.parametrize("rows", [9, 11])
@pytest.mark.parametrize(
    ("tweets", "features", "key"),
    [
        ("tweet_parts", "interaction_features", "part-00001"),
        ("validation_tweets", "validation_features", None),
        ("test_tweets", "test_features", None),
    ],
)
def test_a_row_of_features_too_many_or_too_few(
    store: ArtifactStore, tweets: str, features: str, key: str | None, rows: int
) -> None:
    publish(store, tweets, key)
    publish(store, features, key)
    assert problem(store, features, "every_row_has_features", key) == ""
    publish(store, features, key, rows=rows)
    assert problem(store, features, "every_row_has_features", key) == f"{rows} rows of features for 10 tweets"
    publish(store, tweets, key, content=b"2")
    assert problem(store, features, "every_row_has_features", key) == "", "of other tweets, nothing can be said"


@pytest.mark.parametrize("rows", [9, 11])
def test_a_line_of_results_too_many_or_too_few(store: ArtifactStore, rows: int) -> None:
    publish(store, "test_tweets")
    publish(store, "submission")
    assert problem(store, "submission", "one_line_for_every_test_row") == ""
    publish(store, "submission", rows=rows)
    assert problem(store, "submission", "one_line_for_every_test_row") == f"{rows} lines for 10 rows"


def test_counts_of_several_parts_are_added(store: ArtifactStore) -> None:
    publish(store, "tweet_parts", "part-00001", content=b"1")
    publish(store, "tweet_parts", "part-00002", content=b"2")
    publish_counts(store, {name: 2 * count for name, count in COUNTED.items()})
    assert problem(store, "interaction_counts", "counts_cover_every_row") == ""
    publish_counts(store, COUNTED)
    assert problem(store, "interaction_counts", "counts_cover_every_row").startswith("rows: 10 counted, 20 read; ")
