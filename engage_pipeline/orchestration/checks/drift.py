"""Warnings of drift: parts unlike the rest of the training set, and windows unlike the training rows.

They read the profiles beside the feature rows. Counters are compared between parts only, and only if these were made
from the same counts; another window has different counters on purpose.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline import plots
from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.interactions.drift.profile import LANGUAGE, added, read_profile
from engage_pipeline.interactions.drift.stability import (
    IMPROBABLE,
    drifted_parts,
    improbable_languages,
    part_drift,
    rows_in_words,
    unseen_languages,
    window_drift,
    worst_in_words,
)
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.orchestration.checks.finding import Finding, Look, as_table, check, limits_in_words
from engage_pipeline.orchestration.checks.versions import small_file, versions
from engage_pipeline.plurals import counted
from engage_pipeline.store.file_names import LANGUAGES, PROFILE_ENDING
from engage_pipeline.store.store import ArtifactStore, Manifest

_ROWS_SHOWN = 50
_BY_CHANCE = f"no language may have rows here alone with a probability below {IMPROBABLE:g}"


def profiles(store: ArtifactStore, manifest: Manifest) -> list[Path]:
    """Returns the profiles of the rows of one version: one, or one per test part."""
    return [small_file(store, manifest, name) for name in sorted(manifest.files) if name.endswith(PROFILE_ENDING)]


def languages_of(paths: Sequence[Path]) -> Mapping[str, int]:
    """Returns the rows by language in profiles together; a part whose rows are all deleted has none."""
    return added([read_profile(path) for path in paths]).get(LANGUAGE, {})


def part_profiles(store: ArtifactStore) -> dict[str, Path]:
    """Returns the profile of every part whose features were made from the current counts, by part."""
    shared = [name for name in ARTIFACTS["interaction_features"].inputs if not ARTIFACTS[name].partitioned]
    now = {name: manifest.version for name in shared if (manifest := store.manifest(name))}
    return {
        str(manifest.key): profiles(store, manifest)[0]
        for manifest in versions(store, "interaction_features")
        if {name: manifest.inputs[name] for name in shared} == now
    }


@check("interaction_features")
def features_are_stable(store: ArtifactStore) -> Finding:
    """No feature of a part has a population stability index above checks.drift_psi, beyond chance, against the other
    parts; features that have are shown against the parts that do not drift."""
    limit = store.settings.checks.drift_psi
    paths = part_profiles(store)
    drifted = drifted_parts(paths, limit)
    wrong: dict[str | None, str] = {part: worst_in_words(index) for part, index in drifted.items()}
    index = {part: {**row, **drifted.get(part, {})} for part, row in part_drift(paths).items()}
    worst = sorted(((value, part, name) for part, row in index.items() for name, value in row.items()), reverse=True)
    figures = {"parts compared": len(index), "largest index": worst[0][0] if worst else 0.0}
    if not index:
        return Finding(wrong, "a second part with features of the same counts is not there yet", figures)
    cells = [(part, name, f"{value:.3f}") for value, part, name in worst[:_ROWS_SHOWN]]
    table = as_table(("part", "feature", "index"), cells)
    shown: Shown = {"drift": plots.drift(index, limit=limit), "furthest features": table}
    said = (
        f"{counted(len(index), 'part')} compared, largest index {worst[0][0]:.3f}" if worst else "no feature compared"
    )
    return Finding(wrong, said + limits_in_words(store.settings, "checks.drift_psi"), figures, shown)


def _features_are_like_training(asset: str) -> Look:
    def features_are_like_training(store: ArtifactStore) -> Finding:
        """No number, flag, hour or language that rows tell by themselves has a population stability index above
        checks.drift_psi, beyond chance, against the training rows."""
        limit = store.settings.checks.drift_psi
        training = [path for one in versions(store, "interaction_features") for path in profiles(store, one)]
        window = [path for one in versions(store, asset) for path in profiles(store, one)]
        found = window_drift(window, training)
        if not found:
            return Finding({}, "no rows of training and of this window have features yet", {"features": 0})
        index = dict(sorted(((name, value) for name, (value, _) in found.items()), key=lambda item: -item[1]))
        beyond = {name: value for name, value in index.items() if value > limit + found[name][1]}
        table = as_table(("feature", "index"), [(name, f"{value:.3f}") for name, value in index.items()])
        shown: Shown = {"drift": plots.drift({asset: index}, limit=limit), "features": table}
        wrong: dict[str | None, str] = {None: worst_in_words(beyond)} if beyond else {}
        largest = max(index.values())
        said = f"{counted(len(index), 'feature')} compared, largest index {largest:.3f}"
        said += limits_in_words(store.settings, "checks.drift_psi")
        return Finding(wrong, said, {"largest index": largest}, shown)

    return features_are_like_training


@check("interaction_features")
def languages_are_shared(store: ArtifactStore) -> Finding:
    """No part has more rows than chance explains in a language that no other part has."""
    found = {str(one.key): languages_of(profiles(store, one)) for one in versions(store, "interaction_features")}
    total = added([{LANGUAGE: languages} for languages in found.values()]).get(LANGUAGE, {})
    wrong: dict[str | None, str] = {}
    for part, languages in found.items():
        rest = {name: rows for name, count in total.items() if (rows := count - languages.get(name, 0))}
        if rest and (unseen := improbable_languages(languages, rest)):
            wrong[part] = f"languages of no other part: {rows_in_words(unseen)}"
    said = f"{counted(len(total), 'language')} in {counted(len(found), 'part')}; {_BY_CHANCE}"
    return Finding(wrong, said, {"languages": len(total)})


def _languages_are_known(asset: str) -> Look:
    def languages_are_known(store: ArtifactStore) -> Finding:
        """No more rows than chance explains are in a language that no training row has."""
        table = pq.read_table(store.open("interaction_counts").path(LANGUAGES))
        known = dict(zip(table["language"].to_pylist(), table["rows"].to_pylist(), strict=True))
        paths = [path for one in versions(store, asset) for path in profiles(store, one)]
        languages = languages_of(paths)
        unseen, beyond = unseen_languages(languages, known), improbable_languages(languages, known)
        wrong: dict[str | None, str] = {None: f"not in training: {rows_in_words(beyond)}"} if beyond else {}
        shown: dict[str, str] = {}
        if unseen:
            shown["unknown"] = as_table(("language", "rows"), list(unseen.items())[:_ROWS_SHOWN])
        figures = {"languages": len(languages), "rows in unknown languages": sum(unseen.values())}
        said = f"{counted(sum(unseen.values()), 'row')} in {counted(len(unseen), 'unknown language')}; {_BY_CHANCE}"
        return Finding(wrong, said, figures, shown)

    return languages_are_known


_WINDOWS = ("validation_features", "test_features")
CHECKS = [
    features_are_stable,
    languages_are_shared,
    *(check(asset)(_features_are_like_training(asset)) for asset in _WINDOWS),
    *(check(asset)(_languages_are_known(asset)) for asset in _WINDOWS),
]
