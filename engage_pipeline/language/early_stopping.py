"""When fine-tuning stops, and whose weights it keeps: it measures the loss of held-out tweets on the way.

Which steps are measured, and so where it stops, depends on the settings and the number of steps alone, so that a
resumed run stops where an uninterrupted one does.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.language.encoders import load_weights, save_weights
from engage_pipeline.language.ragged import TokenLists
from engage_pipeline.settings.computing import EncoderSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MEASUREMENTS = 20
"""The most measurements in all steps; fewer by those within the warm-up."""
LEAST_GAIN = 0.002
"""The share by which the loss has to fall to count as improved."""
_MOST_TWEETS = 4096
"""A measurement takes at most so many of the held-out tweets, so that it is little beside the steps of many tweets."""

HeldoutLoss = tuple[int, float]
"""A step, and the mean loss after it in nats a masked token."""


def is_measured(step: int, steps: int, encoder: EncoderSettings) -> bool:
    """Tells whether the held-out loss is measured after `step` of `steps`: a warm-up says nothing of the rest."""
    if encoder.patience is None or step <= encoder.warmup_steps:
        return False
    return step % math.ceil(steps / MEASUREMENTS) == 0 or step == steps


def has_stalled(measured: Sequence[HeldoutLoss], patience: int | None) -> bool:
    """Tells whether the last `patience` measurements brought less than LEAST_GAIN over the best one before them."""
    if patience is None or len(measured) <= patience:
        return False
    losses = [loss for _, loss in measured]
    return min(losses[-patience:]) > min(losses[:-patience]) * (1 - LEAST_GAIN)


def best_of(measured: Sequence[HeldoutLoss]) -> HeldoutLoss:
    """Returns the step with the least loss, the last of several, and that loss."""
    return min(reversed(measured), key=lambda one: one[1])


def some_of(heldout: TokenLists) -> TokenLists:
    """Returns the tweets of a measurement: all, or _MOST_TWEETS, spread evenly."""
    count = min(len(heldout), _MOST_TWEETS)
    return heldout.take(np.arange(count) * len(heldout) // max(count, 1))


def keep_best(model: "PreTrainedModel", measured: Sequence[HeldoutLoss], workspace: Path) -> None:
    """Writes the weights into the workspace if the last measurement is the best one; others stay beside them."""
    if best_of(measured) == measured[-1]:
        with atomic_file(workspace / _best_file(measured)) as path:
            save_weights(model, path)


def forget_others(measured: Sequence[HeldoutLoss], workspace: Path) -> None:
    """Removes weights that are no longer the best: call it once a state says so, from which a killed run goes on."""
    for path in workspace.glob("best-*.safetensors"):
        if path.name != _best_file(measured):
            path.unlink()


def take_best(model: "PreTrainedModel", measured: Sequence[HeldoutLoss], workspace: Path) -> int | None:
    """Loads the best weights into the model unless they are the last measurement's, which it has.

    Returns the step of these weights; None if nothing was measured.
    """
    if not measured:
        return None
    if best_of(measured) != measured[-1]:
        load_weights(model, workspace / _best_file(measured))
    return best_of(measured)[0]


def _best_file(measured: Sequence[HeldoutLoss]) -> str:
    return f"best-{best_of(measured)[0]}.safetensors"
