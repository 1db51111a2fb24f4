"""When fine-tuning stops, and whose weights it keeps: it looks at the loss of held-out tweets on the way.

Which steps are looked at, and so where it stops, depends on the settings and the number of steps alone, so that a
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

LOOKS = 20
"""Looks in all steps; fewer by those within the warm-up."""
LEAST_GAIN = 0.002
"""The share by which the loss has to fall to count as improved."""
_MOST_TWEETS = 4096
"""A look takes at most so many of the held-out tweets, so that looks are little beside the steps of many tweets."""
_BEST = "best.safetensors"

Look = tuple[int, float]
"""A step, and the mean loss after it in nats a masked token."""


def is_look(step: int, steps: int, encoder: EncoderSettings) -> bool:
    """Tells whether the held-out loss is looked at after `step` of `steps`: a warm-up says nothing of the rest."""
    if encoder.patience is None or step <= encoder.warmup_steps:
        return False
    return step % math.ceil(steps / LOOKS) == 0 or step == steps


def has_stalled(looks: Sequence[Look], patience: int | None) -> bool:
    """Tells whether the last `patience` looks brought less than LEAST_GAIN over the best look before them."""
    if patience is None or len(looks) <= patience:
        return False
    losses = [loss for _, loss in looks]
    return min(losses[-patience:]) > min(losses[:-patience]) * (1 - LEAST_GAIN)


def best_look(looks: Sequence[Look]) -> Look:
    """Returns the look with the least loss, the first of several."""
    return min(looks, key=lambda look: look[1])


def some_of(heldout: TokenLists) -> TokenLists:
    """Returns the tweets that a look takes: all, or _MOST_TWEETS, spread evenly."""
    count = min(len(heldout), _MOST_TWEETS)
    return heldout.take(np.arange(count) * len(heldout) // max(count, 1))


def keep_best(model: "PreTrainedModel", looks: Sequence[Look], workspace: Path) -> None:
    """Writes the weights into the workspace if the last look is the best one."""
    if best_look(looks) == looks[-1]:
        with atomic_file(workspace / _BEST) as path:
            save_weights(model, path)


def take_best(model: "PreTrainedModel", looks: Sequence[Look], workspace: Path) -> int | None:
    """Loads the weights of the best look into the model unless they are the last look's, which it has.

    Returns the step of these weights; None if nothing was looked at.
    """
    if not looks:
        return None
    if best_look(looks) != looks[-1]:
        load_weights(model, workspace / _BEST)
    return best_look(looks)[0]
