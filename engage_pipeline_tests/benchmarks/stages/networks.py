"""Stages that train networks: the demo's, and one of the full size in both precisions."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.files.parquet import rows_at
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.benchmarks.stages.language import read_codes, read_languages
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

WIDE_ROWS = 32_768
"""At most so many rows train the network of the full size, for one epoch: it is slow, and its speed is steady."""
JUDGED_ROWS = 16_384
"""At most so many validation rows tell its loss."""


@contextmanager
def network_demo(world: World) -> Iterator[Work]:
    """The demo's network (hidden 256, three members, no sketches) on the training rows; every pass counts its rows."""
    from engage_pipeline.model.network.pretraining import pretrain_network

    store = world.store
    with store.publish("pretrained_network") as draft, store.workspace("pretrained_network") as workspace:
        features = store.part_paths("pretrained_network", "features.parquet", "interaction_features")
        codes, languages = read_codes(world), read_languages(world)

        def work() -> Done:
            facts = pretrain_network(features, codes, languages, draft.directory, workspace, store.settings)
            return Done(facts["rows"])

        yield work


@contextmanager
def finetuned_network(world: World) -> Iterator[Work]:
    """The demo's network trained further on the validation rows."""
    from engage_pipeline.model.network.finetuning import finetune_network

    store = world.store
    with store.publish("finetuned_network") as draft, store.workspace("finetuned_network") as workspace:
        pretrained = store.open("pretrained_network").directory()
        features = store.open("validation_features").path("features.parquet")
        codes = read_codes(world)

        def work() -> Done:
            return Done(
                finetune_network(pretrained, features, codes, draft.directory, workspace, store.settings)["rows"]
            )

        yield work


def wide_settings(world: World, precision: str = "auto") -> Settings:
    """The reference's network in full (hidden 1500, sketch 20 x 256), batch 512, one pass."""
    chosen = {"architecture": "residual", "hidden_size": 1500, "epochs": 1, "precision": precision}
    return world.settings("default", network=chosen)


def wide_inputs(world: World) -> tuple[Path, np.ndarray]:
    """At most WIDE_ROWS training rows, drawn at random, and codes of the full size: made by the first who asks."""
    from engage_pipeline.language.codes import load_codes
    from engage_pipeline.language.emde import code_tokens

    folder = world.folder / "wide"
    features = folder / "features.parquet"
    if not folder.exists():
        folder.mkdir()
        vectors = world.store.open("token_sketches").path("token_vectors.parquet")
        code_tokens(vectors, folder, wide_settings(world))
        _draw(world.store.open("interaction_features", PART).path("features.parquet"), features, WIDE_ROWS)
    return features, load_codes(folder / "codes.parquet")


def _draw(source: Path, output: Path, most: int) -> None:
    """Writes at most so many rows of `source`, in its order."""
    with FeatureFile(source) as file:
        rows = file.metadata.num_rows
        chosen = np.sort(np.random.default_rng(1).choice(rows, min(most, rows), replace=False))
        pq.write_table(pa.concat_tables(rows_at(file, chosen, JUDGED_ROWS)), output)


def _network_1500(precision: str, world: World) -> AbstractContextManager[Work]:
    """Trains it and keeps it, with the sketch of the full size. How well it does is told by network_loss."""
    from engage_pipeline.model.network.pretraining import pretrain_network

    @contextmanager
    def stage() -> Iterator[Work]:
        settings, folder = wide_settings(world, precision), wide_folder(world, precision)
        workspace = folder / "workspace"
        workspace.mkdir(parents=True)
        features, codes = wide_inputs(world)
        languages = read_languages(world)
        yield lambda: Done(pretrain_network([features], codes, languages, folder, workspace, settings)["rows"])
        shutil.rmtree(workspace)

    return stage()


def wide_folder(world: World, precision: str) -> Path:
    """Where the full network of that precision is."""
    return world.folder / f"network_1500_{precision}"


@contextmanager
def network_loss(world: World) -> Iterator[Work]:
    """Log loss (nats, mean of the engagements) of both full networks on validation rows, each in its own precision."""
    from engage_pipeline.model.network.scoring import NetworkScorer
    from engage_pipeline.numerics.logistic import log_losses

    _, codes = wide_inputs(world)
    with FeatureFile(world.store.open("validation_features").path("features.parquet")) as file:
        table = file.read_row_group(0).slice(0, JUDGED_ROWS)
    labels = np.column_stack([table[target].to_numpy() for target in schema.TARGETS])

    def work() -> Done:
        losses = {}
        for precision in ("auto", "fp32"):
            scorer = NetworkScorer.load(wide_folder(world, precision), codes)
            losses[scorer.network.config.precision] = float(log_losses(scorer.logits(table), labels).mean())
        return Done(2 * len(labels), losses)

    yield work


@contextmanager
def score_1500(world: World) -> Iterator[Work]:
    """The full network's logits of rows in a table, input and all."""
    from engage_pipeline.model.network.scoring import NetworkScorer

    path, codes = wide_inputs(world)
    scorer = NetworkScorer.load(wide_folder(world, "auto"), codes)
    table = pq.read_table(path)

    def work() -> Done:
        scorer.logits(table)
        return Done(table.num_rows)

    yield work


STAGES: dict[str, Stage] = {
    "network_demo": network_demo,
    "finetuned_network": finetuned_network,
    "network_1500": partial(_network_1500, "auto"),
    "network_1500_fp32": partial(_network_1500, "fp32"),
    "network_loss": network_loss,
    "score_1500": score_1500,
}
