"""The groups of settings, each a pydantic model: names, types, ranges, defaults and meanings.

A field's description is its documentation. What does not belong here: how a settings file is read (config).
"""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

_LONGEST_NAME, _LONGEST_PATH = 255, 2000
"""Bytes, as Linux's file systems have them; the path with room for what is added to it."""


def _model_from_config_folder(name: str, info: ValidationInfo) -> str:
    """A local folder is relative to the configuration file too; any other name is the hub's, or `tiny`."""
    folder = (info.context or {}).get("folder", Path.cwd()) / _expanded(Path(name))
    return os.path.normpath(folder) if name != "tiny" and folder.is_dir() else name


def _from_config_folder(path: Path, info: ValidationInfo) -> Path:
    """Relative paths are relative to the folder of the configuration file, wherever the process was started."""
    base = (info.context or {}).get("folder", Path.cwd())
    return Path(os.path.normpath(base / _expanded(path)))


def _expanded(path: Path) -> Path:
    """`~` and `~user` as the home folder. Raises ValueError where there is none, or for what no file system takes."""
    encoded = os.fsencode(path)
    if (
        b"\0" in encoded
        or len(encoded) > _LONGEST_PATH
        or any(len(name) > _LONGEST_NAME for name in encoded.split(b"/"))
    ):
        raise ValueError("no path: a byte 0 in it, or too long")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("no such home folder") from error


ConfigPath = Annotated[Path, AfterValidator(_from_config_folder)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A group of settings. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """A whole number is no text and no truth value, and a truth value is nothing else."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        kinds = {annotation, *get_args(annotation)}
        if int in kinds and isinstance(value, bool | str | float):
            raise ValueError("a whole number is needed")
        if bool in kinds and not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value


class IngestSettings(Section):
    """How raw parts are read."""

    max_rejected_share: Share = Field(0.01, description="A part with a larger share of rejected lines fails.")


class EncoderSettings(Section):
    """The text encoder: masked-language-model fine-tuning and the token vectors taken from it."""

    model: Annotated[str, AfterValidator(_model_from_config_folder)] = Field(
        "distilbert-base-multilingual-cased",
        description="Hub name or local folder of the encoder; `tiny` makes a small DistilBERT from nothing.",
    )
    tiny_dim: int = Field(64, ge=8, description="Hidden size of the `tiny` encoder.", multiple_of=4)
    tiny_layers: int = Field(2, ge=1, description="Layers of the `tiny` encoder.")
    parts: int = Field(1, ge=1, description="Training parts that the encoder is fine-tuned on and sketched from.")
    max_tweets: int | None = Field(None, ge=10, description="At most so many distinct tweets; null = all of the parts.")
    epochs: int = Field(1, ge=0, description="Fine-tuning epochs; 0 = take the encoder as it is.")
    max_tokens: int = Field(100, ge=4, le=512, description="Tweets are cut or zero-padded to so many tokens.")
    batch_size: int = Field(16, ge=1, description="Tweets a fine-tuning step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of fine-tuning.")
    warmup_steps: int = Field(1000, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of fine-tuning.")
    mask_probability: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that are masked.")
    heldout_share: float = Field(0.02, gt=0, lt=1, description="Share of the tweets held out for the loss.")
    save_steps: int = Field(100_000, ge=1, description="Steps between checkpoints.")
    checkpoint: int | None = Field(
        None, ge=1, description="Sketch from the checkpoint of this step; null = from the end of fine-tuning."
    )


class NetworkSettings(Section):
    """The residual network and its two schedules."""

    hidden_size: int = Field(1500, ge=1, description="Width of the hidden layers.")
    embedding_size: int = Field(20, ge=1, description="Size of the language, hour and day embeddings.")
    batch_size: int = Field(512, ge=2, description="Rows a training step.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate at the start of each schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    schedule: Literal["days", "shuffled"] = Field(
        "shuffled",
        description="`days`: engagement days in order, the optimizer started anew for each (the reference); "
        "`shuffled`: all days mixed, one optimizer, cosine decay.",
    )
    epochs: int = Field(2, ge=1, description="Passes over the training rows (`shuffled`) or over each day (`days`).")
    decay_per_day: float = Field(0.96, gt=0, le=1, description="Factor on the learning rate after each day (`days`).")
    finetuning_learning_rate: float | None = Field(
        2e-4, gt=0, description="Learning rate at the start of fine-tuning; null = learning_rate."
    )
    finetuning_epochs: int = Field(2, ge=0, description="Passes over the fine-tuning rows.")
    finetuning_decay: float = Field(0.5, gt=0, le=1, description="Factor on the learning rate after each such pass.")
    start_at_base_rates: bool = Field(
        True, description="Set the output bias to the logits of the base rates before training."
    )
    smoothed_rates: bool = Field(
        True, description="Read also how often each key was engaged with of how often it was shown (not the reference)."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="`auto` = bf16 where the processor or GPU is fast at it."
    )
    save_steps: int = Field(500, ge=1, description="Steps between checkpoints to resume from.")
    warm_start: bool = Field(False, description="Start training from the weights of the last network of this shape.")
    warm_epochs: int = Field(1, ge=1, description="Passes over the training rows after such a start.")


class TreeSettings(Section):
    """The LightGBM trees of the second stage, and how they are blended with the network."""

    enabled: bool = Field(True, description="Train trees on the fine-tuning rows and blend them with the network.")
    n_estimators: int = Field(300, ge=1, description="Most trees an engagement; early stopping may take fewer.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Shrinkage of each tree.")
    num_leaves: int = Field(31, ge=2, description="Most leaves a tree.")
    min_child_samples: int = Field(100, ge=1, description="Fewest rows a leaf.")
    feature_fraction: float = Field(0.3, gt=0, le=1, description="Share of the features that each tree sees.")
    reg_lambda: float = Field(20.0, ge=0, description="L2 regularisation of the leaves.")
    early_stopping_rounds: int = Field(
        30, ge=1, description="Stop when the out-of-fold loss has not improved for so long."
    )
    folds: int = Field(4, ge=2, description="Folds of the fine-tuning rows that tell how many trees to take.")
    prior_weight: float = Field(
        20.0, gt=0, description="Exposures that the base rate counts for in the smoothed rates that the trees read."
    )
    max_rows: int | None = Field(
        5_000_000,
        ge=1,
        description="At most so many fine-tuning rows, drawn at random; null = all. 1 KB of memory each.",
    )


class EvaluationSettings(Section):
    """How scores are computed."""

    follower_edges: tuple[int, ...] = Field(
        (240, 588, 1331, 3996),
        description="Author groups by follower count; a value on an edge belongs to the upper group.",
    )

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        if list(self.follower_edges) != sorted(set(self.follower_edges)):
            raise ValueError("follower_edges must rise")
        return self


class CheckSettings(Section):
    """What the asset checks tolerate. The first four stop what is downstream; the others only warn."""

    max_duplicate_share: Share = Field(
        0.001, description="A part with a larger share of rows whose tweet and viewer occurred before is not used."
    )
    first_day: date = Field(date(2006, 3, 21), description="First engagement day that is plausible (UTC).")
    last_day: date | None = Field(None, description="Last plausible engagement day (UTC); null = the day of ingest.")
    max_outside_share: Share = Field(
        0.0, description="A part with a larger share of rows outside these days, or without any time, is not used."
    )
    drift_psi: float = Field(
        0.25, gt=0, description="Warn of a part whose features have a larger population stability index."
    )
    label_rate_change: float = Field(
        0.25, gt=0, description="Warn of a part whose rate of an engagement differs by a larger share, beyond chance."
    )
    calibration_error: Share = Field(
        0.02, description="Warn if predicted and observed rate differ by more on the holdout, in any tenth of the rows."
    )
    fairness_rce: float = Field(
        10.0, ge=0, description="Warn if an author group's RCE lies so many points below that of all rows."
    )
    group_calibration: float = Field(
        0.1, gt=0, description="Warn if predicted and observed rate of an author group differ by a larger share."
    )


class PromotionSettings(Section):
    """When a newly trained model replaces the one that predicts."""

    tolerance: float = Field(
        0.5, ge=0, description="Points of holdout RCE, mean of the engagements, that the new model may be worse by."
    )
    keep: int = Field(5, ge=1, description="Models kept, the one that predicts counted, to roll back to.")


class AutomationSettings(Section):
    """When the daemon of `make ui` acts by itself."""

    sensor_seconds: int = Field(30, ge=1, description="Seconds between two looks at `recsys_data`.")
    stable_seconds: int = Field(
        60, ge=0, description="A part is taken when its file has kept its size and time for so many seconds."
    )
    nightly_cron: str = Field(
        "0 3 * * *", pattern=r"^\S+( \S+){4}$", description="When to refresh and retrain if parts have changed (cron)."
    )
    timezone: str = Field("UTC", description="Time zone of `nightly_cron`.")
    freshness_warn_hours: int | None = Field(
        48, ge=1, description="Warn if the newest part, model, evaluation or submission is so old; null = never."
    )
    freshness_fail_hours: int | None = Field(
        192,
        ge=1,
        description="Show it as failing when it is so old; null = no freshness policies. With the defaults nightly "
        "parts are fresh, and weekly ones warn, but do not fail.",
    )

    @model_validator(mode="after")
    def _warning_comes_first(self) -> Self:
        warn, fail = self.freshness_warn_hours, self.freshness_fail_hours
        if warn is not None and fail is not None and warn >= fail:
            raise ValueError("freshness_warn_hours must be less than freshness_fail_hours")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no such time zone")
        return value


class EngineSettings(Section):
    """Where and with how much the SQL runs."""

    threads: int | None = Field(None, ge=1, description="Threads of DuckDB, torch and LightGBM; null = all cores.")
    memory_limit: str = Field(
        "70%",
        pattern=r"^\d+(\.\d+)?\s?(%|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory of DuckDB before it spills to disk.",
    )
    temp_directory: ConfigPath | None = Field(None, description="Where DuckDB spills; null = in working_dir.")
