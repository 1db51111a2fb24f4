"""Fine-tuning: finetuned_network is the pretrained network trained on the fine-tuning rows of the validation part."""

from pathlib import Path
from typing import Any

import numpy as np

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model import validation_roles
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network_files import load_network, save_network
from engage_pipeline.model.network.processes import train_in_processes
from engage_pipeline.model.network.rows import Rows, read_columns, read_rows
from engage_pipeline.model.network.schedule import decaying, repeated
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.settings.settings import Settings


def finetune_network(
    pretrained: Path, features: Path, codes: np.ndarray, output: Path, workspace: Path, settings: Settings
) -> dict[str, Any]:
    """Continues training the network in the folder `pretrained` and writes it into the folder `output`.

    `features` is the feature file of the validation rows; `finetuning_rows` chooses those to train on. Continues from
    a checkpoint in `workspace`. Returns the facts of `pretrain_network`, and `holdout`: AP and RCE of each engagement
    on the held-out rows before and after. Raises UserError in the same cases as `pretrain_network`.
    """
    arguments = pretrained, features, codes, output, workspace, settings
    return train_in_processes("finetuned_network", settings.network.processes, _finetune, *arguments)


@on_training_threads
def _finetune(
    pretrained: Path, features: Path, codes: np.ndarray, output: Path, workspace: Path, settings: Settings
) -> dict[str, Any]:
    """The work of each process; the main one also writes the network and scores it."""
    accelerator = make_accelerator()
    network = load_network(pretrained)
    config = network.config
    plan = _plan(finetuning_rows(features, config.languages, settings, config.further_counters), settings)
    inputs = InputBuilder(codes, network.config.sketch_width, accelerator.device, network.config.base_rates)
    facts = TrainingRun(network, inputs, plan, settings.network, workspace, accelerator).run()
    if accelerator.is_main_process:
        save_network(network, output)
        facts["holdout"] = _holdout_scores({"before": pretrained, "after": output}, features, codes)
    return facts


def finetuning_rows(
    features: Path, languages: tuple[str, ...], settings: Settings, further: tuple[str, ...] = ()
) -> Rows:
    """Reads the validation rows that fine-tune the network. Raises UserError if there are none."""
    split = read_columns(features, [schema.SPLIT])[schema.SPLIT]
    kept = validation_roles.trains_network(split, settings)
    if not kept.any():
        raise UserError(f"{features}: no fine-tuning rows")
    return read_rows(features, languages, kept=kept, further=further)


def _plan(rows: Rows, settings: Settings) -> TrainingPlan:
    chosen = settings.network
    return TrainingPlan(
        "finetuned_network",
        repeated("pass", len(rows), chosen.finetuning_epochs),
        decaying(chosen.finetuning_learning_rate or chosen.learning_rate, chosen.finetuning_decay),
        lambda stretch: rows,
        settings.seed + 1,
    )


def _holdout_scores(networks: dict[str, Path], features: Path, codes: np.ndarray) -> dict[str, Any]:
    """Returns AP and RCE of each engagement on the held-out rows; None if all labels are the same."""
    held_out = validation_roles.held_out(read_columns(features, [schema.SPLIT])[schema.SPLIT])
    scores: dict[str, Any] = {}
    for name, folder in networks.items():
        scorer = NetworkScorer.load(folder, codes)
        config = scorer.network.config
        rows = read_rows(features, config.languages, kept=held_out, further=config.further_counters)
        logits = scorer.logits_of(rows).astype(np.float64)
        scores[name] = {
            target: _scores(rows.labels[:, place], 1 / (1 + np.exp(-logits[:, place])))
            for place, target in enumerate(schema.TARGETS)
        }
    return scores


def _scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    if labels.all() or not labels.any():
        return {"ap": None, "rce": None}
    return {
        "ap": metrics.average_precision(labels, probabilities),
        "rce": metrics.relative_cross_entropy(labels, probabilities),
    }
