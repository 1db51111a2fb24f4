"""The artifact store: makes versions of artifacts and publishes each one whole or not at all.

    working_dir/<stage>/<artifact>[/<part>]/
        manifest.json            names the current version; replaced by one rename
        current                  a link to it, for readers that know no manifest (current_link.py)
        <version>-<random>/      its files, never changed after publication
        .tmp-<random>/           a version being written; removed by the next run if its own was killed
        failed-rejects.parquet   rejected lines of a failed part (ingest/rejected_part.py)
        kept-<number>.json       entries of earlier versions, for artifacts that keep some (kept_versions.py)

A reader follows manifest.json, so it sees the old version or the new one, never a mixture. It never sees a temporary
file, because no file is found by globbing. The manifest holds the hash of each file, so a reader notices damage. The
version before the current one stays, for readers that opened it. What does not belong here: what an artifact contains.
"""

import json
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS, ancestry, digest, relevant_settings, setting_value
from engage_pipeline.files import atomic
from engage_pipeline.files.raw_parts import check_key
from engage_pipeline.locations.location import Location
from engage_pipeline.machine import full_disk
from engage_pipeline.store import kept_versions, promoted_counters, rules, staleness
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.manifests import Manifest, label, split_label
from engage_pipeline.store.publishing import MANIFEST, Sealed, publish_version
from engage_pipeline.store.readable import ReadableStore
from engage_pipeline.store.versions import Draft, Version
from engage_pipeline.store.wanted import WantedNow, input_versions

LOOK_SECONDS = 2.0
"""How long a lock may be held by a look at the artifact: a reader that follows the mirror, notes a verdict, or moves a
link. Who holds it longer makes the artifact."""


class ArtifactStore(ReadableStore):
    """The artifacts of one working directory under one set of settings: read, made and published.

    A version that fails a rule of its artifact is made again.
    """

    @contextmanager
    def publish(self, name: str, key: str | None = None, sources: Sequence[Location] = ()) -> Iterator[Draft]:
        """Yields a draft to write into; publishes it when the block ends, discards it if the block raises.

        Enter the block before opening inputs: their versions are recorded on entry. Raises UserError if another process
        is making the same artifact, or if a disk is full.
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

    def workspace(self, name: str, key: str | None = None, sources: Sequence[Location] = ()) -> Path:
        """Returns a folder for checkpoints that outlives a killed run and is removed once the artifact is published.

        It belongs to the current inputs, settings, code and content of the raw files `sources`: if they change, a new
        folder starts empty. Raises UserError if a raw file can't be read.
        """
        artifact = ARTIFACTS[name]
        code = {ancestor: ARTIFACTS[ancestor].code_version for ancestor in ancestry(name)}
        made_of = [code, input_versions(self, artifact, key), relevant_settings(name, self.settings)]
        raw = [atomic.describe_source(path, self.root) for path in sources]
        identity = digest([*made_of, *((source.name, source.sha256) for source in raw)])
        folder = self.folder(name, key)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".work-{identity}"
        for other in folder.glob(".work-*"):
            if other != path:
                shutil.rmtree(other)
        path.mkdir(exist_ok=True)
        return path

    def stale(self, name: str, key: str | None = None, sources: Sequence[Location] = ()) -> str | None:
        """Returns why the artifact would differ if it were made now; None if it is current."""
        if not (self.folder(name, key) / MANIFEST).is_file():
            return staleness.NOT_THERE
        manifest = self._readable_manifest(name, key)
        if manifest is None:
            return staleness.DAMAGED
        self._relink(manifest)
        wanted = WantedNow(self, manifest, sources, partial(self._problems, manifest))
        return staleness.why_stale(manifest, wanted)

    @contextmanager
    def changing(self, name: str, key: str | None = None) -> Iterator[None]:
        """Locks the artifact for a block that changes its folder, between following the mirror and sending to it.

        Raises UserError if another process keeps the lock, if the mirror can't be reached, or if another machine
        published the artifact meanwhile.
        """
        folder = self.folder(name, key)
        folder.mkdir(parents=True, exist_ok=True)
        making = f"another run is making {label(name, key)}"
        with atomic.exclusive(folder / ".lock", making, seconds=LOOK_SECONDS):
            copy = self.mirrored(name, key)
            if copy is not None:
                copy.follow()
            yield
            if copy is not None:
                copy.send()

    def judged(self, manifest: Manifest, draft: Draft) -> Manifest:
        """Returns the manifest of a sealed draft with its verdict; without one if something else can't be read now, so
        that the version is judged when it is opened."""
        version = Version(draft.directory.parent, replace(manifest, directory=draft.directory.name))
        judgement = rules.judge(self, version, self.rules_of(manifest.artifact))
        return replace(manifest, verdict=judgement.verdict if judgement.final else None)

    @contextmanager
    def _draft(self, name: str, key: str | None, sources: Sequence[Location]) -> Iterator[Draft]:
        folder = self.folder(name, key)
        folder.mkdir(parents=True, exist_ok=True)
        with self.changing(name, key):
            _sweep(folder)
            before = self._readable_manifest(name, key)
            damaged = before is None and (folder / MANIFEST).exists()
            before = before or kept_versions.last(folder)
            inputs = input_versions(self, ARTIFACTS[name], key)
            signatures = [atomic.describe_source(path, self.root) for path in sources]
            draft = Draft(folder / f".tmp-{uuid.uuid4().hex[:12]}")
            draft.directory.mkdir()
            try:
                with full_disk.told_when_removed(folder):
                    with full_disk.told_when_removed(draft.directory):
                        yield draft
                    draft.manifest = self._seal(draft, name, key, before, inputs, signatures)
            finally:
                shutil.rmtree(draft.directory, ignore_errors=True)
            if draft.manifest is not None:
                pinned = promoted_counters.pinned(self, name)
                if ARTIFACTS[name].kept_setting is not None:
                    kept_versions.copy_current(folder, draft.manifest)
                kept_versions.forget_old(folder, draft.manifest, self._kept_count(name), pinned, damaged=damaged)

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

    def _kept_count(self, name: str) -> int:
        setting = ARTIFACTS[name].kept_setting
        return 1 if setting is None else int(setting_value(setting, self.settings))

    def _bytes(self, labels: Iterable[str]) -> int:
        """Returns the bytes of the current versions."""
        manifests = (self._readable_manifest(*split_label(text)) for text in labels)
        return sum(manifest.own_bytes for manifest in manifests if manifest)


def _sweep(folder: Path) -> None:
    for leftover in folder.glob(".tmp-*"):
        if is_version_folder(leftover):
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


__all__ = ["ArtifactStore", "Draft", "Manifest", "Version", "check_key", "label"]
