"""The outcome of one contender on one world, kept as a JSON file with its settings."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engage_pipeline.comparison.child import Cost
from engage_pipeline.comparison.worlds import Variant, WorldSpec
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.metrics import OracleShare, Scores
from engage_pipeline.synthetic.recipes import Recipe


@dataclass(frozen=True)
class RunOutcome:
    """Cost and scores of a contender on the test rows of a world, the oracle's scores on the same rows, and the share.

    `values` are the settings that override its preset's. The outcome of a failed run has a `problem` instead.
    """

    world: WorldSpec
    contender: str
    key: str
    values: dict[str, Any]
    cost: Cost | None = None
    scores: Scores | None = None
    oracle: Scores | None = None
    share: OracleShare | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the outcome as JSON types."""
        return {
            "world": asdict(self.world),
            "contender": self.contender,
            "key": self.key,
            "values": self.values,
            "cost": self.cost and asdict(self.cost),
            "scores": self.scores and self.scores.to_json(),
            "oracle": self.oracle and self.oracle.to_json(),
            "share": self.share and self.share.to_json(),
            "problem": self.problem,
        }


def outcome_path(folder: Path, world: WorldSpec, contender: str) -> Path:
    """Returns the path of an outcome below `folder`."""
    return folder / world.name / f"{contender}.json"


def write_outcome(folder: Path, outcome: RunOutcome) -> None:
    """Writes the outcome below `folder`."""
    with atomic_file(outcome_path(folder, outcome.world, outcome.contender)) as path:
        path.write_text(json.dumps(outcome.to_json(), indent=1), encoding="utf-8")


def read_outcome(folder: Path, world: WorldSpec, contender: str) -> RunOutcome | None:
    """Reads an outcome below `folder`; None if there is none that can be read."""
    try:
        values = json.loads(outcome_path(folder, world, contender).read_text(encoding="utf-8"))
        return RunOutcome(
            WorldSpec(
                values["world"]["rows"],
                values["world"]["seed"],
                Variant(values["world"]["variant"]),
                Recipe(values["world"]["kind"]),
            ),
            values["contender"],
            values["key"],
            values["values"],
            values["cost"] and Cost(**values["cost"]),
            values["scores"] and Scores.from_json(values["scores"]),
            values["oracle"] and Scores.from_json(values["oracle"]),
            values["share"] and OracleShare.from_json(values["share"]),
            values["problem"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
