"""Fine-tuning: finetuned_network is the pretrained network trained on the rows of the validation part.

It is trained twice: on fine-tuning rows only, to be compared with other models, and on all rows, to predict. For the
blend it is also trained without each of a few folds of the fine-tuning rows, which it then scores.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model import validation_roles
from engage_pipeline.model.network.buffer import RowBuffer
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_files import load_network, save_network
from engage_pipeline.model.network.processes import train_in_processes
from engage_pipeline.model.network.rows import Rule
from engage_pipeline.model.network.schedule import decaying, repeated
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.model.out_of_fold import OutOfFold
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.tracked import tracking, untracked


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
    accelerator = make_accelerator(settings.engine.device)
    learning = validation_roles.fine_tunes

    def train(
        rule: Rule, folder: Path, *prefixes: str, tracked: bool = True
    ) -> tuple[EngagementNetwork, dict[str, Any]]:
        network = load_network(pretrained)
        plan = finetuning_plan(features, network, settings, rule)
        inputs = InputBuilder.of(network, codes, accelerator.device)
        folder.mkdir(exist_ok=True)
        kind = "" if folder == workspace else folder.name
        track = tracking(settings, "finetuned_network", workspace.name, kind=kind) if tracked else untracked
        facts = TrainingRun(network, inputs, plan, settings.network, folder, accelerator, track).run()
        for prefix in prefixes if accelerator.is_main_process else ():
            save_network(network, output, prefix)
        return network, facts

    if settings.refit:
        _, facts = train(learning, workspace, DECIDED)
        train(validation_roles.all_rows, workspace / "all-rows", "")
    else:
        _, facts = train(learning, workspace, DECIDED, "")
    if settings.trees.enabled:
        scored = [OutOfFold(np.zeros(0, np.int64), np.zeros((0, len(schema.TARGETS)), np.float32))]
        for fold in _folds(features, settings):
            network, _ = train(fold.others, workspace / f"without-fold-{fold.number}", tracked=False)
            if accelerator.is_main_process:
                scorer = NetworkScorer(network, codes, settings.engine.device)
                pieces = [scorer.logits_of(rows) for rows in scorer.reader.stream(features, rule=fold.own)]
                scored.append(OutOfFold(fold.rows, np.concatenate(pieces)))
        if accelerator.is_main_process:
            OutOfFold.of(*map(np.concatenate, zip(*scored, strict=True))).write(output)
    if accelerator.is_main_process:
        networks = {"before": (pretrained, ""), "after": (output, DECIDED)}
        facts["holdout"] = _holdout_scores(networks, features, codes, settings)
    return facts


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


def finetuning_plan(features: Path, network: EngagementNetwork, settings: Settings, rule: Rule) -> TrainingPlan:
    """Returns passes over the validation rows that `rule` chooses. Raises UserError if there are none."""
    chosen, seed = settings.network, settings.seed + 1
    stretches = repeated("pass", features, rule, max(chosen.finetuning_epochs, 1), seed)
    if not stretches:
        raise UserError(f"{features}: no fine-tuning rows")
    return TrainingPlan(
        "finetuned_network",
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
