"""Every artifact: its stage, its inputs, and the settings and code it depends on.

Only this module defines the graph. The Dagster assets take their dependencies, groups and code versions from it; the
store derives from it whether an artifact is current. What does not belong here: how an artifact is made.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from engage_pipeline.settings.computing import EncoderSettings, NetworkSettings
from engage_pipeline.settings.settings import Settings, settings_from


class Stage(StrEnum):
    """The five stages, in the order of the flow, which is also alphabetical."""

    INGEST = "ingest"
    INTERACTIONS = "interactions"
    LANGUAGE = "language"
    MODEL = "model"
    SUBMISSION = "submission"


@dataclass(frozen=True)
class Artifact:
    """One node of the graph.

    `settings` are dotted names of Settings; a section's name means all of its fields. `code_version` rises when the
    same inputs and settings would give another result. A partitioned artifact has one version per training part. An
    unpartitioned artifact made of parts takes the first n by name; the setting `parts_setting` is n. An artifact with a
    `kept_setting` keeps as many versions for a rollback as that setting says.
    """

    name: str
    stage: Stage
    inputs: tuple[str, ...]
    settings: tuple[str, ...]
    code_version: str
    partitioned: bool = False
    parts_setting: str = "max_n_parts"
    kept_setting: str | None = None


_ENCODER_TRAINING = tuple(f"encoder.{name}" for name in EncoderSettings.model_fields if name != "checkpoint")
_PRETRAINING = tuple(f"network.{name}" for name in NetworkSettings.model_fields if not name.startswith("finetuning"))
FURTHER = "features.further"
"""The families of features.counters that the counters depend on; people see it as part of features.counters."""
SCORED_FILE = "features.scored_file"
"""Whether the trees read counts inside the scored file; people see it as part of features.families."""
_FEATURE_INPUTS = ("interaction_counts", "author_similarity", "validation_counts")
_REPORTED = (
    "tweet_parts",
    "validation_tweets",
    *_FEATURE_INPUTS,
    "interaction_features",
    "finetuned_encoder",
    "token_sketches",
    "emde_sketches",
    "tweet_topics",
    "user_communities",
)
"""Artifacts that the report shows beside the model: inputs of `evaluation`, so that a change makes it stale."""

ARTIFACTS: dict[str, Artifact] = {
    artifact.name: artifact
    for artifact in (
        Artifact("tweet_parts", Stage.INGEST, (), (), "7", partitioned=True),
        Artifact(
            "validation_tweets",
            Stage.INGEST,
            (),
            ("seed", "validation_percentage", "num_validation_chunks"),
            "7",
        ),
        Artifact("test_tweets", Stage.INGEST, (), (), "5"),
        Artifact("interaction_counts", Stage.INTERACTIONS, ("tweet_parts",), ("max_n_parts", FURTHER), "4"),
        Artifact(
            "author_similarity",
            Stage.INTERACTIONS,
            ("tweet_parts",),
            ("max_n_parts", "authors_similarity_top_N", "authors_similarity_threshold"),
            "2",
        ),
        Artifact(
            "user_communities",
            Stage.INTERACTIONS,
            ("interaction_counts",),
            ("communities", "features.communities", "seed"),
            "4",
        ),
        Artifact("validation_counts", Stage.INTERACTIONS, ("validation_tweets",), (FURTHER,), "2"),
        Artifact(
            "interaction_features",
            Stage.INTERACTIONS,
            ("tweet_parts", *_FEATURE_INPUTS),
            ("features.counters",),
            "5",
            partitioned=True,
        ),
        Artifact(
            "validation_features",
            Stage.INTERACTIONS,
            ("validation_tweets", *_FEATURE_INPUTS),
            ("features.counters",),
            "5",
        ),
        Artifact("test_features", Stage.INTERACTIONS, ("test_tweets", *_FEATURE_INPUTS), ("features.counters",), "5"),
        Artifact(
            "finetuned_encoder",
            Stage.LANGUAGE,
            ("tweet_parts",),
            (*_ENCODER_TRAINING, "seed", "training_threads"),
            "4",
            parts_setting="encoder.parts",
        ),
        Artifact(
            "token_sketches",
            Stage.LANGUAGE,
            ("finetuned_encoder", "tweet_parts"),
            ("encoder.parts", "encoder.max_tweets", "encoder.max_tokens", "encoder.checkpoint", "training_threads"),
            "3",
            parts_setting="encoder.parts",
        ),
        Artifact(
            "emde_sketches",
            Stage.LANGUAGE,
            ("token_sketches",),
            ("sketch_width", "sketch_depth", "seed"),
            "2",
        ),
        Artifact(
            "tweet_topics",
            Stage.LANGUAGE,
            ("tweet_parts",),
            ("topics", "features.topics", "encoder.parts", "seed"),
            "5",
            parts_setting="encoder.parts",
        ),
        Artifact(
            "pretrained_network",
            Stage.MODEL,
            ("interaction_features", "interaction_counts", "emde_sketches"),
            (*_PRETRAINING, "max_n_parts", "max_n_parts_in_memory", "seed", "training_threads"),
            "9",
        ),
        Artifact(
            "finetuned_network",
            Stage.MODEL,
            ("pretrained_network", "validation_features", "emde_sketches"),
            (
                *("network", "trees.enabled", "trees.folds", "trees.tested_rows", "num_validation_chunks"),
                *("refit", "seed", "training_threads"),
            ),
            "9",
        ),
        Artifact(
            "engagement_effects",
            Stage.MODEL,
            ("interaction_features", "validation_features", "tweet_topics", "user_communities"),
            ("effects", "features.effects", "max_n_parts", "refit"),
            "24",
        ),
        Artifact(
            "engagement_trees",
            Stage.MODEL,
            ("pretrained_network", "engagement_effects", "validation_features", "emde_sketches"),
            ("trees", "features.effects", SCORED_FILE, "refit", "seed", "training_threads"),
            "5",
        ),
        Artifact(
            "candidate_model",
            Stage.MODEL,
            (
                "pretrained_network",
                "finetuned_network",
                "engagement_effects",
                "engagement_trees",
                "interaction_features",
                "validation_features",
                "emde_sketches",
            ),
            ("trees.enabled", "features.effects", "max_n_parts", "training_threads"),
            "9",
        ),
        Artifact(
            "trained_model",
            Stage.MODEL,
            ("candidate_model", "validation_features"),
            (),
            "4",
            kept_setting="promotion.keep",
        ),
        Artifact(
            "evaluation",
            Stage.MODEL,
            (
                "candidate_model",
                "trained_model",
                "validation_features",
                "pretrained_network",
                "finetuned_network",
                "engagement_effects",
                "engagement_trees",
                *_REPORTED,
            ),
            ("evaluation", "trees.enabled", "max_n_parts"),
            "8",
        ),
        Artifact("submission", Stage.SUBMISSION, ("trained_model", "test_features", "test_tweets"), (), "1"),
    )
}


def setting_values(artifact: Artifact, settings: Settings) -> dict[str, Any]:
    """Returns the values of the settings that `artifact` depends on, by dotted name, as JSON types."""
    return {name: setting_value(name, settings) for name in artifact.settings}


def setting_value(name: str, settings: Settings) -> Any:
    """Returns the value of the setting with the dotted `name`, as JSON types."""
    value: Any = settings.model_dump(mode="json")
    for step in name.split("."):
        value = value[step]
    return value


def relevant_settings(name: str, settings: Settings) -> dict[str, Any]:
    """Returns the settings that the artifact `name` or any of its ancestors depends on, by dotted name."""
    values: dict[str, Any] = {}
    for ancestor in ancestry(name):
        values |= setting_values(ARTIFACTS[ancestor], settings)
    return dict(sorted(values.items()))


@cache
def default_settings(name: str) -> dict[str, Any]:
    """Returns the defaults of `relevant_settings`."""
    return relevant_settings(name, Settings())


def shown_version(name: str, settings: Settings) -> str:
    """Returns the code version of the artifact `name` for Dagster: with a digest of the settings that are not defaults.

    So Dagster calls a version out of date where `store.staleness` does: after a change of the code or of a setting.
    """
    changed = _differences(relevant_settings(name, settings), default_settings(name))
    return ARTIFACTS[name].code_version + (f" {digest(changed)[:8]}" if changed else "")


def changed_settings(name: str, settings: Settings) -> dict[str, Any]:
    """Returns the settings of `relevant_settings` that differ from those of their preset, by dotted name."""
    preset = settings_from({"preset": settings.preset}, folder=Path())
    return _differences(relevant_settings(name, settings), relevant_settings(name, preset))


def _differences(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Returns the values that differ from the defaults, by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            found |= {f"{name}.{below}": one for below, one in _differences(value, default).items()}
        elif value != default:
            found[name] = value
    return found


def ancestry(name: str) -> set[str]:
    """Returns `name` and every artifact it is made of, directly or not."""
    names = {name}
    for parent in ARTIFACTS[name].inputs:
        names |= ancestry(parent)
    return names


def digest(value: Any) -> str:
    """Returns the first 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
