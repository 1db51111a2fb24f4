"""Fine-tuning: finetuned_network is the pretrained network trained on the rows of the validation part.

It is trained twice: on fine-tuning rows only, to be compared with other models, and on all rows, to predict. For the
blend it is also trained without each of a few folds of the fine-tuning rows, which it then scores. These trainings know
nothing of each other, so several run at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.machine.shares import memory_bytes, trainings_at_once
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model import validation_roles
from engage_pipeline.model.network.buffer import RowBuffer
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_files import load_network, save_network
from engage_pipeline.model.network.processes import train_in_processes
from engage_pipeline.model.network.rows import Rule
from engage_pipeline.model.network.schedule import BUFFER_ROWS, ROW_BYTES, decaying, repeated
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.model.out_of_fold import OutOfFold
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.tracked import tracking, untracked

if TYPE_CHECKING:
    from accelerate import Accelerator


def finetune_network(
    pretrained: Path, features: Path, codes: np.ndarray, output: Path, workspace: Path, settings: Settings
) -> dict[str, Any]:
    """Continues training the network in the folder `pretrained`, twice, and writes both into the folder `output`.

    `features` is the feature file of the validation rows; `validation_roles` says which of them train the network whose
    files are named DECIDED, and that all train the other, if settings.refit. With trees, the logits for the blend are
    written too (out_of_fold). Continues from a checkpoint in
    `workspace`. Returns the facts of `pretrain_network`, and `holdout`: AP and RCE of each engagement on the held-out
    rows before and after. Raises UserError in the same cases as `pretrain_network`.
    """
    arguments = pretrained, features, codes, output, workspace, settings
    return train_in_processes("finetuned_network", settings, finetune_share, *arguments)


@on_training_threads
def finetune_share(
    pretrained: Path, features: Path, codes: np.ndarray, output: Path, workspace: Path, settings: Settings
) -> dict[str, Any]:
    """Does the work of each process, and returns the facts; the first one also writes the networks and scores one."""
    accelerator, given_up = make_accelerator(settings.engine.device), Event()
    fits = _fits(features, workspace, settings)

    def train(fit: _Fit) -> tuple[dict[str, Any], OutOfFold | None]:
        torch.set_num_threads(settings.training_threads)  # which its libraries keep for each thread of Python
        network = load_network(pretrained)
        plan = finetuning_plan(features, network, settings, fit.rule, fit.kind)
        inputs = InputBuilder.of(network, codes, accelerator.device)
        fit.folder.mkdir(exist_ok=True)
        track = tracking(settings, "finetuned_network", workspace.name, kind=fit.kind) if fit.prefixes else untracked
        run = TrainingRun(network, inputs, plan, settings.network, fit.folder, accelerator, track, given_up)
        facts = run.run()
        if not accelerator.is_main_process:
            return facts, None
        for prefix in fit.prefixes:
            save_network(network, output, prefix)
        if fit.fold is None:
            return facts, None
        scorer = NetworkScorer(network, codes, settings.engine.device)
        pieces = [scorer.logits_of(rows) for rows in scorer.reader.stream(features, rule=fit.fold.own)]
        return facts, OutOfFold(fit.fold.rows, np.concatenate(pieces))

    found = list(in_order(train, fits, _at_once(fits, features, accelerator, settings), given_up))
    facts = found[0][0]
    if settings.trees.enabled and accelerator.is_main_process:
        scored = [OutOfFold(np.zeros(0, np.int64), np.zeros((0, len(schema.TARGETS)), np.float32))]
        scored += [one for _, one in found if one is not None]
        OutOfFold.of(*map(np.concatenate, zip(*scored, strict=True))).write(output)
    if accelerator.is_main_process:
        networks = {"before": (pretrained, ""), "after": (output, DECIDED)}
        facts["holdout"] = _holdout_scores(networks, features, codes, settings)
    return facts


@dataclass(frozen=True)
class _Fit:
    """A training on the rows that `rule` chooses, whose checkpoint is in `folder`: for the files that begin with
    `prefixes`, or to score the rows of `fold`. `kind` is its name among the others."""

    rule: Rule
    folder: Path
    kind: str
    prefixes: tuple[str, ...] = ()
    fold: "_Fold | None" = None


def _fits(features: Path, workspace: Path, settings: Settings) -> list[_Fit]:
    """Returns the trainings; the network of the first is compared with other models."""
    compared = (DECIDED,) if settings.refit else (DECIDED, "")
    fits = [_Fit(validation_roles.fine_tunes, workspace, "", compared)]
    if settings.refit:
        fits.append(_Fit(validation_roles.all_rows, workspace / "all-rows", "all-rows", ("",)))
    if settings.trees.enabled:
        named = {f"without-fold-{fold.number}": fold for fold in _folds(features, settings)}
        fits += [_Fit(fold.others, workspace / name, name, fold=fold) for name, fold in named.items()]
    return fits


@dataclass(frozen=True)
class _Fold:
    """Every n-th chunk of the fine-tuning rows, as the counters of a row leave out its chunk: `rows` are its positions
    in the file."""

    number: int
    count: int
    rows: np.ndarray

    def own(self, split: np.ndarray) -> np.ndarray:
        """The rule of its rows."""
        return validation_roles.fine_tunes(split) & (split % self.count == self.number)

    def others(self, split: np.ndarray) -> np.ndarray:
        """The rule of the other fine-tuning rows."""
        return validation_roles.fine_tunes(split) & (split % self.count != self.number)


def _folds(features: Path, settings: Settings) -> list[_Fold]:
    """Returns the folds that are tested; none if all fine-tuning rows are in one, so that nothing could be learned."""
    count = min(settings.trees.folds, settings.num_validation_chunks)
    split = pq.read_table(features, columns=[schema.SPLIT])[schema.SPLIT].to_numpy()
    places = np.flatnonzero(validation_roles.fine_tunes(split))
    folds = split[places] % count
    tested = validation_roles.tested_folds(folds, settings)
    return [_Fold(number, count, places[folds == number]) for number in tested if (folds != number).any()]


def _at_once(fits: Sequence[_Fit], features: Path, accelerator: "Accelerator", settings: Settings) -> int:
    """Returns how many fits run at a time: with cores for all of their threads, and rows in a quarter of
    engine.memory_limit. One with several processes, on a GPU, and with trackers, which follow one run at a time."""
    if accelerator.num_processes > 1 or accelerator.device.type != "cpu" or settings.trackers:
        return 1
    rows = min(pq.read_metadata(features).num_rows, BUFFER_ROWS)
    held = memory_bytes(settings.engine.memory_limit) // 4 // (ROW_BYTES * max(rows, 1))
    return max(1, min(trainings_at_once(settings), held, len(fits)))


def finetuning_plan(
    features: Path, network: EngagementNetwork, settings: Settings, rule: Rule, kind: str = ""
) -> TrainingPlan:
    """Returns passes over the validation rows that `rule` chooses; `kind` tells one training from the others. Raises
    UserError if there are none."""
    chosen, seed = settings.network, settings.seed + 1
    stretches = repeated("pass", features, rule, max(chosen.finetuning_epochs, 1), seed)
    if not stretches:
        raise UserError(f"{features}: no fine-tuning rows")
    return TrainingPlan(
        f"finetuned_network {kind}".rstrip(),
        stretches if chosen.finetuning_epochs else [],
        decaying(chosen.finetuning_learning_rate or chosen.learning_rate, chosen.finetuning_decay),
        RowBuffer(network.reader, rule).rows,
        seed,
    )


def _holdout_scores(
    networks: dict[str, tuple[Path, str]], features: Path, codes: np.ndarray, settings: Settings
) -> dict[str, Any]:
    """Returns AP and RCE of each engagement on the held-out rows; None if all labels are the same.

    `networks` are folders, each with the prefix of its files.
    """
    scores: dict[str, Any] = {}
    for name, (folder, prefix) in networks.items():
        scorer = NetworkScorer.load(folder, codes, prefix=prefix, device=settings.engine.device)
        logits, labels = [np.empty((0, len(schema.TARGETS)))], [np.empty((0, len(schema.TARGETS)), np.bool_)]
        for rows in scorer.reader.stream(features, rule=validation_roles.held_out):
            logits.append(scorer.logits_of(rows).astype(np.float64))
            labels.append(rows.labels)
        probabilities, truth = sigmoid(np.concatenate(logits)), np.concatenate(labels)
        scores[name] = {
            target: _scores(truth[:, place], probabilities[:, place]) for place, target in enumerate(schema.TARGETS)
        }
    return scores


def _scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    if labels.all() or not labels.any():
        return {"ap": None, "rce": None}
    return {
        "ap": metrics.average_precision(labels, probabilities),
        "rce": metrics.relative_cross_entropy(labels, probabilities),
    }
