"""Runs one contender on one world in its own folder, measures it and scores it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.comparison.child import Cost, run_engage, run_python
from engage_pipeline.comparison.contenders import REFERENCE_TREES, Contender
from engage_pipeline.comparison.outcomes import RunOutcome
from engage_pipeline.comparison.variants import seen_viewers
from engage_pipeline.comparison.worlds import RawFiles, Variant, WorldSpec
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings, settings_from
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.file_names import RESULTS
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.scoring.labels import LabelledRows
from engage_pipeline.submission.scoring.report import score_predictions

_INSTANCE = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}


MADE = "data"
"""The folder of a run's artifacts."""
_DECIDED = ("model/candidate_model", "model/trained_model", "model/evaluation", "submission")
"""Artifacts that are never taken over from another run: a worse model would not replace the other run's."""


def measure(
    contender: Contender,
    world: WorldSpec,
    raw: RawFiles,
    folder: Path,
    common: Mapping[str, Any],
    *,
    begin: Path | None = None,
    keep: bool = False,
) -> RunOutcome:
    """Runs `contender` in `folder` and scores its results.csv, which is kept with the log.

    Its settings are those of its preset and `common`; the environment has none of them. It starts from scratch, or from
    the artifacts in `begin` and makes those again that its settings change. Its artifacts are removed after scoring,
    unless `keep`. A failed run gives an outcome with its error message.
    """
    key = contender.key(common, world)
    values = contender.shown(common)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    work = folder / MADE
    if begin is not None:
        shutil.copytree(begin, work, symlinks=True)
        for name in _DECIDED:
            shutil.rmtree(work / name, ignore_errors=True)
    try:
        chosen = contender.settings(common, raw, work)
        config = _write_yaml(folder / "config.yaml", chosen)
        _write_yaml(folder / "dagster.yaml", _INSTANCE)
        settings = settings_from(chosen, folder=folder.resolve(), source=str(config))
        cost = _run(contender, config, settings, folder)
        kept = _strangers(raw) if world.variant is Variant.STRANGERS else None
        report = score_predictions(folder / RESULTS, raw.labels, raw.oracle, settings, kept)
    except UserError as error:
        return RunOutcome(world, contender.name, key, values, problem=str(error))
    if not keep:
        shutil.rmtree(work)
    return RunOutcome(world, contender.name, key, values, cost, report.scores, report.oracle, report.share)


def _run(contender: Contender, config: Path, settings: Settings, folder: Path) -> Cost:
    """Makes `folder`/results.csv."""
    log, store = folder / "log.txt", ArtifactStore(settings)
    targets = [text for name in contender.artifacts for text in ("--target", name)]
    cost = run_engage(["run", "--config", str(config), *targets], log, home=folder)
    cost = replace(cost, peak_mb=max(cost.peak_mb, _highest_peak(store)))
    if contender.name != REFERENCE_TREES:
        shutil.copyfile(store.open("submission").path(RESULTS), folder / RESULTS)
        return cost
    command = ["-m", "engage_pipeline.comparison.reference_trees", str(config), str(folder / RESULTS)]
    return cost.then(run_python(command, log))


def _highest_peak(store: ArtifactStore) -> int:
    """Returns the highest peak memory of the run's artifacts, MB: a run resets the kernel's peak before each."""
    keys = {name: store.parts() if artifact.partitioned else [None] for name, artifact in ARTIFACTS.items()}
    manifests = [store.manifest(name, key) for name, parts in keys.items() for key in parts]
    return max((Facts.read(manifest).peak_mb for manifest in manifests if manifest), default=0)


def _strangers(raw: RawFiles) -> Callable[[LabelledRows], NDArray[np.bool_]]:
    seen = seen_viewers(raw.train.parent)
    return lambda rows: np.array([viewer not in seen for viewer in rows.ids["engaging_user_id"].to_pylist()], bool)


def _write_yaml(path: Path, values: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(values), sort_keys=False), encoding="utf-8")
    return path
