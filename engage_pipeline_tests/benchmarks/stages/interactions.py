"""Stages of the interactions: counters, similar authors, communities, features."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.facts import CountFacts
from engage_pipeline.interactions.features.windows import Kind
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.communities import COMMUNITIES, find_communities
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS, similar_authors
from engage_pipeline.model.compiled_ahead import hash_a_text, look_for_similar, look_up_counts
from engage_pipeline_tests.benchmarks.graphs import GRAPHS, write_graph
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World


@contextmanager
def interaction_counts(world: World) -> Iterator[Work]:
    """Counters of the training rows."""
    hash_a_text()  # imports and compiled loops are not measured

    with world.store.publish("interaction_counts") as draft:
        tweets = world.store.part_paths("interaction_counts", "tweets.parquet")

        def work() -> Done:
            facts = CountFacts(**count_training(tweets, draft.directory, world.store.settings))
            draft.record(facts)
            return Done(facts.rows)

        yield work


@contextmanager
def validation_counts(world: World) -> Iterator[Work]:
    """Counters of the validation rows."""
    hash_a_text()

    with world.store.publish("validation_counts") as draft:
        tweets = [world.store.open("validation_tweets").path("tweets.parquet")]

        def work() -> Done:
            facts = CountFacts(**count_validation(tweets, draft.directory, world.store.settings))
            draft.record(facts)
            return Done(facts.rows)

        yield work


@contextmanager
def author_similarity(world: World) -> Iterator[Work]:
    """Similar authors; its rows are the training rows whose followers it reads."""
    _import_similarity()

    with world.store.publish("author_similarity") as draft:
        tweets = world.store.part_paths("author_similarity", "tweets.parquet")
        rows = sum(pq.read_metadata(path).num_rows for path in tweets)
        yield lambda: Done(rows, compute_similarity(world, tweets, draft.path(SIMILAR_AUTHORS)))


def _similarity_of(graph: str, world: World) -> AbstractContextManager[Work]:
    _import_similarity()

    @contextmanager
    def stage() -> Iterator[Work]:
        folder = world.folder / f"similarity_{graph}"
        folder.mkdir()
        tweets = folder / "tweets.parquet"
        edges = write_graph(GRAPHS[graph], tweets)
        _ = world.store.settings  # read before the clock starts, as for other stages
        yield lambda: Done(edges, compute_similarity(world, [tweets], folder / SIMILAR_AUTHORS))

    return stage()


def _import_similarity() -> None:
    """What the first search for similar authors imports, and its compiled loop, so that they are not measured."""
    import scipy.sparse  # noqa: F401

    hash_a_text()
    look_for_similar()


def compute_similarity(world: World, tweets: list[Path], output: Path) -> dict[str, float]:
    """Writes the similar authors of the follows in `tweets` as the world's settings say."""
    settings = world.store.settings
    facts = similar_authors(
        tweets,
        output,
        top_n=settings.authors_similarity_top_N,
        threshold=settings.authors_similarity_threshold,
        settings=settings,
    )
    return {name: facts[name] for name in ("authors", "follows", "edges")}


@contextmanager
def user_communities(world: World) -> Iterator[Work]:
    """Communities; its rows are the users."""
    with world.store.publish("user_communities") as draft:
        counts = world.store.open("interaction_counts").directory()
        output = draft.path(COMMUNITIES)
        yield lambda: Done(find_communities(counts, output, world.store.settings)["users"])


def _features(name: str, key: str | None, tweets_of: str, kind: Kind, world: World) -> AbstractContextManager[Work]:
    hash_a_text()
    look_up_counts()

    @contextmanager
    def stage() -> Iterator[Work]:
        store = world.store
        with store.publish(name, key) as draft:
            tweets = store.open(tweets_of, key).path("tweets.parquet")
            work = partial(
                write_features,
                tweets,
                draft.path("features.parquet"),
                kind=kind,
                settings=store.settings,
                training_counts=store.open("interaction_counts").directory(),
                similarity=store.open("author_similarity").directory(),
                validation_counts=store.open("validation_counts").directory(),
            )
            yield lambda: Done(work())

    return stage()


STAGES: dict[str, Stage] = {
    "interaction_counts": interaction_counts,
    "author_similarity": author_similarity,
    "similarity_24000": partial(_similarity_of, "24000"),
    "similarity_10m": partial(_similarity_of, "10m"),
    "similarity_hub": partial(_similarity_of, "hub"),
    "validation_counts": validation_counts,
    "interaction_features": partial(_features, "interaction_features", PART, "tweet_parts", "training"),
    "validation_features": partial(_features, "validation_features", None, "validation_tweets", "validation"),
    "user_communities": user_communities,
}
