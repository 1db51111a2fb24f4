"""The link `current` in the folder of an artifact or part: a name that stays, for readers that know no manifest.

    working_dir/<stage>/<artifact>[/<part>]/current -> <version>-<random>
    working_dir/latest/results.csv                  -> ../submission/submission/current/results.csv
    working_dir/latest/report.html                  -> ../model/evaluation/current/report.html
    working_dir/latest/model-card.md                -> ../model/trained_model/current/model-card.md

Two names can't change in one step: the manifest is replaced first, the link next, and old versions are removed last. A
process killed in between leaves the link at the version before, which is whole, passed its checks and is kept; the next
plan or status moves it. A version that failed a check, or was not fetched whole
from the mirror, has no link. What does not belong here: the pipeline's own
reading, which follows the manifest.
"""

import logging
import os
import shutil
import uuid
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.store.file_names import MODEL_CARD, REPORT, RESULTS
from engage_pipeline.store.manifests import Manifest

CURRENT = "current"
LATEST = "latest"
_LATEST_FILES = {"submission": RESULTS, "evaluation": REPORT, "trained_model": MODEL_CARD}
LOGGER = logging.getLogger("engage_pipeline")


def point_to(folder: Path, manifest: Manifest | None) -> None:
    """Makes `current` in the folder of an artifact name the version of `manifest`, by one rename.

    Removes the link if there is no version, or if it failed a check. A file system without links gets none, and a log
    line. Call it with the artifact locked.
    """
    wanted = None if manifest is None else target(folder, manifest)
    try:
        if wanted is None:
            (folder / CURRENT).unlink(missing_ok=True)
        elif not names(folder / CURRENT, wanted):
            _link(folder / CURRENT, wanted)
        if manifest is not None and manifest.artifact in _LATEST_FILES:
            _link_latest(folder, _LATEST_FILES[manifest.artifact], manifest)
    except OSError as error:
        LOGGER.warning("%s: no link to the current version: %s", folder / CURRENT, error.strerror)


def target(folder: Path, manifest: Manifest) -> str | None:
    """Returns what `current` in `folder` has to name; None if the version was not judged, failed a check, or was not
    fetched from the mirror yet."""
    sound = manifest.verdict is not None and not any(manifest.verdict.problems.values())
    whole = all((folder / manifest.directory / name).exists() for name in manifest.files)
    return manifest.directory if sound and whole else None


def names(link: Path, wanted: str | None) -> bool:
    """Returns whether the link names `wanted`; None = whether there is nothing."""
    try:
        return wanted is not None and link.readlink() == Path(wanted)
    except FileNotFoundError:
        return wanted is None
    except OSError:  # a copy instead of a link
        return False


def is_version_folder(path: Path) -> bool:
    """Returns whether the path is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()


def _link_latest(folder: Path, file: str, manifest: Manifest) -> None:
    """Links `file` of the current version; removes the link if the version, such as one without a model, lacks it."""
    latest = folder.parents[1] / LATEST
    if file not in manifest.files:
        (latest / file).unlink(missing_ok=True)
        return
    wanted = os.path.relpath(folder / CURRENT / file, latest)
    if not names(latest / file, wanted):
        latest.mkdir(exist_ok=True)
        _link(latest / file, wanted)


def _link(link: Path, wanted: str) -> None:
    """Replaces `link`, which may also be a copy of what it named: copying a folder may follow links."""
    if is_version_folder(link):
        shutil.rmtree(link)
    temporary = link.with_name(f".tmp-{uuid.uuid4().hex[:12]}")
    try:
        temporary.symlink_to(wanted)
        temporary.replace(link)
    finally:
        temporary.unlink(missing_ok=True)
    atomic.sync_folder(link.parent)
