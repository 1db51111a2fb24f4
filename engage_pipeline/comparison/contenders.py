"""The contenders of a comparison and their settings.

No pretrained weights are needed: every contender uses the demo preset's tiny encoder, unless the settings file of the
comparison names another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from engage_pipeline.catalogue import ARTIFACTS, ancestry, digest, setting_values
from engage_pipeline.comparison.reference_trees import PARAMETERS, READ_ARTIFACTS
from engage_pipeline.comparison.worlds import RawFiles, WorldSpec
from engage_pipeline.errors import UserError
from engage_pipeline.settings.overrides import overlay
from engage_pipeline.settings.settings import PRESETS, Preset, read_yaml, settings_from

REFERENCE_TREES = "reference_trees"
BASE = "default"
"""The preset of the ablation and of the leakage checks."""
CODE_VERSION = 1
"""Raise it when the same settings, world and pipeline would give another measurement."""
_SET_HERE = ("preset", "working_dir", "mirror", "recsys_data", "validation_part", "test_data", "deletions")


@dataclass(frozen=True)
class Contender:
    """A preset whose settings `values` override, or the reference trees on the preset's features."""

    name: str
    preset: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The artifacts that the pipeline must make for it."""
        return READ_ARTIFACTS if self.name == REFERENCE_TREES else ("submission",)

    def shown(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings that override the preset's."""
        return overlay(common, self.values)

    def settings(self, common: Mapping[str, Any], raw: RawFiles, working_dir: Path) -> dict[str, Any]:
        """Returns the settings file of its run; any model is promoted, because the comparison measures its score."""
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

    def key(self, common: Mapping[str, Any], world: WorldSpec) -> str:
        """Returns a digest of all that may change its result on `world`: settings, world and code versions."""
        names = sorted(set().union(*map(ancestry, self.artifacts)))
        values = overlay(self.shown(common), {"preset": self.preset})
        settings = settings_from(values, folder=Path())
        artifacts = {name: (ARTIFACTS[name].code_version, setting_values(ARTIFACTS[name], settings)) for name in names}
        own = PARAMETERS if self.name == REFERENCE_TREES else None
        scored = settings.evaluation.model_dump(mode="json")
        return digest([CODE_VERSION, world.name, self.name, artifacts, own, scored])


def common_values(config: Path | None) -> dict[str, Any]:
    """Returns the settings that override every preset's. Raises UserError if the file sets what a comparison sets."""
    values = {} if config is None else read_yaml(config)
    for name in _SET_HERE:
        if name in values:
            raise UserError(f"{config}: {name}: engage compare sets it for every run; remove it")
    common = overlay({"encoder": PRESETS["demo"]["encoder"]}, values)
    settings_from(common, folder=Path(), source=str(config or "settings"))
    return common


def contender(name: str) -> Contender:
    """Returns the contender `name`. Raises UserError if there is none."""
    if name == REFERENCE_TREES:
        return Contender(name, "synerise")
    if name not in get_args(Preset):
        raise UserError(f"--presets: {name!r} is not one of {', '.join((*get_args(Preset), REFERENCE_TREES))}")
    return Contender(name, name)


def ablations() -> dict[str, Contender]:
    """Returns the base preset without each feature family, by family."""
    families = settings_from({"preset": BASE}, folder=Path()).features.families
    return {left_out: _without(left_out, families) for left_out in families}


def _without(left_out: str, families: Sequence[str]) -> Contender:
    kept = [family for family in families if family != left_out]
    return Contender(f"{BASE}-without-{left_out}", BASE, {"features": {"families": kept}})
