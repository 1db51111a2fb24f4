"""Assets of the interactions stage: counters, author similarity, and the rows that a model reads."""

import dagster as dg
import pyarrow.parquet as pq

from engage_pipeline import plots, schema
from engage_pipeline.ingest.facts import SeveralPartsFacts
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.facts import CommunityFacts, CountFacts, SimilarityFacts
from engage_pipeline.interactions.features.part_publishing import part_publisher, write_parts
from engage_pipeline.interactions.graphs import communities
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown, make_one, make_parts, parts_of_run, user_errors
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.store import Draft


@pipeline_asset(kinds={"duckdb", "parquet"})
def interaction_counts(pipeline: Pipeline) -> dg.MaterializeResult:
    """How many training rows with each engagement share a pair, author, viewer, viewer and language, or viewer and
    hashtag: by engagement day and in total, recounted in one pass over the narrow columns of all parts."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> Shown:
        tweets = store.part_paths("interaction_counts", "tweets.parquet")
        facts = CountFacts(**count_training(tweets, draft.directory, store.settings))
        draft.record(facts)
        draft.rows = facts.rows
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
        found = similar_authors(
            store.part_paths("author_similarity", "tweets.parquet"),
            draft.path("similar_authors.parquet"),
            top_n=settings.authors_similarity_top_N,
            threshold=settings.authors_similarity_threshold,
            settings=settings,
        )
        facts = SimilarityFacts(**found)
        draft.record(facts)
        draft.rows = facts.edges
        return {"similar authors per author": plots.similarity_degrees(facts.degrees)}

    return make_one(store, "author_similarity", make)


@pipeline_asset(kinds={"sklearn", "parquet"}, schema=communities.SCHEMA)
def user_communities(pipeline: Pipeline) -> dg.MaterializeResult:
    """Communities of users, as authors and as viewers: clusters of who is shown whom, found without any label.
    None where no feature family that is on reads them."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> Shown:
        if not store.settings.features.communities:
            pq.write_table(communities.SCHEMA.empty_table(), draft.path(communities.COMMUNITIES))
            draft.record(CommunityFacts(communities=0, why="no family of features.families reads communities"))
            draft.rows = 0
            return {}
        counts = store.open("interaction_counts").directory()
        found = communities.find_communities(counts, draft.path(communities.COMMUNITIES), store.settings)
        facts = CommunityFacts(**found)
        draft.record(facts)
        draft.rows = facts.users
        png = plots.cluster_shares(facts.shares, title="Users by community", cluster="community")
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
        facts = CountFacts(**count_validation(tweets, draft.directory, store.settings))
        draft.record(facts)
        draft.rows = facts.rows

    return make_one(store, "validation_counts", make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=True))
def interaction_features(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """The rows of one training part as a model reads them: counters without the row's own day, similar authors, the
    validation window's counters, profile numbers, flags, tokens and labels."""
    with user_errors():
        store = pipeline.store()
        parts = parts_of_run(context, store)
        make = part_publisher(store, parts.keys)
    return make_parts(context, "interaction_features", parts, make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=True, validation=True))
def validation_features(pipeline: Pipeline) -> dg.MaterializeResult:
    """The validation rows as a model reads them; a fine-tuning row is counted without its own chunk."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets = store.open("validation_tweets").path("tweets.parquet")
        draft.rows = write_parts(store, [(tweets, draft.path("features.parquet"))], "validation")

    return make_one(store, "validation_features", make)


@pipeline_asset(kinds={"duckdb", "parquet"}, schema=schema.feature_schema(labelled=False))
def test_features(pipeline: Pipeline) -> dg.MaterializeResult:
    """The test rows as a model reads them, a file a part, in the order of their lines."""
    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets = store.open("test_tweets")
        names = [f"{part}.parquet" for part in SeveralPartsFacts.read(tweets.manifest).parts]
        draft.rows = write_parts(store, [(tweets.path(name), draft.path(name)) for name in names], "test")

    return make_one(store, "test_features", make)
