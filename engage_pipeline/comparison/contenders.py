"""Who takes part in a comparison, and under which settings.

No pretrained weights are needed: the encoder of every contender is the demo preset's tiny one, unless the settings file
of the comparison says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from engage_pipeline.catalogue import ARTIFACTS, ancestry, digest, setting_values
from engage_pipeline.comparison.reference_trees import FEATURES, PARAMETERS
from engage_pipeline.comparison.worlds import RawFiles, World
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import PRESETS, Preset, overlay, read_yaml, settings_from

REFERENCE_TREES = "reference_trees"
BASE = "default"
"""The preset that is taken apart and checked for leaks."""
CODE_VERSION = 1
"""Rises when the same settings, world and pipeline would be measured otherwise."""
_SET_HERE = ("preset", "working_dir", "recsys_data", "validation_part", "test_data", "deletions")


@dataclass(frozen=True)
class Contender:
    """A preset with `values` laid over it, or the reference trees on the features that the preset makes."""

    name: str
    preset: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """What the pipeline has to make for it."""
        return FEATURES if self.name == REFERENCE_TREES else ("submission",)

    def shown(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """What is laid over the preset."""
        return overlay(common, self.values)

    def settings(self, common: Mapping[str, Any], raw: RawFiles, working_dir: Path) -> dict[str, Any]:
        """The settings file of its run, whose model predicts whatever it scores: the score is what is asked for."""
        places: dict[str, Any] = {
            "preset": self.preset,
            "working_dir": str(working_dir.resolve()),
            "recsys_data": str(raw.train.resolve()),
            "validation_part": str(raw.validation.resolve()),
            "test_data": str(raw.test.resolve()),
            "deletions": str((working_dir / "deletions").resolve()),
            "promotion": {"least_first_rce": None},
        }
        return overlay(self.shown(common), places)

    def key(self, common: Mapping[str, Any], world: World) -> str:
        """Changes where its result on `world` may change: with settings, world or code versions."""
        names = sorted(set().union(*map(ancestry, self.artifacts)))
        values = overlay(self.shown(common), {"preset": self.preset})
        settings = settings_from(values, folder=Path())
        artifacts = {name: (ARTIFACTS[name].code_version, setting_values(ARTIFACTS[name], settings)) for name in names}
        own = PARAMETERS if self.name == REFERENCE_TREES else None
        scored = settings.evaluation.model_dump(mode="json")
        return digest([CODE_VERSION, world.name, self.name, artifacts, own, scored])


def common_values(config: Path | None) -> dict[str, Any]:
    """What is laid over every preset. Raises UserError where the file sets what a comparison sets itself."""
    values = {} if config is None else read_yaml(config)
    for name in _SET_HERE:
        if name in values:
            raise UserError(f"{config}: {name}: engage compare sets it for every run")
    common = overlay({"encoder": PRESETS["demo"]["encoder"]}, values)
    settings_from(common, folder=Path(), source=str(config or "settings"))
    return common


def contender(name: str) -> Contender:
    """The contender `name`. Raises UserError where there is none."""
    if name == REFERENCE_TREES:
        return Contender(name, "synerise")
    if name not in get_args(Preset):
        raise UserError(f"--presets: {name!r} is not one of {', '.join((*get_args(Preset), REFERENCE_TREES))}")
    return Contender(name, name)


def ablations() -> dict[str, Contender]:
    """By feature family: the base preset without it."""
    families = settings_from({"preset": BASE}, folder=Path()).features.families
    return {left_out: _without(left_out, families) for left_out in families}


def _without(left_out: str, families: Sequence[str]) -> Contender:
    kept = [family for family in families if family != left_out]
    return Contender(f"{BASE}-without-{left_out}", BASE, {"features": {"families": kept}})
