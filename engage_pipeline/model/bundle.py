"""The bundle: everything that turns feature rows into probabilities, in one flat folder.

| file | what |
|---|---|
| `finetuned_network.*` | the fine-tuned network |
| `codes.parquet` | the token codes that both networks read |
| `blend.json` | the weights of the blend |
| `trees.json` | the trees' columns, or that they are disabled |
| `trees_*.txt`, `pretrained_network.*` | the trees and the network whose logits they read, unless disabled |
| `effects.json`, `effect_*.arrow`, `topics.*`, `communities.parquet` | the effects, which the trees read too |
| `decided_*` | fine-tuned network, trees and effects that are compared on the holdout, which they have not seen |
| `training_profile.parquet` | the profile of the training rows, which rows to predict are compared with |

Only this module knows which model reads the output of which. How each one scores is in network.scoring,
effects.scoring, trees.scoring and blend.
"""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import rows_at
from engage_pipeline.language.codes import CODES, load_codes
from engage_pipeline.machine.device import Device
from engage_pipeline.machine.threads import training_threads
from engage_pipeline.model.blend import (
    BLEND,
    NETWORK_ONLY,
    WITH_EFFECTS,
    WITHOUT_EFFECTS,
    Chosen,
    Weights,
    blend_logits,
    choose_weights,
    read_blend,
    write_blend,
)
from engage_pipeline.model.effects.columns import EFFECT_LOGITS
from engage_pipeline.model.effects.columns import read_columns as read_effects
from engage_pipeline.model.effects.scoring import EffectScorer, copy_effects
from engage_pipeline.model.feature_columns import Features
from engage_pipeline.model.out_of_fold import OutOfFold, of_rows_in_both
from engage_pipeline.model.trees.scoring import TreeScorer
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.numerics.logistic import log_losses, sigmoid
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.store import Version

if TYPE_CHECKING:
    from engage_pipeline.model.network.scoring import NetworkScorer

TRAINING_PROFILE = "training_profile.parquet"
PRETRAINED, FINETUNED = "pretrained_", "finetuned_"
LEAST_PROBABILITY = 1e-6
"""Probabilities are kept this far from 0 and 1."""
BATCH_ROWS = 16_384
_NETWORK_FILES = ("network.json", "network.safetensors")


@dataclass(frozen=True)
class TrainedModel:
    """The model of a bundle. `pretrained`, `effects` and `trees` are None if trees are disabled."""

    finetuned: "NetworkScorer"
    pretrained: "NetworkScorer | None"
    effects: EffectScorer | None
    trees: TreeScorer | None
    blend: dict[str, Weights]

    @property
    def reads_scored_file(self) -> bool:
        """Whether the trees read counts inside the scored file, which scored_file.ScoredFile puts beside the rows."""
        return self.trees is not None and self.trees.inputs.scored_file

    @classmethod
    def load(
        cls, source: Path | Version, threads: int | None = None, device: Device = "cpu", *, decided: bool = False
    ) -> Self:
        """Loads the model from a folder, or from a published version, whose files are checked.

        `decided`: the model that no holdout row has taught, to be scored on such rows.
        `threads` is for torch and LightGBM; None = all cores. `device` is that of the networks, as engine.device.
        Raises UserError naming a file that is missing, damaged, or made for other columns, or if there is no such
        device.
        """
        if isinstance(source, Version):
            source = source.directory()
        return cls(*_load_models(source, threads, device, decided=decided), read_blend(source / BLEND))

    def components(self, table: Features) -> dict[str, np.ndarray]:
        """Returns logits float64 [n, 4], in the order of TARGETS, of the `network` and of the model, the `blend`; with
        trees also of `pretrained` and `trees`, and of the `effects` if any are on.

        `table` has the columns of schema.feature_schema, labelled or not; if reads_scored_file, also those of
        schema.SCORED_FILE_FEATURES, whose values are missing if it lacks them. Raises UserError naming the row if a
        logit is not finite.
        """
        logits = {name: found.astype(np.float64) for name, found in self._networks(table).items()}
        _check_finite("network", logits["network"], table)
        if self.trees is not None and self.effects is not None:
            _check_finite("pretrained network", logits["pretrained"], table)
            effects = self.effects.columns(table)
            if self.effects.enabled:
                logits["effects"] = effects[:, : len(EFFECT_LOGITS)].astype(np.float64)
            logits["trees"] = self.trees.logits(table, logits["pretrained"], effects)
        return {**logits, "blend": blend_logits(self.blend, logits)}

    def _networks(self, table: Features) -> dict[str, np.ndarray]:
        from engage_pipeline.model.network.scoring import logits_of_both

        if self.pretrained is None:
            return {"network": self.finetuned.logits(table)}
        network, pretrained = logits_of_both(self.finetuned, self.pretrained, table, alike=self._read_alike)
        return {"network": network, "pretrained": pretrained}

    @cached_property
    def _read_alike(self) -> bool:
        """Whether both networks read the same of a row. A single row would spend its time on finding that out."""
        return self.pretrained is not None and self.finetuned.reads_like(self.pretrained)

    def probabilities(self, table: Features) -> np.ndarray:
        """Returns probabilities float64 [n, 4], in the order of TARGETS, at least LEAST_PROBABILITY from 0 and 1."""
        return to_probabilities(self.components(table)["blend"])


def to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Applies the logistic function, float64, clipped to LEAST_PROBABILITY from 0 and 1."""
    return np.clip(sigmoid(logits), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)


def build_bundle(
    output: Path,
    *,
    pretrained: Path,
    finetuned: Path,
    effects: Path,
    trees: Path,
    features: Path,
    codes_path: Path,
    settings: Settings,
) -> dict[str, Any]:
    """Assembles the bundle in the folder `output` and chooses its blend; returns figures for people.

    `pretrained` and `finetuned` are folders with a network, `effects` is the folder of train_effects, `trees` that of
    train_trees, `features` the Parquet file of validation_features, `codes_path` the codes.parquet of emde_sketches.
    """
    shutil.copyfile(codes_path, output / CODES)
    for prefix in ("", DECIDED):
        _copy_network(finetuned, output, prefix, f"{prefix}{FINETUNED}")
    for path in sorted(trees.glob("*trees*")):
        shutil.copyfile(path, output / path.name)
    if TreeScorer.load(output) is None:
        write_blend(dict.fromkeys(schema.TARGETS, NETWORK_ONLY), output / BLEND)
        return {"trees": False}
    _copy_network(pretrained, output, "", PRETRAINED)
    copy_effects(effects, output)
    rows, network_logits, tree_logits = of_rows_in_both(OutOfFold.read(finetuned), OutOfFold.read(trees))
    logits = {"network": network_logits, "trees": tree_logits}
    if settings.features.effects:
        logits["effects"] = read_effects(effects)[rows]
    labels, viewers = _labels_and_viewers(features, rows)
    with training_threads(settings):
        prior = WITH_EFFECTS if settings.features.effects else WITHOUT_EFFECTS
        chosen = dict(zip(schema.TARGETS, choose_weights(logits, labels, viewers, prior), strict=True))
    blend = {target: one.weights for target, one in chosen.items()}
    write_blend(blend, output / BLEND)
    logits["blend"] = blend_logits(blend, logits)
    return {"trees": True, "blend_rows": len(labels), "engagements": _facts(chosen, logits, labels)}


def _load_models(
    folder: Path, threads: int | None, device: Device, *, decided: bool = False
) -> "tuple[NetworkScorer, NetworkScorer | None, EffectScorer | None, TreeScorer | None]":
    from engage_pipeline.model.network.scoring import NetworkScorer

    if not (folder / CODES).is_file():
        raise UserError(f"{folder / CODES}: no such file")
    codes, prefix = load_codes(folder / CODES), DECIDED if decided else ""
    trees = TreeScorer.load(folder, threads, prefix)
    finetuned = NetworkScorer.load(folder, codes, threads=threads, prefix=f"{prefix}{FINETUNED}", device=device)
    if trees is None:
        return finetuned, None, None, None
    pretrained = NetworkScorer.load(folder, codes, threads=threads, prefix=PRETRAINED, device=device)
    return finetuned, pretrained, EffectScorer.load(folder, decided=decided), trees


def _copy_network(source: Path, output: Path, before: str, after: str) -> None:
    """Copies the files of a network whose names begin with `before`, and calls them `after`."""
    for name in _NETWORK_FILES:
        shutil.copyfile(source / f"{before}{name}", output / f"{after}{name}")


def _labels_and_viewers(features: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels bool [n, 4] and the viewers as numbers, int [n], of the rows at the positions `rows`."""
    columns = [*schema.TARGETS, "engaging_user_id"]
    with pq.ParquetFile(features) as file:
        found = [*rows_at(file, rows, BATCH_ROWS, columns)]
        table = pa.concat_tables(found) if found else file.schema_arrow.empty_table().select(columns)
    labels = np.column_stack([table[target].to_numpy() for target in schema.TARGETS])
    return labels, metrics.viewer_numbers(table["engaging_user_id"].cast(pa.string()))


def _facts(chosen: dict[str, Chosen], logits: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, Any]:
    if not len(labels):
        return {}
    losses = {name: log_losses(values, labels).mean(axis=0) for name, values in logits.items()}
    return {
        target: {
            "network_weight": one.weights.network,
            "trees_weight": one.weights.trees,
            "effects_weight": one.weights.effects,
            "best_alone": one.alone,
            "gain": one.gain,
            "gain_error": one.error,
            "log_loss": {name: float(loss[i]) for name, loss in losses.items()},
        }
        for i, (target, one) in enumerate(chosen.items())
    }


def _check_finite(name: str, logits: np.ndarray, table: Features) -> None:
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        line = np.asarray(table[schema.LINE_NUMBER])[broken[0]]
        raise UserError(f"line number {line}: the {name} gives no number ({len(broken)} such rows)")
