"""Where an artifact lives, how it is published whole or not at all, and how a reader knows that it is undamaged.

    working_dir/<stage>/<artifact>[/<part>]/
        manifest.json            names the current version: replaced by one rename
        <version>-<random>/      its files, never changed after they were published
        .tmp-<random>/           a version being written; swept by the next run if its own was killed
        failed-rejects.parquet   bad lines of a raw part that could not be read (ingest/rejected_part.py)
        kept-<number>.json       earlier versions to return to, of artifacts that keep some (kept_versions.py)

A reader follows manifest.json, so it sees the old version or the new one, never a mixture, and never meets a
temporary file, because nothing is found by globbing. The version before the current one stays, for readers that
opened it. What does not belong here: what an artifact contains.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS, ancestry, default_settings, digest, relevant_settings, setting_value
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.raw_parts import check_key
from engage_pipeline.machine import full_disk
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store import kept_versions, promoted_counters, rules, staleness
from engage_pipeline.store.manifests import Manifest, Verdict, label, read_manifest, split_label
from engage_pipeline.store.publishing import MANIFEST, Sealed, publish_version, write_manifest
from engage_pipeline.store.versions import Draft, Version
from engage_pipeline.store.wanted import WantedNow, input_versions


class ArtifactStore:
    """The artifacts of one working directory under one set of settings.

    A version that fails a rule of its artifact is not opened, whoever made it, and is made again.
    """

    def __init__(self, settings: Settings, rules_of: Callable[[str], rules.Rules] = rules.stage_rules) -> None:
        """Nothing is created or read until it is needed. `rules_of` gives what must hold of an artifact's versions."""
        self.settings = settings
        self.root = settings.working_dir
        self.rules_of = rules_of

    def folder(self, name: str, key: str | None = None) -> Path:
        """The folder of an artifact, or of one part of it."""
        artifact = ARTIFACTS[name]
        if artifact.partitioned != (key is not None):
            raise ValueError(f"{name}: {'a part is needed' if artifact.partitioned else 'it has no parts'}")
        base = self.root / artifact.stage.value / name
        return base if key is None else base / check_key(key)

    def manifest(self, name: str, key: str | None = None) -> Manifest | None:
        """The manifest of the current version; None where nothing is published. Raises UserError if unreadable."""
        path = self.folder(name, key) / MANIFEST
        try:
            return read_manifest(path.read_bytes(), path.parent)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise UserError(f"{path}: not a manifest; materialize {label(name, key)} again") from error

    def open(self, name: str, key: str | None = None) -> Version:
        """The current version. Raises UserError where there is none, or where it was made with other settings."""
        manifest = self.manifest(name, key)
        if manifest is None:
            raise UserError(f"{label(name, key)} is not there yet: materialize it first")
        settings = relevant_settings(name, self.settings)
        if changed := staleness.changed_setting(manifest.settings, settings, default_settings(name)):
            raise UserError(f"{label(name, key)} was made with other settings ({changed}): materialize it again")
        if reason := self._failed(manifest):
            raise UserError(f"{label(name, key)} {reason}: mend the cause and materialize it again")
        return Version(self.folder(name, key), manifest)

    def current(self, name: str, key: str | None = None) -> Version | None:
        """The current version, whatever its settings; None where none can be read and passes its rules."""
        manifest = self._readable_manifest(name, key)
        if manifest is None or self._failed(manifest):
            return None
        return Version(self.folder(name, key), manifest)

    def kept(self, name: str, key: str | None = None) -> list[Version]:
        """Earlier versions to return to, the latest first: each content once, without that of the current version."""
        folder, current = self.folder(name, key), self._readable_manifest(name, key)
        manifests = kept_versions.kept_manifests(folder, current.version if current else None)
        return [Version(folder, manifest) for manifest in manifests]

    def parts(self) -> list[str]:
        """Names of the training parts that were ingested from the folder `recsys_data`, sorted.

        The folder says what the training set is: a part from another folder, or one whose file is gone, is not counted,
        so that two data sets never mix in one working directory.
        """
        base = self.root / ARTIFACTS["tweet_parts"].stage.value / "tweet_parts"
        if not base.is_dir():
            return []
        folder = atomic.relative_folder(self.settings.recsys_data, self.root)
        manifests = (self.manifest("tweet_parts", path.name) for path in sorted(base.iterdir()) if path.is_dir())
        found = {part.key: part.sources[0] for part in manifests if part and part.key and part.sources}
        return [
            key
            for key, source in found.items()
            if source.folder == folder and (self.settings.recsys_data / source.name).exists()
        ]

    def verdict(self, manifest: Manifest) -> Verdict:
        """Whether the version of `manifest` holds to the rules of now. Judged anew, and noted in the manifest, where
        what the noted verdict rests on has changed."""
        own = self.rules_of(manifest.artifact)
        if manifest.verdict is not None and rules.holds_still(self, manifest.verdict, own):
            return manifest.verdict
        return self.judge_again(manifest)

    def judge_again(self, manifest: Manifest) -> Verdict:
        """The same, looked at now; noted in the manifest."""
        version = Version(self.folder(manifest.artifact, manifest.key), manifest)
        verdict = rules.judge(self, version, self.rules_of(manifest.artifact))
        self._note(manifest, verdict)
        return verdict

    def parts_of(self, name: str) -> list[str]:
        """The parts that the unpartitioned artifact `name` is made of: the first so many, as its setting says."""
        limit = setting_value(ARTIFACTS[name].parts_setting, self.settings)
        return self.parts()[:limit]

    def part_paths(self, consumer: str, file: str, source: str = "tweet_parts") -> list[Path]:
        """The `file` of each part of `source` that the unpartitioned artifact `consumer` is made of, in order of part.

        Raises UserError where no part is there.
        """
        keys = self.parts_of(consumer)
        if not keys:
            raise UserError(f"no part of {self.settings.recsys_data} is ingested: materialize tweet_parts first")
        return [self.open(source, key).path(file) for key in keys]

    @contextmanager
    def publish(self, name: str, key: str | None = None, sources: Sequence[Path] = ()) -> Iterator[Draft]:
        """A draft to write into, published when the block ends and discarded when it raises.

        Enter it before the inputs are opened: their versions are noted on entry. Raises UserError where another
        process is making the same artifact, and where a disk is full.
        """

        def needed() -> int:
            return full_disk.size_estimate(
                self._bytes([label(name, key)]), self._bytes(input_versions(self, ARTIFACTS[name], key)), sources
            )

        places = [self.folder(name, key)]
        with (
            full_disk.told_when_exhausted(label(name, key), places, needed, self.settings),
            self._draft(name, key, sources) as draft,
        ):
            yield draft

    @contextmanager
    def _draft(self, name: str, key: str | None, sources: Sequence[Path]) -> Iterator[Draft]:
        folder = self.folder(name, key)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.exclusive(folder / ".lock", f"another run is making {label(name, key)}"):
            _sweep(folder)
            before = self._readable_manifest(name, key)
            inputs = input_versions(self, ARTIFACTS[name], key)
            signatures = [atomic.describe_source(path, self.root) for path in sources]
            draft = Draft(folder / f".tmp-{uuid.uuid4().hex[:12]}")
            draft.directory.mkdir()
            try:
                yield draft
                draft.manifest = self._seal(draft, name, key, before, inputs, signatures)
            finally:
                shutil.rmtree(draft.directory, ignore_errors=True)
            if draft.manifest is not None:
                pinned = promoted_counters.pinned(self, name)
                kept_versions.forget_old(folder, draft.manifest, self._kept_count(name), pinned)

    def workspace(self, name: str, key: str | None = None) -> Path:
        """A folder for checkpoints that outlives a killed run and is removed once the artifact is published.

        It belongs to the current inputs and settings: with others it starts empty.
        """
        artifact = ARTIFACTS[name]
        code = {ancestor: ARTIFACTS[ancestor].code_version for ancestor in ancestry(name)}
        identity = digest([code, input_versions(self, artifact, key), relevant_settings(name, self.settings)])
        folder = self.folder(name, key)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".work-{identity}"
        for other in folder.glob(".work-*"):
            if other != path:
                shutil.rmtree(other)
        path.mkdir(exist_ok=True)
        return path

    def stale(self, name: str, key: str | None = None, sources: Sequence[Path] = ()) -> str | None:
        """Why the artifact would come out otherwise if it were made now; None where it is current."""
        if not (self.folder(name, key) / MANIFEST).is_file():
            return staleness.NOT_THERE
        manifest = self._readable_manifest(name, key)
        if manifest is None:
            return staleness.DAMAGED
        wanted = WantedNow(self, manifest, sources, partial(self._problems, manifest))
        return staleness.why_stale(manifest, promoted_counters.noted(manifest), wanted)

    def judged(self, manifest: Manifest, draft: Draft) -> Manifest:
        """The manifest of a sealed draft with the verdict on it."""
        version = Version(draft.directory.parent, replace(manifest, directory=draft.directory.name))
        return replace(manifest, verdict=rules.judge(self, version, self.rules_of(manifest.artifact)))

    def _kept_count(self, name: str) -> int:
        setting = ARTIFACTS[name].kept_setting
        return 1 if setting is None else int(setting_value(setting, self.settings))

    def _readable_manifest(self, name: str, key: str | None) -> Manifest | None:
        """The manifest, or None where there is none or a damaged one: making the artifact again mends it."""
        try:
            return self.manifest(name, key)
        except UserError:
            return None

    def _failed(self, manifest: Manifest) -> str | None:
        return staleness.failed(self._problems(manifest))

    def _problems(self, manifest: Manifest) -> str:
        return rules.failures(self.verdict(manifest))

    def _note(self, manifest: Manifest, verdict: Verdict) -> None:
        """Writes the verdict down if the version is the current one still and this process may: else it is judged
        anew by the next that asks."""
        folder = self.folder(manifest.artifact, manifest.key)
        with suppress(UserError, OSError), atomic.exclusive(folder / ".lock", "in use"):
            current = self.manifest(manifest.artifact, manifest.key)
            if current is not None and current.directory == manifest.directory and current.verdict != verdict:
                write_manifest(folder, replace(current, verdict=verdict))

    def _bytes(self, labels: Iterable[str]) -> int:
        """Bytes of the current versions."""
        manifests = (self._readable_manifest(*split_label(text)) for text in labels)
        return sum(mark.bytes for manifest in manifests if manifest for mark in manifest.files.values())

    def _seal(
        self,
        draft: Draft,
        name: str,
        key: str | None,
        before: Manifest | None,
        inputs: dict[str, str],
        sources: list[atomic.SourceFile],
    ) -> Manifest:
        def describe(sealed: Sealed) -> Manifest:
            manifest = Manifest(
                artifact=name,
                key=key,
                version=sealed.version,
                directory=sealed.directory,
                previous=before.directory if before else None,
                created=sealed.created,
                code_version=ARTIFACTS[name].code_version,
                rows=draft.rows,
                settings=relevant_settings(name, self.settings),
                inputs=inputs if draft.inputs is None else draft.inputs,
                sources=sources,
                files=sealed.files,
                facts=json.loads(json.dumps(draft.facts)),
            )
            return self.judged(manifest, draft)

        def keep_the_one_before() -> None:
            if before is None or self._failed(before):
                return
            if self._kept_count(name) > 1 or before.version in promoted_counters.pinned(self, name):
                kept_versions.remember(self.folder(name, key), before)

        return publish_version(self.folder(name, key), draft.directory, describe, keep_the_one_before)


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(".tmp-*"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


__all__ = ["ArtifactStore", "Draft", "Manifest", "Version", "check_key", "label"]
