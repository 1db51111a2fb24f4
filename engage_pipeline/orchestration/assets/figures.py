"""What Dagster's UI shows of a version as its metadata: single numbers, which it plots over time, and files to open.

What does not belong here: the tables and plots of one version (the assets).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from engage_pipeline.model.facts import EvaluationFacts
from engage_pipeline.model.promotion.facts import CANDIDATE, CURRENT, ModelFacts
from engage_pipeline.plurals import counted
from engage_pipeline.store.file_names import ENCODER_CARD, MODEL_CARD, REPORT, RESULTS
from engage_pipeline.store.store import ArtifactStore, Manifest

FILES = {
    "finetuned_encoder": {"model card": ENCODER_CARD},
    "trained_model": {"model card": MODEL_CARD},
    "evaluation": {"report": REPORT},
    "submission": {"results": RESULTS},
}
"""Files of an artifact that people open, by label."""
LONGEST_JSON, LONGEST_TEXT = 300, 2000
"""Largest numbers of characters of a figure that is shown; a longer one has a table or a plot instead."""
DIGITS = 4
"""Significant digits of a number for people."""
HASH_DIGITS, MOST_FILES, LONGEST_LINE = 12, 3, 50
"""Digits shown of a SHA-256, files named, and characters of their line: a line that can't break cuts the table's last
column off in the UI."""
_HASH = re.compile(r"[0-9a-f]{64}")
_LABELS = {
    "days": "engagement days",
    "forgotten": "forgotten lines",
    "forgotten_rows": "forgotten rows among them",
}
"""What people read instead of a fact's name."""
_EXACT = frozenset({"seconds"})
"""Figures that have few digits as they are."""
_FIRST = ("decision",)
"""Facts that stand above all others, as the UI keeps the order."""
_AS_NUMBERS = frozenset({"scores", "rce", "ap", "share_of_positives", "rce_difference"})
"""Facts that are shown as single numbers (quality_figures) and in tables."""


def describe(store: ArtifactStore, manifest: Manifest) -> dict[str, Any]:
    """Returns the figures of a published artifact as Dagster metadata."""
    figures: dict[str, Any] = {name: manifest.facts[name] for name in _FIRST if name in manifest.facts}
    if manifest.rows is not None:
        figures["dagster/row_count" if manifest.key is None else "dagster/partition_row_count"] = manifest.rows
    folder = (store.folder(manifest.artifact, manifest.key) / manifest.directory).absolute()
    files = FILES.get(manifest.artifact, {})
    figures |= {label: dg.MetadataValue.path(folder / name) for label, name in files.items() if name in manifest.files}
    figures |= quality_figures(manifest)
    facts = {name: value for name, value in manifest.facts.items() if name not in {"rows", *_FIRST, *_AS_NUMBERS}}
    figures = {
        name: value if name in _EXACT else _short_hashes(rounded(value)) for name, value in {**figures, **facts}.items()
    }
    figures = {
        _LABELS.get(name, name): value for name, value in figures.items() if name not in facts or _is_readable(value)
    }
    figures |= {
        "bytes": manifest.own_bytes,
        "version": manifest.version,
        "files": _file_names(sorted(manifest.files)),
        "dagster/uri": folder.as_uri(),
    }
    return {name: dg.MetadataValue.json(v) if isinstance(v, dict | list) else v for name, v in figures.items()}


def quality_figures(manifest: Manifest) -> dict[str, float]:
    """Returns the scores on the holdout rows by name, of `evaluation` and `trained_model`; empty for others.

    `ap_like` is in [0, 1], `rce_like` in percent, `share_like` the share of positives in [0, 1], which is the AP of
    chance; the other engagements have the same. `ap_mean` and `rce_mean` are means over the engagements,
    `…_mean_by_group` also over the authors' follower groups. They are those of the candidate in `evaluation`, of the
    model that predicts in `trained_model`; after a rollback or a promotion by hand `rce_mean` alone, as it was at the
    model's promotion. A score that is unknown is left out.
    """
    if manifest.artifact == "evaluation":
        evaluation = EvaluationFacts.read(manifest)
        scores = evaluation.scores.get(evaluation.main_model, {})
        found = {f"{metric}_{name}": one.get(metric) for metric in ("ap", "rce") for name, one in scores.items()}
        return _known(found) | _shares({name: n / evaluation.rows for name, n in evaluation.positives.items()})
    if manifest.artifact == "trained_model":
        facts = ModelFacts.read(manifest)
        model = CANDIDATE if facts.candidate == manifest.version else CURRENT
        by_metric = {"ap": facts.ap, "rce": facts.rce}
        found = {
            f"{metric}_{name}": value
            for metric, scores in by_metric.items()
            for name, value in scores.get(model, {}).items()
        }
        return _known({"rce_mean": facts.rce_at_promotion} | found) | _shares(facts.share_of_positives)
    return {}


def _known(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _shares(values: Mapping[str, float]) -> dict[str, float]:
    return {f"share_{name}": share for name, share in values.items()}


def _file_names(names: Sequence[str]) -> str:
    """Returns the names, or such as `80 files: a, b, c, …`: as many of the first ones as the line has room for."""
    if len(names) <= MOST_FILES:
        return ", ".join(names)
    lines = [f"{counted(len(names), 'file')}: {', '.join(names[:most])}, …" for most in range(MOST_FILES, 0, -1)]
    return next((line for line in lines if len(line) <= LONGEST_LINE), lines[-1])


def rounded(value: Any) -> Any:
    """Returns a value, in which every float, also in lists and mappings, has at most DIGITS significant digits."""
    if isinstance(value, Mapping):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _short_hashes(value: Any) -> Any:
    """Returns a value, in which every SHA-256, also in mappings, has its first HASH_DIGITS digits only."""
    if isinstance(value, Mapping):
        return {name: _short_hashes(one) for name, one in value.items()}
    return value[:HASH_DIGITS] if isinstance(value, str) and _HASH.fullmatch(value) else value


def _is_readable(value: Any) -> bool:
    """Returns whether a table of figures can show the value; long lists, such as curves, are plotted instead."""
    longest = LONGEST_JSON if isinstance(value, dict | list) else LONGEST_TEXT
    return value not in (None, {}, []) and len(json.dumps(value, default=str)) <= longest
