"""Scores feature rows with trained trees."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.feature_columns import Features
from engage_pipeline.model.trees.inputs import TreeInputs
from engage_pipeline.model.trees.single_row import SingleRowTrees
from engage_pipeline.model.trees.start import BelowTrees, Start
from engage_pipeline.model.trees.training import TREES, trees_file


@dataclass(frozen=True)
class TreeScorer:
    """The trees of the four engagements; the score of an engagement without trees is its start.

    `starts` and `boosters` are in the order of schema.TARGETS; `threads` None = all cores.
    """

    inputs: TreeInputs
    starts: tuple[Start, ...]
    boosters: tuple[Any | None, ...]
    threads: int | None = None

    @classmethod
    def load(cls, folder: Path, threads: int | None = None, prefix: str = "") -> Self | None:
        """Loads the trees of `folder`, from files whose names begin with `prefix`; None if they are disabled.

        Raises UserError naming a bad file.
        """
        path = folder / f"{prefix}{TREES}"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not values["enabled"]:
                return None
            engagements = [values["engagements"][target] for target in schema.TARGETS]
            starts = tuple(Start(**engagement["start"]) for engagement in engagements)
            inputs = TreeInputs.from_json(values, str(path))
        except FileNotFoundError as error:
            raise UserError(f"{path}: no such file") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not a description of trees") from error
        boosters = tuple(
            _read_booster(folder / trees_file(target, prefix), inputs) if engagement["iterations"] else None
            for target, engagement in zip(schema.TARGETS, engagements, strict=True)
        )
        return cls(inputs, starts, boosters, threads)

    def logits(self, table: Features, network_logits: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Returns the logits, float64 [n, 4] in the order of schema.TARGETS.

        `table` has the columns of schema.feature_schema; `network_logits` [n, 4] are the pretrained network's,
        `effects` float32 [n, 4] are effects.columns.EFFECT_COLUMNS.
        """
        logits = np.empty((table.num_rows, len(schema.TARGETS)))
        matrix = self.inputs.matrix(table, network_logits, effects)
        for target, (start, booster) in enumerate(zip(self.starts, self.boosters, strict=True)):
            logits[:, target] = start.logits(BelowTrees(network_logits[:, target], effects[:, target]))
            if booster is None or not table.num_rows:
                continue
            if table.num_rows == 1:
                logits[:, target] += self._single_row[target].score(matrix)
            else:
                logits[:, target] += booster.predict(matrix, raw_score=True, num_threads=self.threads or 0)
        return logits

    @cached_property
    def _single_row(self) -> dict[int, SingleRowTrees]:
        """The boosters for one row, by their place."""
        return {place: SingleRowTrees(booster) for place, booster in enumerate(self.boosters) if booster is not None}


def _read_booster(path: Path, inputs: TreeInputs) -> Any:
    import lightgbm

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        booster = lightgbm.Booster(model_file=str(path))
    except lightgbm.basic.LightGBMError as error:
        raise UserError(f"{path}: not a LightGBM model ({error})") from error
    if tuple(booster.feature_name()) != inputs.columns:
        raise UserError(f"{path}: its columns differ from those of {TREES}; train the trees again")
    return booster
