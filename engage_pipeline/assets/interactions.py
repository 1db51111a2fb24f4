"""Assets of the interactions stage: counters, author similarity, and the rows that a model reads."""

from pathlib import Path
from typing import TypedDict

import dagster as dg
import pyarrow.parquet as pq

from engage_pipeline import plots, schema
from engage_pipeline.artifacts import ArtifactStore, Draft
from engage_pipeline.assets.definition import pipeline_asset
from engage_pipeline.assets.making import Shown, make_one, make_parts, user_errors
from engage_pipeline.footers import require_schema
from engage_pipeline.interactions import communities
from engage_pipeline.interactions.counting import count_training, count_validation
from engage_pipeline.interactions.features import Kind, write_features
from engage_pipeline.interactions.profile import write_profile
from engage_pipeline.interactions.similarity import similar_authors
from engage_pipeline.making import making, published
from engage_pipeline.manifests import Manifest
from engage_pipeline.resources import Pipeline


class Counts(TypedDict):
    """What every row's features are joined from."""

    training_counts: Path
    similarity: Path
    validation_counts: Path


def open_counts(store: ArtifactStore) -> Counts:
    """The published counters and the similarity graph, checked."""
    return {
        "training_counts": store.open("interaction_counts").directory(),
        "similarity": store.open("author_similarity").path("similar_authors.parquet"),
        "validation_counts": store.open("validation_counts").directory(),
    }


@pipeline_asset(kinds={"duckdb", "parquet"})
def interaction_counts(pipeline: Pipeline) -> dg.MaterializeResult:
    """How many training rows with each engagement share a pair, author, viewer, viewer and language, or viewer and
    hashtag: by engagement day and in total, recounted in one pass over the narrow columns of all parts."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> Shown:
        tweets = store.part_paths("interaction_counts", "tweets.parquet")
        draft.facts |= count_training(tweets, draft.directory, store.settings)
        draft.rows = draft.facts["rows"]
        days = pq.read_table(draft.path("days.parquet"))
        return {"label rates": plots.label_rates_by_day({name: days[name].to_pylist() for name in days.column_names})}

    return make_one(store, "interaction_counts", make)


@pipeline_asset(kinds={"scipy", "parquet"})
def author_similarity(pipeline: Pipeline) -> dg.MaterializeResult:
    """Authors with shared followers: Jaccard similarity of the follower sets, the best few of each author."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> Shown:
        settings = store.settings
        draft.facts |= similar_authors(
            store.part_paths("author_similarity", "tweets.parquet"),
            draft.path("similar_authors.parquet"),
            top_n=settings.authors_similarity_top_N,
            threshold=settings.authors_similarity_threshold,
            settings=settings,
        )
        draft.rows = draft.facts["edges"]
        return {"similar authors per author": plots.similarity_degrees(draft.facts["degrees"])}

    return make_one(store, "author_similarity", make)


@pipeline_asset(kinds={"sklearn", "parquet"}, schema=communities.SCHEMA)
def user_communities(pipeline: Pipeline) -> dg.MaterializeResult:
    """Communities of users, as authors and as viewers: clusters of who is shown whom, found without any label."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> Shown:
        counts = store.open("interaction_counts").directory()
        draft.facts |= communities.find_communities(counts, draft.path(communities.COMMUNITIES), store.settings)
        draft.rows = draft.facts["users"]
        png = plots.cluster_shares(draft.facts["shares"], title="Users by community", cluster="community")
        return {"users by community": png}

    return make_one(store, "user_communities", make)


@pipeline_asset(kinds={"duckdb", "parquet"})
def validation_counts(pipeline: Pipeline) -> dg.MaterializeResult:
    """The counters of the validation window, by chunk and in total over the fine-tuning rows, and over every labelled
    row for the test rows; with the rows that had no engagement at all."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets = [store.open("validation_tweets").path("tweets.parquet")]
        draft.facts |= count_validation(tweets, draft.directory, store.settings)
        draft.rows = draft.facts["rows"]

    return make_one(store, "validation_counts", make)


def _write_rows(store: ArtifactStore, draft: Draft, tweets: Path, name: str, kind: Kind, counts: Counts) -> int:
    """Writes the rows `<name>.parquet` and their profile `<name>.profile.parquet`; returns how many."""
    features = draft.path(f"{name}.parquet")
    rows = write_features(tweets, features, kind=kind, settings=store.settings, **counts)
    require_schema(features, schema.feature_schema(labelled=kind != "test", validation=kind == "validation"))
    write_profile(features, draft.path(f"{name}.profile.parquet"), store.settings)
    return rows


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=True))
def interaction_features(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """The rows of one training part as a model reads them: counters without the row's own day, similar authors, the
    validation window's counters, profile numbers, flags, tokens and labels."""
    with user_errors():
        store = pipeline.store()

    def make(key: str) -> Manifest:
        with making(store, "interaction_features", key) as draft:
            tweets = store.open("tweet_parts", key).path("tweets.parquet")
            draft.rows = _write_rows(store, draft, tweets, "features", "training", open_counts(store))
        return published(draft)

    return make_parts(context, "interaction_features", make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=True, validation=True))
def validation_features(pipeline: Pipeline) -> dg.MaterializeResult:
    """The validation rows as a model reads them; a fine-tuning row is counted without its own chunk."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets = store.open("validation_tweets").path("tweets.parquet")
        draft.rows = _write_rows(store, draft, tweets, "features", "validation", open_counts(store))

    return make_one(store, "validation_features", make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=False))
def test_features(pipeline: Pipeline) -> dg.MaterializeResult:
    """The test rows as a model reads them, a file a part, in the order of their lines."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets = store.open("test_tweets")
        counts = open_counts(store)
        draft.rows = sum(
            _write_rows(store, draft, tweets.path(f"{part}.parquet"), part, "test", counts)
            for part in tweets.manifest.facts["parts"]
        )

    return make_one(store, "test_features", make)
