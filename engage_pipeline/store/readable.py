"""The published versions of one working directory, found by their manifests.

What does not belong here: making and publishing a version (store).
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS, default_settings, relevant_settings, setting_value
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.raw_parts import check_key, is_key, list_parts
from engage_pipeline.locations.location import names_there
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store import current_link, kept_versions, rules, staleness
from engage_pipeline.store.manifests import Manifest, Verdict, label, read_manifest
from engage_pipeline.store.mirror.mirror import MirroredFolder
from engage_pipeline.store.publishing import MANIFEST, write_manifest
from engage_pipeline.store.versions import Version

LOGGER = logging.getLogger("engage_pipeline")


def no_part_ingested(settings: Settings) -> str:
    """Returns what to say where no training part is ingested."""
    return f"no part of {settings.recsys_data} is ingested: materialize tweet_parts first (engage run)"


@cache
def _tell_once(line: str) -> None:
    """Logs a warning, once a process: parts are looked for often."""
    LOGGER.warning("%s", line)


class ReadableStore:
    """The published versions of one working directory under one set of settings.

    A version that fails a rule of its artifact is never opened.
    """

    def __init__(self, settings: Settings, rules_of: Callable[[str], rules.Rules] = rules.stage_rules) -> None:
        """Creates and reads nothing until it is needed. `rules_of` returns the rules of an artifact's versions."""
        self.settings = settings
        self.root = settings.working_dir
        self.rules_of = rules_of

    def folder(self, name: str, key: str | None = None) -> Path:
        """Returns the folder of an artifact, or of one part of it."""
        artifact = ARTIFACTS[name]
        if artifact.partitioned != (key is not None):
            raise ValueError(f"{name}: {'a part is needed' if artifact.partitioned else 'it has no parts'}")
        base = self.root / artifact.stage.value / name
        return base if key is None else base / check_key(key)

    def manifest(self, name: str, key: str | None = None) -> Manifest | None:
        """Reads the current version's manifest; None if nothing is published. Raises UserError if it is unreadable."""
        path = self.folder(name, key) / MANIFEST
        try:
            return read_manifest(path.read_bytes(), path.parent)
        except FileNotFoundError:
            return None
        except ValueError as error:
            copy = self.mirrored(name, key)
            if copy is not None and (fetched := copy.repaired()) is not None:
                return fetched
            raise UserError(f"{path}: not a manifest; materialize {label(name, key)} again") from error

    def open(self, name: str, key: str | None = None) -> Version:
        """Opens the current version. Raises UserError if there is none, it has other settings, or it fails a rule."""
        manifest = self.manifest(name, key)
        if manifest is None:
            raise UserError(f"{label(name, key)} is not there yet: materialize it first (engage run)")
        settings = relevant_settings(name, self.settings)
        if changed := staleness.changed_setting(manifest.settings, settings, default_settings(name)):
            other = f"{label(name, key)} was made with other settings ({changed})"
            raise UserError(f"{other}: materialize it again, or give its settings with --set")
        if reason := self._failed(manifest):
            raise UserError(f"{label(name, key)} {reason}: correct the cause and materialize it again")
        return self.version(manifest)

    def version(self, manifest: Manifest) -> Version:
        """Returns the version of a manifest, whatever its verdict."""
        copy = self.mirrored(manifest.artifact, manifest.key)
        return Version(self.folder(manifest.artifact, manifest.key), manifest, None if copy is None else copy.versions)

    def mirrored(self, name: str, key: str | None = None) -> MirroredFolder | None:
        """Returns the folder of an artifact, or of one part of it, with its copy in the mirror; None without a
        mirror."""
        mirror, folder = self.settings.mirror, self.folder(name, key)
        return None if mirror is None else MirroredFolder(mirror, folder, folder.relative_to(self.root).as_posix())

    def current(self, name: str, key: str | None = None) -> Version | None:
        """Returns the current version, whatever its settings; None unless it is readable and passes its rules."""
        manifest = self._readable_manifest(name, key)
        if manifest is None or self._failed(manifest):
            return None
        return self.version(manifest)

    def kept(self, name: str, key: str | None = None) -> list[Version]:
        """Returns the kept versions, the latest first: each content once, without that of the current version.

        If the current manifest is damaged or gone, its version is the first, where there is a copy of the manifest.
        """
        folder = self.folder(name, key)
        current = self._readable_manifest(name, key)
        last = kept_versions.last(folder) if current is None else None
        named = current or last
        manifests = kept_versions.kept_manifests(folder, named.version if named else None)
        return [self.version(manifest) for manifest in ([] if last is None else [last]) + manifests]

    def keys_on_disk(self, name: str) -> list[str | None]:
        """Returns the parts of an artifact with a folder, sorted, whatever the settings; [None] if it has no parts."""
        if not ARTIFACTS[name].partitioned:
            return [None]
        base = self.root / ARTIFACTS[name].stage.value / name
        found = (path.name for path in base.iterdir() if path.is_dir()) if base.is_dir() else ()
        return [*sorted(key for key in found if is_key(key))]  # others, such as lost+found, are no parts

    def parts(self) -> list[str]:
        """Returns the names of the training parts that were ingested from the folder `recsys_data`, sorted.

        The folder defines the training set: parts from another folder and parts whose file is gone are left out, so
        that two data sets never mix in one working directory.
        """
        return self._with_files(self._ingested())

    def readable_parts(self) -> list[str]:
        """Returns the names of the training parts as `parts` does, without those whose manifest is damaged."""
        return self._with_files(self._ingested(strict=False))

    def _with_files(self, ingested: Mapping[str, Manifest]) -> list[str]:
        names = {key: part.sources[0].name for key, part in ingested.items()}
        there = names_there(self.settings.recsys_data, set(names.values()))
        return [key for key, name in names.items() if name in there]

    def recorded_parts(self) -> list[str]:
        """Returns the names of the training parts as `parts` does, but never asks an object store.

        If `recsys_data` is in one, the parts that left it are those that the last counting of the training rows left
        out.
        """
        if isinstance(self.settings.recsys_data, Path):
            return self.parts()
        ingested, counts = self._ingested(), self._readable_manifest("interaction_counts", None)
        if counts is None:
            return [*ingested]
        left_out = {key for key in ingested if label("tweet_parts", key) not in counts.inputs}
        return [key for key, part in ingested.items() if key not in left_out or part.created >= counts.created]

    def gone_parts(self) -> list[str]:
        """Returns the names of the training parts that were ingested from `recsys_data` and have no file there now."""
        return sorted(self._ingested().keys() - self.parts())

    def _ingested(self, *, strict: bool = True) -> dict[str, Manifest]:
        """Returns the parts that were ingested from the folder `recsys_data`, by name, sorted.

        Skips damaged manifests of parts that have no file there, which nobody can ingest again. Raises UserError at
        another damaged one if `strict`, else skips it too.
        """
        folder = atomic.relative_folder(self.settings.recsys_data, self.root)
        found = {}
        for key in self.keys_on_disk("tweet_parts"):
            try:
                part = self.manifest("tweet_parts", key)
            except UserError:
                if strict and not self._is_gone(str(key)):
                    raise
                continue
            if part and part.key and part.sources and part.sources[0].folder == folder:
                found[part.key] = part
        return found

    def _is_gone(self, key: str) -> bool:
        """Returns whether `recsys_data` can be listed and has no file of the part `key`, whose manifest is damaged."""
        raw = self.settings.recsys_data
        try:
            listing = list_parts(raw, follow_links=self.settings.follow_links)
        except UserError:
            return False
        if key in listing.parts or key in listing.problems:
            return False
        _tell_once(f"{self.folder('tweet_parts', key) / MANIFEST}: damaged, passed over: {raw} has no file of {key}")
        return True

    def parts_of(self, name: str) -> list[str]:
        """Returns the parts that the unpartitioned artifact `name` is made of: all, or the first n of its setting."""
        limit = setting_value(ARTIFACTS[name].parts_setting, self.settings)
        return self.parts()[:limit]

    def part_paths(self, consumer: str, file: str, source: str = "tweet_parts") -> list[Path]:
        """Returns the `file` of each part of `source` that the unpartitioned artifact `consumer` is made of, in order.

        Raises UserError if there is no part.
        """
        keys = self.parts_of(consumer)
        if not keys:
            raise UserError(no_part_ingested(self.settings))
        return [self.open(source, key).path(file) for key in keys]

    def verdict(self, manifest: Manifest) -> Verdict:
        """Returns the verdict on the version of `manifest` by the current rules. If the recorded verdict no longer
        applies, judges the version again and records the new verdict in the manifest."""
        own = self.rules_of(manifest.artifact)
        if manifest.verdict is not None and rules.holds_still(self, manifest.verdict, own):
            return manifest.verdict
        return self.judge_again(manifest)

    def judge_again(self, manifest: Manifest) -> Verdict:
        """Judges the version of `manifest` now and records the verdict in the manifest, unless something else can't be
        read: then the next caller judges again."""
        judgement = rules.judge(self, self.version(manifest), self.rules_of(manifest.artifact))
        if judgement.final:
            self._note(manifest, judgement.verdict)
        return judgement.verdict

    def _readable_manifest(self, name: str, key: str | None) -> Manifest | None:
        """Returns the manifest; None if it is missing or damaged, which making the artifact again repairs."""
        try:
            return self.manifest(name, key)
        except UserError:
            return None

    def _failed(self, manifest: Manifest) -> str | None:
        return staleness.failed(self._problems(manifest))

    def _problems(self, manifest: Manifest) -> str:
        return rules.failures(self.verdict(manifest))

    def _note(self, manifest: Manifest, verdict: Verdict) -> None:
        """Records the verdict if the version is still current and its folder writable and not locked; otherwise the
        next caller judges it again."""
        folder = self.folder(manifest.artifact, manifest.key)
        with suppress(UserError, OSError), atomic.exclusive(folder / ".lock", "in use"):
            current = self.manifest(manifest.artifact, manifest.key)
            if current is not None and current.directory == manifest.directory and current.verdict != verdict:
                write_manifest(folder, replace(current, verdict=verdict))

    def _relink(self, manifest: Manifest) -> None:
        """Moves the link `current`, if it names another version than the manifest: the process was killed between."""
        folder = self.folder(manifest.artifact, manifest.key)
        if not current_link.names(folder / current_link.CURRENT, current_link.target(folder, manifest)):
            with suppress(UserError, OSError), atomic.exclusive(folder / ".lock", "in use"):
                current_link.point_to(folder, self.manifest(manifest.artifact, manifest.key))
