"""Code references of assets: the asset itself, the library function that does its work, its main SQL.

The UI opens them in an editor. Paths and lines are found without importing the modules, because assets import them
only when they run. References to code that is not a file, in a package installed in another form, are left out.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

PACKAGE = Path(__file__).parents[2]
WORK: dict[str, tuple[str, ...]] = {
    "tweet_parts": (
        "ingest/part_publishing.py:publish_parts",
        "ingest/part_ingest.py:ingest_part",
    ),
    "validation_tweets": (
        "ingest/drafts.py:write_validation",
        "ingest/part_ingest.py:ingest_part",
        "ingest/validation_split.py:validation_split",
    ),
    "test_tweets": ("ingest/drafts.py:write_test", "ingest/part_ingest.py:ingest_part"),
    "interaction_counts": (
        "interactions/counters/counting.py:count_training",
        "interactions/shards/counting.py:count_shard",
    ),
    "author_similarity": ("interactions/graphs/similarity.py:similar_authors",),
    "user_communities": (
        "interactions/graphs/communities.py:find_communities",
        "interactions/graphs/exposure_matrix.py:ExposureMatrix",
    ),
    "validation_counts": (
        "interactions/counters/counting.py:count_validation",
        "interactions/shards/counting.py:count_shard",
    ),
    "interaction_features": (
        "interactions/features/part_publishing.py:publish_parts",
        "interactions/shards/leaving_out.py:Shard",
    ),
    "validation_features": (
        "interactions/features/part_publishing.py:write_parts",
        "interactions/features/windows.py:Windows",
    ),
    "test_features": (
        "interactions/features/part_publishing.py:write_parts",
        "interactions/features/windows.py:Windows",
    ),
    "finetuned_encoder": ("language/finetuning.py:finetune_encoder",),
    "token_sketches": ("language/token_vectors.py:sketch_tokens",),
    "emde_sketches": ("language/emde.py:code_tokens",),
    "tweet_topics": ("language/topics.py:fit_topics", "language/topics.py:TopicModel"),
    "pretrained_network": (
        "model/network/pretraining.py:pretrain_network",
        "model/network/network.py:EngagementNetwork",
    ),
    "finetuned_network": ("model/network/finetuning.py:finetune_network", "model/network/network.py:EngagementNetwork"),
    "engagement_effects": ("model/effects/training.py:train_effects", "model/effects/fitting.py:Fit"),
    "engagement_trees": ("model/trees/training.py:train_trees",),
    "candidate_model": ("model/bundle.py:build_bundle",),
    "trained_model": ("model/promotion/promotion.py:promote",),
    "evaluation": ("model/evaluation/holdout.py:evaluate_model", "model/evaluation/templates/report.html"),
    "submission": ("submission/results.py:write_submission",),
}
"""By asset: files of this package, or definitions in one of them."""


def code_references(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Returns Dagster's metadata of the code of the asset `name`, made by `function`; empty if none is a file."""
    with warnings.catch_warnings():
        # Code references are beta in Dagster 1.13, the version that pyproject.toml allows.
        warnings.simplefilter("ignore", dg.BetaWarning)
        found = [
            dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=label)
            for path, line, label in _places(name, function)
        ]
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=found)} if found else {}


def _places(name: str, function: Callable[..., Any]) -> Iterator[tuple[Path, int, str]]:
    """Yields path, line (from 1) and label of each reference."""
    asset = Path(function.__code__.co_filename)
    if asset.is_file():
        yield asset.resolve(), function.__code__.co_firstlineno, f"asset {name}"
    for place in WORK[name]:
        file, _, defined = place.partition(":")
        path = PACKAGE / file
        if path.is_file():
            yield path, _line(path, defined) if defined else 1, defined or path.name


def _line(path: Path, defined: str) -> int:
    """Returns the line where the function or class is defined; 1 if it is not found."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^(?:def|class) {re.escape(defined)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1
