"""Assets of the interactions stage: counters, author similarity, and the rows that a model reads."""

from collections.abc import Sequence
from functools import partial

import pyarrow.parquet as pq

from engage_pipeline import plots, schema
from engage_pipeline.ingest.facts import SeveralPartsFacts
from engage_pipeline.ingest.side_files import DAYS
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.facts import CommunityFacts, CountFacts, SimilarityFacts
from engage_pipeline.interactions.features.part_publishing import publish_parts, write_parts
from engage_pipeline.interactions.graphs import communities
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS, similar_authors
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.settings.families import COUNTER_FAMILIES
from engage_pipeline.store.file_names import FEATURES, TWEETS
from engage_pipeline.store.measured import PartResult
from engage_pipeline.store.store import ArtifactStore, Draft

_columns = partial(schema.feature_schema, families=COUNTER_FAMILIES)
"""The columns of a table of features with every family on."""


@pipeline_asset(kinds={"numpy", "arrow"})
def interaction_counts(store: ArtifactStore, draft: Draft) -> Shown:
    """How many training rows with each engagement share a pair, author, viewer, viewer and language, or viewer and
    hashtag; and the rows as numbers, by viewer and by author, from which a row's own day is left out."""
    tweets = store.part_paths("interaction_counts", TWEETS)
    facts = CountFacts(**count_training(tweets, draft.directory, store.settings))
    draft.record(facts, rows=facts.rows)
    days = pq.read_table(draft.path(DAYS))
    return {"label rates": plots.label_rates_by_day({name: days[name].to_pylist() for name in days.column_names})}


@pipeline_asset(kinds={"scipy", "parquet"})
def author_similarity(store: ArtifactStore, draft: Draft) -> Shown:
    """Authors with shared followers: Jaccard similarity of the follower sets, the best few of each author."""
    found = similar_authors(
        store.part_paths("author_similarity", TWEETS),
        draft.path(SIMILAR_AUTHORS),
        top_n=store.settings.authors_similarity_top_N,
        threshold=store.settings.authors_similarity_threshold,
        settings=store.settings,
    )
    facts = SimilarityFacts(**found)
    draft.record(facts, rows=facts.edges)
    return {"similar authors per author": plots.similarity_degrees(facts.degrees)}


@pipeline_asset(kinds={"sklearn", "parquet"}, schema=communities.SCHEMA)
def user_communities(store: ArtifactStore, draft: Draft) -> Shown:
    """Communities of users, as authors and as viewers: clusters of who is shown whom, found without any label.
    None where no feature family that is on reads them."""
    output = draft.path(communities.COMMUNITIES)
    if not store.settings.features.communities:
        pq.write_table(communities.SCHEMA.empty_table(), output)
        draft.record(CommunityFacts(communities=0, why="no family of features.families reads communities"), rows=0)
        return {}
    counts = store.open("interaction_counts").directory()
    facts = CommunityFacts(**communities.find_communities(counts, output, store.settings))
    draft.record(facts, rows=facts.users)
    return {
        "users by community": plots.cluster_shares(facts.shares, title="Users by community", cluster="community"),
    }


@pipeline_asset(kinds={"numpy", "arrow"})
def validation_counts(store: ArtifactStore, draft: Draft) -> None:
    """The counters of the validation window: over the fine-tuning rows, over each chunk of them, and over every
    labelled row for the test rows; with the rows that had no engagement at all."""
    tweets = [store.open("validation_tweets").path(TWEETS)]
    facts = CountFacts(**count_validation(tweets, draft.directory, store.settings))
    draft.record(facts, rows=facts.rows)


@pipeline_asset(kinds={"numpy", "parquet"}, schema=_columns(labelled=True))
def interaction_features(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """The rows of one training part as a model reads them: counters without the row's own day, similar authors, the
    validation window's counters, profile numbers, flags and labels; the tweets beside them, for token ids."""
    return publish_parts(store, keys)


@pipeline_asset(kinds={"numpy", "parquet"}, schema=_columns(labelled=True, validation=True))
def validation_features(store: ArtifactStore, draft: Draft) -> None:
    """The validation rows as a model reads them; a fine-tuning row is counted without its own chunk."""
    tweets = store.open("validation_tweets").path(TWEETS)
    draft.rows = write_parts(store, [(tweets, draft.path(FEATURES))], "validation")


@pipeline_asset(kinds={"numpy", "parquet"}, schema=_columns(labelled=False))
def test_features(store: ArtifactStore, draft: Draft) -> None:
    """The test rows as a model reads them, a file a part, in the order of their lines."""
    tweets = store.open("test_tweets")
    names = [f"{part}.parquet" for part in SeveralPartsFacts.read(tweets.manifest).parts]
    draft.rows = write_parts(store, [(tweets.path(name), draft.path(name)) for name in names], "test")
