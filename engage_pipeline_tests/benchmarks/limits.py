"""The limits of stages: what reading alone or the products of matrices alone would take of one core."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline_tests.benchmarks.stages.language import wide_encoder
from engage_pipeline_tests.benchmarks.stages.networks import wide_folder
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

READ_BYTES = 1 << 20
MATRIX, PRODUCTS = 2048, 4
"""Edge of the square matrices, and how often they are multiplied before rows are counted."""
FOLLOWED_COLUMNS = ("engaged_with_user_id", "engaging_user_id", "engagee_follows_engager")
COUNTED_COLUMNS = (
    schema.ENGAGEMENT_DAY,
    "engaged_with_user_id",
    "engaging_user_id",
    "language",
    "hashtags",
    *(schema.engagement_timestamp(engagement) for engagement in schema.ENGAGEMENTS),
)
ALL_COLUMNS = (schema.LINE_NUMBER, *schema.COLUMN_NAMES, schema.ENGAGEMENT_DAY)


@contextmanager
def read_raw(world: World) -> Iterator[Work]:
    """The bytes of the part, read and dropped."""
    rows = pq.read_metadata(_tweets(world)).num_rows

    def work() -> Done:
        with world.source("tweet_parts").open("rb", buffering=0) as file:
            while file.read(READ_BYTES):
                pass
        return Done(rows)

    yield work


def _scan(columns: tuple[str, ...], world: World) -> AbstractContextManager[Work]:
    """Columns of the tweets, read from Parquet and dropped."""
    return _scan_of(columns, _tweets, world)


def _scan_graph(graph: str, world: World) -> AbstractContextManager[Work]:
    return _scan_of(FOLLOWED_COLUMNS, lambda world: world.folder / f"similarity_{graph}" / "tweets.parquet", world)


@contextmanager
def _scan_of(columns: tuple[str, ...], path: Callable[[World], Path], world: World) -> Iterator[Work]:
    tweets = path(world)

    def work() -> Done:
        with pq.ParquetFile(tweets) as file:
            return Done(sum(batch.num_rows for batch in file.iter_batches(columns=list(columns))))

    yield work


def _tweets(world: World) -> Path:
    return world.store.open("tweet_parts", PART).path("tweets.parquet")


@contextmanager
def _products(operations: Callable[[World], float], world: World) -> Iterator[Work]:
    """torch.mm, in bf16 where the processor is fast at it: as many rows as its operations would do."""
    import torch

    from engage_pipeline.machine.precision import resolve_precision

    precision = resolve_precision("auto", torch.device("cpu"))
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(MATRIX, MATRIX).to(kind) for _ in range(2))
    a_row = operations(world)

    def work() -> Done:
        for _ in range(PRODUCTS):
            torch.mm(left, right)
        return Done(round(PRODUCTS * 2 * MATRIX**3 / a_row))

    yield work


def _network_operations(training: bool, world: World) -> float:
    """Of one row of the full network. Back from the outputs every matrix is used twice, but the known input's, which
    has no gradient, once."""
    from engage_pipeline.model.network.network_files import load_network

    network = load_network(wide_folder(world, "auto"))
    linear = {name: weight.numel() for name, weight in network.named_parameters() if weight.ndim == 2}
    products = sum(size for name, size in linear.items() if not name.startswith(("language", "hour", "day")))
    return 2.0 * (3 * products - linear["first_known.weight"] if training else products)


def _demo_encoder_operations(world: World) -> float:
    return _encoder_operations(world.store.open("finetuned_encoder").directory(), world)


def _wide_encoder_operations(world: World) -> float:
    return _encoder_operations(wide_encoder(world)[1], world)


def _encoder_operations(folder: Path, world: World) -> float:
    """Of one tweet of mean length: four projections and two layers four times as wide, and the attention."""
    from transformers import AutoConfig

    from engage_pipeline.language.ragged import TokenLists
    from engage_pipeline.language.tweets import distinct_tweets

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    tweets = world.store.part_paths("token_sketches", "tweets.parquet")
    table = distinct_tweets(tweets, max_tweets=10_000, settings=world.store.settings)
    lengths = TokenLists.of_table(table, world.store.settings.encoder.max_tokens).lengths.tolist()
    dim, layers = config.dim, config.n_layers
    return sum(layers * n * (24 * dim**2 + 4 * n * dim) for n in lengths) / len(lengths)


LIMITS: dict[str, tuple[str, Stage]] = {
    "ingest": ("reading the file", read_raw),
    "interaction_counts": ("Parquet scan", partial(_scan, COUNTED_COLUMNS)),
    "author_similarity": ("Parquet scan", partial(_scan, FOLLOWED_COLUMNS)),
    "similarity_24000": ("Parquet scan", partial(_scan_graph, "24000")),
    "similarity_10m": ("Parquet scan", partial(_scan_graph, "10m")),
    "similarity_hub": ("Parquet scan", partial(_scan_graph, "hub")),
    "interaction_features": ("Parquet scan", partial(_scan, ALL_COLUMNS)),
    "token_sketches": ("gemm", partial(_products, _demo_encoder_operations)),
    "token_sketches_768": ("gemm", partial(_products, _wide_encoder_operations)),
    "network_1500": ("gemm", partial(_products, partial(_network_operations, True))),
    "score_1500": ("gemm", partial(_products, partial(_network_operations, False))),
}
"""By stage: what the limit is called, and its stage."""
