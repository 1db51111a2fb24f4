"""Pretraining: pretrained_network is the network trained on the training parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.language.codes import NO_CODE
from engage_pipeline.language.encoder_files import NEEDS_ENCODER
from engage_pipeline.machine.precision import resolve_precision
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model.network.architectures import new_network, reads_vocabulary
from engage_pipeline.model.network.buffer import RowBuffer
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.network_files import save_network
from engage_pipeline.model.network.processes import train_in_processes
from engage_pipeline.model.network.rows import RowReader, read_columns
from engage_pipeline.model.network.schedule import cosine, day_by_day, decaying, shuffled
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.model.network.vocabulary import Vocabulary
from engage_pipeline.model.network.warm_start import COLD, WARM, ColdStart, NetworkBefore, warm_network
from engage_pipeline.progress import LOGGER
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.tracked import tracking


def pretrain_network(
    features: Sequence[Path],
    codes: np.ndarray,
    languages: Sequence[str],
    output: Path,
    workspace: Path,
    settings: Settings,
    before: NetworkBefore | ColdStart | None = None,
) -> dict[str, Any]:
    """Trains a network on the feature files of the training parts and writes it into the folder `output`.

    `codes` are the sketch codes, int32 [vocabulary, depth]. Starts from the weights of the network `before` and trains
    network.warm_epochs, if the shapes are the same; else starts anew. Continues from a checkpoint in `workspace`.

    Returns facts: rows, steps, rows_per_second, precision, curve (at most 200 points: step and loss of each
    engagement); with `before`, also warm_started_from, or cold_start (why not). Raises UserError if there are no rows,
    if the loss or a weight is not finite, or if one of several processes was killed.
    """
    arguments = features, codes, languages, output, workspace, settings, before
    return train_in_processes("pretrained_network", settings, pretrain_share, *arguments)


@on_training_threads
def pretrain_share(
    features: Sequence[Path],
    codes: np.ndarray,
    languages: Sequence[str],
    output: Path,
    workspace: Path,
    settings: Settings,
    before: NetworkBefore | ColdStart | None,
) -> dict[str, Any]:
    """Does the work of each process, and returns the facts; the first one also writes the network."""
    chosen = settings.network
    accelerator = make_accelerator(settings.engine.device)
    rates = base_rates(features)
    known = Vocabulary.of_rows(features, chosen.vocabulary) if reads_vocabulary(chosen.architecture) else None
    config = _network_config(codes, languages, rates, known, settings, accelerator.device)
    network, start = _first_network(config, known, rates, before, settings)
    track = tracking(settings, "pretrained_network", workspace.name, params=start)
    if WARM in start:
        # A killed run continues only from a checkpoint with the same start.
        workspace = workspace / f"from-{start[WARM]}"
        workspace.mkdir(exist_ok=True)
    plan = _plan(features, network.reader, chosen.warm_epochs if WARM in start else chosen.epochs, settings)
    inputs = InputBuilder.of(network, codes, accelerator.device)
    facts = TrainingRun(network, inputs, plan, chosen, workspace, accelerator, track).run()
    if accelerator.is_main_process:
        save_network(network, output)
    return {**start, **facts}


def _first_network(
    config: NetworkConfig,
    known: Vocabulary | None,
    rates: Sequence[float],
    before: NetworkBefore | ColdStart | None,
    settings: Settings,
) -> tuple[EngagementNetwork, dict[str, str]]:
    """Returns the network before its first step, and the facts that say where its weights come from."""
    if isinstance(before, NetworkBefore):
        warm = warm_network(config, before.folder, known)
        if isinstance(warm, EngagementNetwork):
            LOGGER.info("pretrained_network: starts from the network before, %s", before.version)
            return warm, {WARM: before.version}
        before = warm
    start = {}
    if before is not None:
        LOGGER.info("pretrained_network: starts anew instead of from the network before: %s", before.reason)
        start = {COLD: before.reason}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = new_network(config, known)
    if settings.network.start_at_base_rates:
        network.start_at(rates)
    return network, start


def base_rates(features: Sequence[Path]) -> list[float]:
    """Returns the share of positives of each engagement, in the order of TARGETS; half a row keeps it off 0 and 1."""
    positives, rows = np.zeros(len(schema.TARGETS)), 0
    for path in features:
        labels = read_columns(path, schema.TARGETS)
        positives += [np.count_nonzero(labels[target]) for target in schema.TARGETS]
        rows += len(labels[schema.TARGETS[0]])
    return [float(share) for share in (positives + 0.5) / (rows + 1)]


def _network_config(
    codes: np.ndarray,
    languages: Sequence[str],
    rates: Sequence[float],
    known: Vocabulary | None,
    settings: Settings,
    device: torch.device,
) -> NetworkConfig:
    chosen = settings.network
    coded = bool((codes != NO_CODE).any())
    if known is None and not coded:
        raise UserError(f"network.architecture: {chosen.architecture} {NEEDS_ENCODER}")
    sketched = coded and (chosen.sketches or known is None)
    return NetworkConfig(
        architecture=chosen.architecture,
        languages=tuple(languages),
        sketch_depth=codes.shape[1] if sketched else 0,
        sketch_width=settings.sketch_width if sketched else 0,
        hidden_size=chosen.hidden_size,
        embedding_size=chosen.embedding_size,
        base_rates=tuple(rates) if chosen.smoothed_rates else (),
        precision=resolve_precision(chosen.precision, device),
        further_counters=schema.further_counters(settings.features.counters) if chosen.smoothed_rates else (),
        vocabulary=known.sizes if known else (),
        members=chosen.members if known else 1,
    )


def _plan(features: Sequence[Path], reader: RowReader, epochs: int, settings: Settings) -> TrainingPlan:
    chosen, at_once = settings.network, settings.max_n_parts_in_memory
    if chosen.schedule == "days":
        stretches = day_by_day(features, epochs, at_once, settings.seed)
        rate = decaying(chosen.learning_rate, chosen.decay_per_day)
    else:
        stretches = shuffled(features, epochs, at_once, settings.seed)
        rate = cosine(chosen.learning_rate, sum(stretch.n_batches(chosen.batch_size) for stretch in stretches))
    if not stretches:
        raise UserError("pretrained_network: the training parts have no rows")
    return TrainingPlan("pretrained_network", stretches, rate, RowBuffer(reader).rows, settings.seed)
