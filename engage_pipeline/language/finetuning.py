"""Fine-tunes the encoder on the tweets of the first parts and publishes it with its loss curve."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.language.early_stopping import take_best
from engage_pipeline.language.encoders import (
    check_tokens,
    quiet_transformers,
    save_encoder,
    starting_encoder,
    step_file,
)
from engage_pipeline.language.ragged import Integers, TokenLists, training_batches
from engage_pipeline.language.resume import History
from engage_pipeline.language.tokenizer_files import copy_tokenizer
from engage_pipeline.language.tweets import distinct_tweets
from engage_pipeline.machine.device import torch_device
from engage_pipeline.machine.precision import bf16_is_fast
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings

LOSSES = "loss.json"
_CURVE_POINTS = 200
_SPLIT_STREAM = 1


@on_training_threads
def finetune_encoder(
    tweets: Sequence[Path], output: Path, workspace: Path, settings: Settings, *, bf16: bool | None = None
) -> dict[str, Any]:
    """Fine-tunes `encoder.model` by masked language modelling on the distinct tweets of typed parts.

    Writes config.json, model.safetensors, the tokenizer of `encoder.model` if there is one, step-<n>.safetensors every
    `save_steps` steps, and loss.json into `output`: a folder for transformers' from_pretrained.
    Resumes from the state in `workspace` if there is one. `bf16` None = if engine.device computes it fast. Returns the
    content of loss.json: tweets, heldout_tweets, steps taken, planned_steps, published_step (of the weights),
    checkpoints (steps), heldout_loss_before and _after, heldout_losses (step, loss), loss_steps and losses (nats; means
    over at most 200 runs of steps). Raises UserError: the encoder is unavailable, does not fit the tweets, or diverges.
    """
    from engage_pipeline.language.masked_loss import check_architecture
    from engage_pipeline.language.mlm_training import heldout_loss, train

    encoder = settings.encoder
    device = torch_device(settings.engine.device)
    bf16 = bf16_is_fast(device) if bf16 is None else bf16
    table = distinct_tweets(tweets, max_tweets=encoder.max_tweets, settings=settings)
    lists = TokenLists.of_table(table, encoder.max_tokens)
    training, heldout = (lists.take(rows) for rows in split(len(lists), encoder.heldout_share, settings.seed))
    with quiet_transformers():
        model: Any = starting_encoder(settings)
        model.to(device)
        check_architecture(model)
        check_tokens(model, lists)
        steps = training_batches(
            training.lengths, batch_size=encoder.batch_size, epochs=encoder.epochs, seed=settings.seed
        )
        history = train(model, training, heldout, steps, workspace, settings, bf16=bf16)
        published_step = take_best(model, history.heldout, workspace) or len(history.losses)
        after = heldout_loss(model, heldout, settings, bf16=bf16)
        save_encoder(model, output)
        copy_tokenizer(encoder.base, output)
    facts = {
        "tweets": len(training),
        "heldout_tweets": len(heldout),
        "planned_steps": len(steps),
        "published_step": published_step,
        "checkpoints": _copy_checkpoints(workspace, output, encoder.save_steps, len(history.losses)),
        "heldout_loss_after": after,
        **_course(history),
    }
    (output / LOSSES).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return facts


def _course(history: History) -> dict[str, Any]:
    """Returns the figures of what was seen on the way."""
    return {
        "steps": len(history.losses),
        "heldout_loss_before": history.heldout_before,
        "heldout_losses": [list(one) for one in history.heldout],
        **loss_curve(history.losses),
    }


def split(tweets: int, heldout_share: float, seed: int) -> tuple[Integers, Integers]:
    """Splits rows at random into training and held-out rows, at least one of each, both ascending.

    Raises UserError if there are fewer than two tweets.
    """
    if tweets < 2:
        raise UserError(f"finetuned_encoder: {counted(tweets, 'distinct tweet')}; at least 2 are needed, one held out")
    order = np.random.default_rng([seed, _SPLIT_STREAM]).permutation(tweets)
    count = min(max(1, round(tweets * heldout_share)), tweets - 1)
    return np.sort(order[count:]), np.sort(order[:count])


def loss_curve(losses: Sequence[float]) -> dict[str, list[float]]:
    """Averages `losses` of steps 1, 2, … over at most 200 runs of steps; `loss_steps` holds the last step of each."""
    parts = [part for part in np.array_split(np.asarray(losses, dtype=float), _CURVE_POINTS) if len(part)]
    ends = np.cumsum([len(part) for part in parts], dtype=int)
    return {"loss_steps": ends.tolist(), "losses": [round(float(part.mean()), 6) for part in parts]}


def _copy_checkpoints(workspace: Path, output: Path, save_steps: int, steps: int) -> list[int]:
    """Copies the weights of the kept steps into the artifact; returns these steps."""
    checkpoints = list(range(save_steps, steps + 1, save_steps))
    for step in checkpoints:
        shutil.copyfile(workspace / step_file(step), output / step_file(step))
    return checkpoints
