"""The training loop: follows a plan of stretches, on one process or several, and resumes where it was stopped.

What belongs here: steps, checkpoints, the learning curve. What does not: order of rows and learning rates (schedule).
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Any, Self

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module
from accelerate import Accelerator  # noqa: TID253
from accelerate.state import AcceleratorState  # noqa: TID253
from accelerate.utils import DistributedDataParallelKwargs  # noqa: TID253
from torch.nn import functional as F  # noqa: N812, TID253

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.device import Device, torch_device
from engage_pipeline.machine.memory import large_blocks_reused
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.machine.precision import autocast
from engage_pipeline.model.network.checkpoint import CHECKPOINT_FILE, load_checkpoint, no_checkpoint, save_checkpoint
from engage_pipeline.model.network.inputs import InputBuilder, Inputs
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.rows import Rows
from engage_pipeline.model.network.schedule import Stretch
from engage_pipeline.model.network.table_adamw import TableAdamW
from engage_pipeline.progress import progress
from engage_pipeline.settings.computing import NetworkSettings
from engage_pipeline.tracking.tracked import Track, Tracked, untracked

MOST_CURVE_POINTS = 200
_PREPARING = 2
"""Threads that make the input of the next batches while the network trains."""
_PREPARED_BYTES = 2**20
"""Input that one of them makes at once, at least that of a batch: a call of torch costs it as long as many rows."""


@dataclass(frozen=True)
class TrainingPlan:
    """The plan of a run. `load` reads the rows at ascending positions of a stretch; `learning_rate` is a function of
    step and stretch."""

    name: str
    stretches: Sequence[Stretch]
    learning_rate: Callable[[int, Stretch], float]
    load: Callable[[Stretch, np.ndarray], Rows]
    seed: int


@dataclass
class Position:
    """The progress of a run, which a checkpoint keeps beside the tensors."""

    stretch: int = 0
    batch: int = 0
    step: int = 0
    rows: int = 0
    loss_sums: list[float] = field(default_factory=lambda: [0.0] * len(schema.TARGETS))
    n_summed: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def of(cls, found: Mapping[str, Any], folder: Path) -> Self:
        """Returns what the checkpoint in `folder` holds. Raises UserError if that is no position."""
        try:
            position = cls(**found)
            counts = position.stretch, position.batch, position.step, position.rows, position.n_summed
            if min(counts) < 0 or len(position.loss_sums) != len(schema.TARGETS):
                raise ValueError(counts)
        except (TypeError, ValueError) as error:
            raise no_checkpoint(folder) from error
        return position


def make_accelerator(chosen: Device) -> Accelerator:
    """Returns an accelerator on the device of the setting engine.device; it leaves the precision to autocast.

    It is independent of what this process used before. Raises UserError as `torch_device` does.
    """
    AcceleratorState._reset_state(reset_partial_state=True)
    # Buffers are running statistics, which are the same in all processes.
    kwargs = DistributedDataParallelKwargs(broadcast_buffers=False)
    return Accelerator(cpu=torch_device(chosen).type == "cpu", mixed_precision="no", kwargs_handlers=[kwargs])


class TrainingRun:
    """One run of a plan, with its network, optimizer and position."""

    def __init__(
        self,
        network: EngagementNetwork,
        inputs: InputBuilder,
        plan: TrainingPlan,
        settings: NetworkSettings,
        workspace: Path,
        accelerator: Accelerator,
        track: Track = untracked,
        given_up: Event | None = None,
    ) -> None:
        """Continues from the checkpoint in `workspace`, if there is one. The first process opens `track`; once
        `given_up` is set, `run` raises InterruptedError."""
        self.given_up = given_up or Event()
        self.plan, self.settings, self.inputs = plan, settings, inputs
        self.workspace, self.accelerator = workspace, accelerator
        self.track: Track = track if accelerator.is_main_process else untracked
        self.tracked = Tracked("", {})
        self.bare_network = network.to(accelerator.device)
        self.optimizer = TableAdamW(
            self.bare_network, self.bare_network.large_tables, settings.learning_rate, settings.weight_decay
        )
        position = load_checkpoint(workspace, self.bare_network, self.optimizer)
        self.position = Position() if position is None else Position.of(position, workspace)
        self._require_same_checkpoint()
        self.network = accelerator.prepare_model(self.bare_network)
        self.n_steps = sum(stretch.n_batches(settings.batch_size) for stretch in plan.stretches)

    def _require_same_checkpoint(self) -> None:
        """Raises UserError if the processes, maybe on several machines, found different checkpoints."""
        steps = torch.tensor(self.position.step, device=self.accelerator.device)
        if int(self.accelerator.reduce(steps, "sum")) != self.position.step * self.accelerator.num_processes:
            raise UserError(f"{self.plan.name}: the processes see different checkpoints in {self.workspace}: share it")

    def run(self) -> dict[str, Any]:
        """Trains to the plan's end and returns facts. Raises UserError if the loss or a weight is not finite."""
        started, rows_before = time.monotonic(), self.position.rows
        self.network.train()
        total = sum(stretch.rows for stretch in self.plan.stretches)
        with (
            large_blocks_reused(max(weights.nbytes for weights in self.bare_network.parameters())),
            progress(self.plan.name, total) as tracker,
            self.track(self.position.step) as self.tracked,
        ):
            tracker.advance(rows_before)
            while self.position.stretch < len(self.plan.stretches):
                self._train_stretch(self.plan.stretches[self.position.stretch], tracker.advance)
            self.optimizer.close()
            if not all(bool(tensor.isfinite().all()) for tensor in self.bare_network.state_dict().values()):
                raise self._diverged("a weight is not finite")
        self.bare_network.eval()
        return {
            "rows": self.position.rows,
            "steps": self.position.step,
            "rows_per_second": round((self.position.rows - rows_before) / max(time.monotonic() - started, 1e-9)),
            "precision": self.bare_network.config.precision,
            "curve": self.position.curve,
        }

    def _train_stretch(self, stretch: Stretch, advance: Callable[[int, str], object]) -> None:
        position = self.position
        if stretch.fresh_optimizer and position.batch == 0:
            self.optimizer.start_anew()
        batches = stretch.batches(self.settings.batch_size, [self.plan.seed, position.stretch])
        held = np.sort(np.concatenate([batch[self._share] for batch in batches]))  # positions in the stretch
        rows, left = self.plan.load(stretch, held), batches[position.batch :]

        def prepare(some: Sequence[np.ndarray]) -> list[tuple[np.ndarray, Inputs]]:
            shares = [batch[self._share] for batch in some]
            own, sizes = rows.take(np.searchsorted(held, np.concatenate(shares))), [len(share) for share in shares]
            labels = np.split(own.labels, np.cumsum(sizes)[:-1])
            return list(zip(labels, self.inputs.build(own).split(sizes), strict=True))

        prepared = in_order(prepare, self._together(left), _PREPARING)
        for batch, (labels, inputs) in zip(left, chain.from_iterable(prepared), strict=True):
            if self.given_up.is_set():
                raise InterruptedError(f"{self.plan.name}: given up")
            loss = self._step(labels, inputs, len(batch), stretch)
            position.batch, position.step, position.rows = (
                position.batch + 1,
                position.step + 1,
                position.rows + len(batch),
            )
            if position.curve and position.curve[-1]["step"] == position.step:
                self._hand_over(position.curve[-1])
            if position.step % self.settings.save_steps == 0:
                self.optimizer.settle()  # in every process, whether it saves or not
                self._save()
            advance(len(batch), f"loss {loss:.4f}")
        position.stretch, position.batch = position.stretch + 1, 0

    def _step(self, labels: np.ndarray, inputs: Inputs, n_rows: int, stretch: Stretch) -> float:
        """Trains on this process's share of a batch of `n_rows`, with `labels` [n, 4]; returns the mean loss over the
        engagements and members."""
        device = self.accelerator.device
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate(self.position.step, stretch)
        wanted = torch.from_numpy(labels).to(device).float()
        with autocast(device, bf16=self.bare_network.config.precision == "bf16"):
            logits = self.network(*inputs)
        logits = logits.view(len(logits), self.bare_network.config.members, len(schema.TARGETS))
        wanted = wanted.unsqueeze(1).expand_as(logits)
        losses = (
            F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(dim=0) / n_rows
        )  # [members, 4]
        shown = self.accelerator.reduce(losses.detach().mean(dim=0), "sum").tolist()
        if not all(math.isfinite(loss) for loss in shown):
            raise self._diverged(f"the loss became {sum(shown):.0f}", stretch)
        # Each member learns by its own loss. Gradients are averaged over the processes, but a loss is a sum over all
        # rows: multiply it by the processes.
        self.accelerator.backward(losses.mean(dim=1).sum() * self.accelerator.num_processes)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._note(shown)
        return sum(shown) / len(shown)

    def _together(self, batches: Sequence[np.ndarray]) -> list[Sequence[np.ndarray]]:
        """Groups the batches whose input is made at once."""
        a_batch = 4 * self.settings.batch_size * self.bare_network.config.known_size
        count = max(1, _PREPARED_BYTES // a_batch)
        return [batches[start : start + count] for start in range(0, len(batches), count)]

    @property
    def _share(self) -> slice:
        """The rows of a batch that are this process's."""
        return slice(self.accelerator.process_index, None, self.accelerator.num_processes)

    def _note(self, losses: Sequence[float]) -> None:
        """Adds the step's losses to the learning curve; its points are means over equally many steps."""
        position = self.position
        position.loss_sums = [total + loss for total, loss in zip(position.loss_sums, losses, strict=True)]
        position.n_summed += 1
        last = position.step + 1 == self.n_steps
        if position.n_summed == math.ceil(self.n_steps / MOST_CURVE_POINTS) or last:
            means = [round(total / position.n_summed, 6) for total in position.loss_sums]
            position.curve.append({"step": position.step + 1, **dict(zip(schema.TARGETS, means, strict=True))})
            position.loss_sums, position.n_summed = [0.0] * len(schema.TARGETS), 0

    def _hand_over(self, point: Mapping[str, float]) -> None:
        """Hands a point of the learning curve to the trackers, with the rows so far and the stretch (from 1)."""
        losses = {f"loss/{name}": point[name] for name in schema.TARGETS}
        mean = sum(losses.values()) / len(losses)
        where = {"rows": float(self.position.rows), "stretch": self.position.stretch + 1.0}
        self.tracked.log({**losses, "loss/mean": mean, **where}, int(point["step"]))

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            save_checkpoint(self.workspace, self.bare_network, self.optimizer, asdict(self.position))

    def _diverged(self, what: str, stretch: Stretch | None = None) -> UserError:
        where = f"step {self.position.step + 1}" + (f" ({stretch.name})" if stretch else "")
        path = self.workspace / CHECKPOINT_FILE
        kept = f"; the last good checkpoint is {path}" if path.is_file() else ""
        return UserError(f"{self.plan.name}: {what} at {where}: lower network.learning_rate{kept}")
