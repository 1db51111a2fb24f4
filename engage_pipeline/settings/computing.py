"""Sections of settings that change what is computed, each a pydantic model: names, types, ranges, defaults, meanings.

A field's description is its documentation. What does not belong here: reading a settings file (settings.settings),
and settings that change no artifact (settings.operating).
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from engage_pipeline.settings.section import SettingsSection, Share, expanded_path

AUTO, NONE, TINY = "auto", "none", "tiny"
"""Values of `encoder.model` that are neither a folder nor a name of the hub."""
DISTILBERT = "distilbert-base-multilingual-cased"
_RESERVED = (AUTO, NONE, TINY)


def _model_from_config_folder(name: str, info: ValidationInfo) -> str:
    """Returns a local folder relative to the configuration file as a path; other names are the hub's, or reserved."""
    folder = (info.context or {}).get("folder", Path.cwd()) / expanded_path(Path(name))
    return os.path.normpath(folder) if name not in _RESERVED and folder.is_dir() else name


class IngestSettings(SettingsSection):
    """How raw parts are read."""

    max_rejected_share: Share = Field(0.01, description="A part with a larger share of rejected lines fails.")


class EncoderSettings(SettingsSection):
    """The text encoder: masked-language-model fine-tuning and the token vectors taken from it."""

    model: Annotated[str, AfterValidator(_model_from_config_folder)] = Field(
        AUTO,
        description=f"Hub name or local folder of the encoder; `{TINY}` makes a small DistilBERT from nothing; "
        f"`{NONE}`: there are no sketches, the network reads words alone; `{AUTO}` = {DISTILBERT}, or `{NONE}` where "
        "it can't be had when the encoder is first made.",
    )
    tiny_dim: int = Field(64, ge=8, description="Hidden size of the `tiny` encoder.", multiple_of=4)
    tiny_layers: int = Field(2, ge=1, description="Layers of the `tiny` encoder.")
    parts: int = Field(1, ge=1, description="Training parts that the encoder is fine-tuned on and sketched from.")
    max_tweets: int | None = Field(None, ge=10, description="At most so many distinct tweets; null = all of the parts.")
    epochs: int = Field(1, ge=0, description="Fine-tuning epochs; 0 = take the encoder as it is.")
    max_tokens: int = Field(
        100,
        ge=4,
        le=512,
        description="The encoder is fine-tuned on tweets cut or zero-padded to so many tokens. Token vectors are taken "
        "from uncut tweets; those of `tiny`, which knows no later places, from cut ones.",
    )
    batch_size: int = Field(16, ge=1, description="Tweets a fine-tuning step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate of fine-tuning.")
    warmup_steps: int = Field(1000, ge=0, description="Steps of linear warm-up.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of fine-tuning.")
    mask_probability: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that are masked.")
    heldout_share: float = Field(0.02, gt=0, lt=1, description="Share of the tweets held out for the loss.")
    patience: int | None = Field(
        3,
        ge=1,
        description="From the end of the warm-up on, the loss of held-out tweets is measured at every twentieth of the "
        "steps. Fine-tuning stops once so many measurements brought less than 0.2 % over the best before them, and the "
        "weights of the least loss are published; null = all steps are taken, and the last weights published.",
    )
    save_steps: int = Field(100_000, ge=1, description="Steps between checkpoints.")
    checkpoint: int | None = Field(
        None, ge=1, description="Sketch from the checkpoint of this step; null = from the published weights."
    )

    @property
    def base(self) -> str | None:
        """The hub name or local folder of the encoder that fine-tuning starts from; None for `tiny` and `none`."""
        return DISTILBERT if self.model == AUTO else None if self.model in _RESERVED else self.model


class TopicSettings(SettingsSection):
    """The topics of tweets: clusters of their tokens, within each language."""

    most_per_language: int = Field(60, ge=1, description="Topics of a language; fewer where its tweets are fewer.")
    tweets_per_topic: int = Field(
        60, ge=1, description="Tweets of a language per topic; a language with fewer than twice as many is one topic."
    )
    dimensions: int = Field(
        64,
        ge=1,
        description="Numbers in the vector of a tweet that is given a topic; at most two per topic of its language.",
    )
    max_tweets: int = Field(40_000, ge=1, description="At most so many distinct tweets of `encoder.parts` are read.")


class CommunitySettings(SettingsSection):
    """The communities of users: clusters of who is shown whom."""

    count: int | None = Field(None, ge=2, description="Communities; null = 1.5 times the square root of the users.")
    dimensions: int = Field(64, ge=1, description="Numbers in the vector of a user who is given a community.")
    max_authors: int = Field(200_000, ge=1, description="At most so many authors, the most shown, span the vectors.")


class NetworkSettings(SettingsSection):
    """The network and its two schedules."""

    architecture: Literal["deep_fm", "residual", "deep_cross"] = Field(
        "deep_fm",
        description="`deep_fm`: embeddings of viewers, authors and words, and their products, below two deep layers; "
        "`residual`: four layers with skips, the reference's; `deep_cross`: low-rank cross layers beside two deep ones "
        "(DCN V2). The last two read no ids, and Fourier features of the numbers.",
    )
    hidden_size: int = Field(256, ge=2, description="Width of the hidden layers (`deep_fm`: the second has half).")
    embedding_size: int = Field(16, ge=1, description="Size of each embedding.")
    members: int = Field(
        3,
        ge=1,
        description="Networks of other random weights that train side by side on the same batches; the mean of their "
        "logits predicts (`deep_fm`; of the others there is one).",
    )
    vocabulary: int = Field(
        50_000,
        ge=1,
        description="At most so many viewers, authors and tokens, those of most training rows, have embeddings "
        "(`deep_fm`).",
    )
    sketches: bool = Field(
        True,
        description="Read tweet sketches beside the words (`deep_fm`; the others always read them). They bring what a "
        "pretrained encoder knows of words that are rare here.",
    )
    batch_size: int = Field(512, ge=2, description="Rows a training step.")
    learning_rate: float = Field(3e-3, gt=0, description="Highest learning rate of each schedule.")
    weight_decay: float = Field(0.01, ge=0, description="Weight decay of AdamW.")
    schedule: Literal["days", "shuffled"] = Field(
        "shuffled",
        description="`days`: engagement days in order, the optimizer started anew for each (the reference), rows "
        "of stray days left out; "
        "`shuffled`: all days mixed, one optimizer, cosine decay.",
    )
    epochs: int = Field(1, ge=1, description="Passes over the training rows (`shuffled`) or over each day (`days`).")
    decay_per_day: float = Field(0.96, gt=0, le=1, description="Factor on the learning rate after each day (`days`).")
    finetuning_learning_rate: float | None = Field(
        1e-3, gt=0, description="Learning rate at the start of fine-tuning; null = learning_rate."
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
    processes: int = Field(
        1, ge=1, description="Processes that train together, each on its share of every batch; on GPUs one for each."
    )
    warm_start: bool = Field(
        False, description="Start training from the weights of the last network of this architecture and shape."
    )
    warm_epochs: int = Field(1, ge=1, description="Passes over the training rows after such a start.")


class TreeSettings(SettingsSection):
    """The LightGBM trees of the second stage, and how they are blended with the network."""

    enabled: bool = Field(True, description="Train trees on the fine-tuning rows and blend them with the network.")
    n_estimators: int = Field(150, ge=1, description="Most trees an engagement; early stopping may take fewer.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Shrinkage of each tree.")
    num_leaves: int = Field(31, ge=2, description="Most leaves a tree.")
    min_child_samples: int = Field(100, ge=1, description="Fewest rows a leaf.")
    feature_fraction: float = Field(0.3, gt=0, le=1, description="Share of the features that each tree sees.")
    reg_lambda: float = Field(20.0, ge=0, description="L2 regularisation of the leaves.")
    early_stopping_rounds: int = Field(
        15, ge=1, description="Stop when the out-of-fold loss has not improved for so long."
    )
    folds: int = Field(4, ge=2, description="Folds of the fine-tuning rows that tell how many trees to take.")
    tested_rows: int = Field(
        30_000,
        ge=1,
        description="Folds are held out, one after the other, until so many rows were: of more rows fewer folds, at "
        "least one, so that the time grows no faster than the rows.",
    )
    rows_per_tree: int | None = Field(
        100_000,
        ge=1,
        description="At most so many rows grow a tree, drawn anew for each by `seed`; null = all. So the time grows no "
        "faster than the rows, though more rows take more trees.",
    )
    prior_weight: float = Field(
        20.0, gt=0, description="Exposures that the base rate counts for in the smoothed rates that the trees read."
    )
    max_rows: int | None = Field(
        5_000_000,
        ge=1,
        description="At most so many rows; null = all. Of more rows a sample is "
        "taken, each row with the same chance, drawn by `seed`; held-out rows never. 1 KB of memory each.",
    )


class EvaluationSettings(SettingsSection):
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
