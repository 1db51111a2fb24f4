"""Stages from raw test rows to results.csv, with the demo's model and with one of the full size."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store import promoted_counters
from engage_pipeline_tests.benchmarks.stages.networks import wide_folder, wide_inputs, wide_settings
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import World

TREE_ROWS = 16_384
"""At most so many rows train the trees of the full model: how fast they predict does not depend on it."""

ONE_BY_ONE, WARM_UP = 500, 5


def _predict(quarter: bool, world: World) -> AbstractContextManager[Work]:
    """Raw test parts to results.csv, opening the model included."""
    from engage_pipeline.submission import predict as submission

    @contextmanager
    def stage() -> Iterator[Work]:
        output, part = world.folder / "results.csv", world.test_part(quarter=quarter)
        yield lambda: Done(submission.predict([part], output, world.store.settings, threads=world.threads).rows)

    return stage()


def _published_settings(world: World) -> Settings:
    """Those of the full model, whose trees see few rows."""
    return wide_settings(world).model_copy(update={"trees": world.settings(trees={"max_rows": TREE_ROWS}).trees})


@contextmanager
def wide_model(world: World) -> Iterator[Work]:
    """Publishes a model with networks of the full size in place of the demo's: the one that was trained, in each place.

    Its blend is that of the demo's fine-tuned network, whose logits of validation rows stay.
    """
    from engage_pipeline.model.bundle import build_bundle
    from engage_pipeline.model.effects.columns import read_columns
    from engage_pipeline.model.network.scoring import NetworkScorer
    from engage_pipeline.model.out_of_fold import OUT_OF_FOLD
    from engage_pipeline.model.promotion.promotion import copy_files
    from engage_pipeline.model.trees.training import train_trees
    from engage_pipeline.store.store import ArtifactStore

    settings = _published_settings(world)
    store, (features_drawn, codes) = ArtifactStore(settings), wide_inputs(world)
    network, features = wide_folder(world, "auto"), store.open("validation_features").path("features.parquet")

    def work() -> Done:
        with store.publish("emde_sketches") as draft:
            shutil.copyfile(features_drawn.with_name("codes.parquet"), draft.path("codes.parquet"))
        logits = world.store.open("finetuned_network").path(OUT_OF_FOLD)
        with store.publish("pretrained_network") as draft:
            _copy(network, draft.directory)
        with store.publish("finetuned_network") as draft:
            for prefix in ("", DECIDED):
                _copy(network, draft.directory, prefix)
            shutil.copyfile(logits, draft.path(OUT_OF_FOLD))
        effects = store.open("engagement_effects").directory()
        with store.publish("engagement_trees") as draft:
            scorer = NetworkScorer.load(network, codes, threads=world.threads)
            train_trees(features, scorer, read_columns(effects), draft.directory, settings)
        with store.publish("candidate_model") as draft:
            build_bundle(
                draft.directory,
                pretrained=network,
                finetuned=store.open("finetuned_network").directory(),
                effects=effects,
                trees=store.open("engagement_trees").directory(),
                features=features,
                codes_path=store.open("emde_sketches").path("codes.parquet"),
                settings=settings,
            )
        with store.publish("trained_model") as draft:
            copy_files(store.open("candidate_model"), draft)
            draft.record(promoted_counters.published_now(store))
        return Done(0)

    yield work


def _copy(network: Path, output: Path, prefix: str = "") -> None:
    for path in network.glob("network.*"):
        shutil.copyfile(path, output / f"{prefix}{path.name}")


@contextmanager
def predict_1500(world: World) -> Iterator[Work]:
    """The same with networks of the full size: hidden 1500, sketch 20 x 256."""
    from engage_pipeline.submission import predict as submission

    output, settings = world.folder / "results_1500.csv", _published_settings(world)
    part = world.test_part(quarter=True)
    yield lambda: Done(submission.predict([part], output, settings, threads=world.threads).rows)


def _one_row(settings_of: Callable[[World], Settings], world: World) -> AbstractContextManager[Work]:
    """Raw rows to probabilities one after the other, as a service is asked for them; opening is not counted."""
    from engage_pipeline.machine.threads import limited_threads
    from engage_pipeline.submission.predictor import Predictor

    @contextmanager
    def stage() -> Iterator[Work]:
        with limited_threads(world.threads), world.test_part(quarter=True).open("rb") as file:
            lines = list(islice(file, ONE_BY_ONE))
            predictor = Predictor.open(settings_of(world), threads=world.threads)
            for line in lines[:WARM_UP]:
                predictor.predict(line)

            def work() -> Done:
                return Done(len([predictor.predict(line) for line in lines]))

            yield work

    return stage()


STAGES: dict[str, Stage] = {
    "predict_quarter": partial(_predict, True),
    "predict": partial(_predict, False),
    "one_row": partial(_one_row, lambda world: world.store.settings),
    "wide_model": wide_model,
    "predict_1500": predict_1500,
    "one_row_1500": partial(_one_row, _published_settings),
}
