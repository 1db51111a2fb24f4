"""finetuned_network: the pretrained network trained further on the fine-tuning rows of the validation part."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.config import Settings
from engage_pipeline.errors import UserError
from engage_pipeline.model.inputs import InputBuilder
from engage_pipeline.model.network import load_network, save_network
from engage_pipeline.model.rows import Rows, read_columns, read_rows
from engage_pipeline.model.schedule import decaying, repeated
from engage_pipeline.model.training import TrainingPlan, TrainingRun, make_accelerator, torch_threads


def finetune_network(
    pretrained: Path, features: Path, codes: np.ndarray, output: Path, workspace: Path, settings: Settings
) -> dict[str, Any]:
    """Trains the network in the folder `pretrained` further and writes it into the folder `output`.

    `features` is the feature file of the validation rows; see `finetuning_rows` for those it trains on. Continues from
    a checkpoint in `workspace`. Returns the facts of `pretrain_network`. Raises UserError as that does.
    """
    chosen = settings.network
    accelerator = make_accelerator()
    network = load_network(pretrained)
    rows = finetuning_rows(features, network.config.languages, settings)
    plan = TrainingPlan(
        "finetuned_network",
        repeated("pass", len(rows), chosen.finetuning_epochs),
        decaying(chosen.finetuning_learning_rate or chosen.learning_rate, chosen.finetuning_decay),
        lambda stretch: rows,
        settings.seed + 1,
    )
    inputs = InputBuilder(codes, network.config.sketch_width, accelerator.device)
    with torch_threads(settings.engine.threads):
        facts = TrainingRun(network, inputs, plan, chosen, workspace, accelerator).run()
    if accelerator.is_main_process:
        save_network(network, output)
    return facts


def finetuning_rows(features: Path, languages: tuple[str, ...], settings: Settings) -> Rows:
    """The validation rows that fine-tune: not the holdout; with trees, not the last chunk either, which blends.

    Raises UserError where there are none.
    """
    split = read_columns(features, [schema.SPLIT])[schema.SPLIT]
    kept = split != schema.HOLDOUT
    if settings.trees.enabled:
        kept &= split != settings.num_validation_chunks - 1
    if not kept.any():
        raise UserError(f"{features}: no fine-tuning rows")
    with pq.ParquetFile(features) as file:
        total = file.metadata.num_rows
    return read_rows(features, 0, total, languages).take(np.flatnonzero(kept))
