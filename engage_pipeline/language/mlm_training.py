"""The training loop of masked language modelling: transformers' Trainer over batches that depend on their step only.

Batches, masks and dropout depend on the seed and the step alone, so a run that was killed and resumed takes the same
steps as an uninterrupted one.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253 - subclasses of torch and transformers; imported only by what trains
from accelerate.state import AcceleratorState, GradientState  # noqa: TID253
from torch.utils.data import DataLoader, Dataset  # noqa: TID253
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments  # noqa: TID253

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.language.early_stopping import forget_others, has_stalled, is_measured, keep_best, some_of
from engage_pipeline.language.encoders import save_weights, step_file
from engage_pipeline.language.masked_loss import masked_loss
from engage_pipeline.language.masking import IGNORED, mask_tokens
from engage_pipeline.language.ragged import Integers, TokenLists, batches_by_length
from engage_pipeline.language.resume import History, check_finite, diverged, last_state, load_state, save_state
from engage_pipeline.machine.shares import trainings_at_once
from engage_pipeline.progress import LOGGER, Progress, progress
from engage_pipeline.settings.computing import EncoderSettings
from engage_pipeline.settings.settings import Settings
from engage_pipeline.tracking.tracked import MOST_POINTS, Tracked, tracking

Batch = dict[str, torch.Tensor]
_HELDOUT_STREAM = 2**32 - 1
"""Random stream of the held-out tweets' masks, distinct from the stream of every step."""
_HELDOUT_TOKENS = 4096
SECONDS_BETWEEN_STATES = 600.0
"""The most work in seconds that a killed run loses; save_steps may save more often."""


class MaskedBatches(Dataset[Batch]):
    """The padded, masked batch of each step from `first` on: input_ids, attention_mask, labels [rows, places]."""

    def __init__(
        self, tweets: TokenLists, steps: list[Integers], first: int, *, seed: int, probability: float, vocabulary: int
    ) -> None:
        """`steps` holds the rows of `tweets` of every step from 0 on."""
        self.tweets, self.steps, self.first = tweets, steps, first
        self.seed, self.probability, self.vocabulary = seed, probability, vocabulary

    def __len__(self) -> int:
        """Returns the number of remaining steps."""
        return len(self.steps) - self.first

    def __getitem__(self, index: int) -> Batch:
        """Returns the batch `index` steps after `first`."""
        step = self.first + index
        return masked_batch(
            self.tweets, self.steps[step], (self.seed, step), probability=self.probability, vocabulary=self.vocabulary
        )


def masked_batch(
    tweets: TokenLists, rows: Integers, stream: tuple[int, ...], *, probability: float, vocabulary: int
) -> Batch:
    """Pads and masks the tweets `rows`; the masks come from the random stream `stream`."""
    ids, present = tweets.pad(rows)
    rng = np.random.default_rng(stream)
    inputs, labels = mask_tokens(ids, present, probability=probability, vocabulary_size=vocabulary, rng=rng)
    return {
        "input_ids": torch.from_numpy(inputs),
        "attention_mask": torch.from_numpy(present.astype(np.int64)),
        "labels": torch.from_numpy(labels),
    }


def heldout_loss(model: PreTrainedModel, tweets: TokenLists, settings: Settings, *, bf16: bool) -> float:
    """Returns the mean loss in nats over the masked tokens of `tweets`; the masks are the same in every call."""
    model.eval()
    total, masked = 0.0, 0
    for index, rows in enumerate(batches_by_length(tweets.lengths, _HELDOUT_TOKENS)):
        batch = masked_batch(
            tweets,
            rows,
            (settings.seed, _HELDOUT_STREAM, index),
            probability=settings.encoder.mask_probability,
            vocabulary=model.config.vocab_size,
        )
        count = int((batch["labels"] != IGNORED).sum())
        with torch.inference_mode():
            inputs = {name: value.to(model.device) for name, value in batch.items()}
            loss = masked_loss(model, **inputs, bf16=bf16, blocks_at_once=trainings_at_once(settings))
        total, masked = total + float(loss) * count, masked + count
    return total / max(masked, 1)


@dataclass
class Run:
    """A fine-tuning run: its settings, the folder of its states, its first step and the number of all, its losses, the
    held-out tweets that are measured on the way, its precision."""

    settings: Settings
    workspace: Path
    first: int
    steps: int
    history: History
    measured: TokenLists
    bf16: bool


class MaskedTrainer(Trainer):
    """A Trainer with the loss at the masked places only. Raises UserError at the first loss that is not finite."""

    run: Run
    batches: MaskedBatches
    encoder: PreTrainedModel

    def get_train_dataloader(self) -> DataLoader[Batch]:
        """Returns a loader of one batch per step, in order; MaskedBatches has padded and masked them."""
        return DataLoader(self.batches, batch_size=None, shuffle=False)

    def compute_loss(self, model: Any, inputs: Batch, *_: Any, **__: Any) -> torch.Tensor:
        """Returns the loss of one step; dropout uses the step's own random stream."""
        step = self.run.first + self.state.global_step
        torch.manual_seed(self.run.settings.seed + (step << 31))
        at_once = trainings_at_once(self.run.settings)
        loss = masked_loss(self.encoder, **inputs, bf16=self.run.bf16, blocks_at_once=at_once)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise UserError(diverged(step, f"the loss is {value}"))
        self.run.history.losses.append(value)
        return loss


class Bookkeeping(TrainerCallback):
    """Shows progress, measures the held-out loss and keeps states and checkpoints."""

    def __init__(self, run: Run, tracker: Progress, tracked: Tracked) -> None:
        """Starts the clock of the states. `tracked` gets a loss about MOST_POINTS times in all the steps."""
        self.run, self.tracker, self.tracked = run, tracker, tracked
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Shows the loss, measures, and saves weights and state if due; called after every optimizer step."""
        step, steps = self.run.first + state.global_step, self.run.steps
        self.tracker.advance(1, f"loss {self.run.history.losses[-1]:.3f}")
        span = math.ceil(steps / MOST_POINTS)
        if step % span == 0 or step == steps:
            self.tracked.log({"loss": float(np.mean(self.run.history.losses[-((step - 1) % span + 1) :]))}, step)
        measured = is_measured(step, steps, self.run.settings.encoder)
        if measured and self._stalls(kwargs["model"], step):
            control.should_training_stop = True
        kept = step % self.run.settings.encoder.save_steps == 0
        if kept:
            check_finite(kwargs["model"], step)
            with atomic_file(self.run.workspace / step_file(step)) as path:
                save_weights(kwargs["model"], path)
        if kept or measured or time.monotonic() - self._saved > SECONDS_BETWEEN_STATES:
            save_state(self.run.workspace, step, kwargs["model"], kwargs["optimizer"], self.run.history)
            self._saved = time.monotonic()
        if measured:
            forget_others(self.run.history.heldout, self.run.workspace)

    def _stalls(self, model: PreTrainedModel, step: int) -> bool:
        """Measures the held-out loss after `step`; returns whether it no longer falls."""
        run, measured = self.run, self.run.history.heldout
        loss = heldout_loss(model, run.measured, run.settings, bf16=run.bf16)
        if not np.isfinite(loss):
            raise UserError(diverged(step, f"the held-out loss is {loss}"))
        measured.append((step, loss))
        self.tracked.log({"heldout_loss": loss}, step)
        keep_best(model, measured, run.workspace)
        stalled = has_stalled(measured, run.settings.encoder.patience)
        if stalled and step < run.steps:
            LOGGER.info("finetuned_encoder: stops at step %s of %s: the held-out loss no longer falls", step, run.steps)
        return stalled


def train(
    model: PreTrainedModel,
    tweets: TokenLists,
    heldout: TokenLists,
    steps: list[Integers],
    workspace: Path,
    settings: Settings,
    *,
    bf16: bool,
) -> History:
    """Trains `model` in place over `steps` (rows of `tweets`), resuming from the state in `workspace` if there is one.

    It ends before the last step once the held-out loss no longer improves, as `encoder.patience` says. Returns the
    held-out loss before the first step, the loss of every step taken, and the held-out losses on the way.
    """
    encoder = settings.encoder
    optimizer = adamw(model, encoder)
    state = last_state(workspace)
    first, history = load_state(state, model, optimizer) if state else (0, None)
    if history is None:
        history = History(heldout_loss(model, heldout, settings, bf16=bf16))
    run = Run(settings, workspace, first, len(steps), history, some_of(heldout), bf16)
    batches = MaskedBatches(
        tweets,
        steps,
        first,
        seed=settings.seed,
        probability=encoder.mask_probability,
        vocabulary=model.config.vocab_size,
    )
    if len(batches) and not has_stalled(history.heldout, encoder.patience):
        track = tracking(settings, "finetuned_encoder", workspace.name)
        with progress("finetuned_encoder", len(steps), "steps") as tracker, track(first) as tracked:
            bookkeeping = Bookkeeping(run, tracker.advance(first), tracked)
            try:
                _trainer(model, optimizer, batches, run, bookkeeping).train()
            finally:
                _forget_accelerator()
    check_finite(model, len(history.losses))
    return history


def _forget_accelerator() -> None:
    """Resets Accelerate: it keeps the first Accelerator's precision per process, and the network may use another."""
    GradientState._reset_state()
    AcceleratorState._reset_state(reset_partial_state=True)


def adamw(model: PreTrainedModel, encoder: EncoderSettings) -> torch.optim.AdamW:
    """Makes an AdamW with weight decay on matrices only, not on biases and normalisation."""
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": encoder.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=encoder.learning_rate, fused=True)


def rate_factor(step: int, warmup_steps: int, steps: int) -> float:
    """Returns the learning rate's factor at `step`: linearly up from 0 during the warm-up, then down to 0."""
    if step < warmup_steps:
        return step / warmup_steps
    return max(0.0, (steps - step) / max(1, steps - warmup_steps))


def _trainer(
    model: PreTrainedModel,
    optimizer: torch.optim.AdamW,
    batches: MaskedBatches,
    run: Run,
    bookkeeping: Bookkeeping,
) -> MaskedTrainer:
    warmup, steps = run.settings.encoder.warmup_steps, run.steps
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(run.first + step, warmup, steps))
    arguments = TrainingArguments(
        output_dir=str(run.workspace),
        num_train_epochs=1,
        seed=run.settings.seed,
        use_cpu=model.device.type == "cpu",
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = MaskedTrainer(model, arguments, train_dataset=batches, optimizers=(optimizer, schedule))
    trainer.run, trainer.batches, trainer.encoder = run, batches, model
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(bookkeeping)
    return trainer
