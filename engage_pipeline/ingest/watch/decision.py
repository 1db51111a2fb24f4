"""Decides which parts are new or replaced and must be ingested, from what is seen, remembered and stored.

A part is requested when its file has kept size and modification time for `stable_seconds`, its content (SHA-256)
differs from the stored one, no unfinished run works on it, and this content was not yet requested to replace this
stored version. So each content is requested once, and a part replaced by A, B and A again is ingested three times.

Nothing is read, written or deleted here; observation reads the files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engage_pipeline.catalogue import digest
from engage_pipeline.ingest.watch.cursor import Asked, Cursor, Seen
from engage_pipeline.ingest.watch.situation import Observed, PartRun, Situation, State, Stored, WatchDecision


def parts_to_read(found: Mapping[str, Observed], before: Cursor, situation: Situation) -> list[str]:
    """Returns the names of the parts whose content must be read before the decision, sorted."""
    seen = _sightings(found, before.of_folder(situation.folder).parts, situation)
    return sorted(name for name in seen if _state(name, seen[name], situation) is State.UNREAD)


def decide(found: Mapping[str, Observed], before: Cursor, situation: Situation) -> WatchDecision:
    """Decides what to do about the parts `found`, by part name; `before` is the cursor of the last decision."""
    known = before.of_folder(situation.folder).parts
    seen = _sightings(found, known, situation)
    states = {name: _state(name, seen[name], situation) for name in sorted(seen)}
    content_known = {name for name, state in states.items() if state not in {State.UNSTABLE, State.UNREAD}}
    register = tuple(sorted(content_known - set(situation.registered)))

    due = {name: seen[name] for name, state in states.items() if state is State.DUE}
    requests = {name: _request(name, file, situation) for name, file in due.items()}
    runs = _runs(requests, [*situation.registered, *register], situation.parts_a_run)
    for run in runs:
        for name in run.parts:
            seen[name] = replace(seen[name], asked=replace(requests[name], run_key=run.run_key))

    gone = _gone(known, situation)
    kept = {name: entry for name, entry in known.items() if name in situation.present and name not in seen}
    kept |= {name: replace(entry, gone=True) for name, entry in gone.items()}
    kept |= {name: entry for name, file in seen.items() if (entry := _memory(name, file, states[name], situation))}
    return WatchDecision(
        register=register,
        runs=runs,
        vanished=tuple(gone),
        newly_vanished=tuple(name for name, entry in gone.items() if not entry.gone),
        states=states,
        cursor=Cursor(situation.folder, kept),
    )


def _sightings(found: Mapping[str, Observed], known: Mapping[str, Seen], situation: Situation) -> dict[str, Seen]:
    return {name: _sighting(name, file, known.get(name), situation) for name, file in found.items()}


def _sighting(name: str, file: Observed, before: Seen | None, situation: Situation) -> Seen:
    """Carries over when the file last changed and its hash, if both still hold."""
    unchanged = before is not None and (before.file, before.bytes, before.mtime_ns) == _signature(file)
    since, sha256 = situation.now, file.sha256
    if before is not None and unchanged:
        # If the clock was set back, the wait starts anew: else it could last forever.
        since = min(before.since, situation.now)
        sha256 = sha256 or before.sha256
    stored = situation.stored.get(name)
    if sha256 is None and stored and (before is None or unchanged) and _is_source(stored, file, situation):
        sha256 = stored.source.sha256
    return Seen(file.file, file.bytes, file.mtime_ns, since, sha256, before.asked if before else None)


def _state(name: str, seen: Seen, situation: Situation) -> State:
    stored = situation.stored.get(name)
    if stored and _has_content(stored, seen, situation):
        return State.INGESTED
    if not _is_stable(seen, situation):
        return State.UNSTABLE
    if seen.sha256 is None:
        return State.UNREAD
    if name in situation.busy:
        return State.BUSY
    asked = seen.asked
    if (
        asked
        and (asked.sha256, asked.over) == (seen.sha256, _directory(stored))
        and asked.run_key not in situation.lost
    ):
        return State.UNMADE
    return State.DUE


def _is_stable(seen: Seen, situation: Situation) -> bool:
    """Returns whether the file kept still for `stable_seconds`, by our clock and by its mtime unless that is ahead."""
    written = seen.mtime_ns / 1e9
    since = max(seen.since, written) if written <= situation.now else seen.since
    return situation.now - since >= situation.stable_seconds


def _request(name: str, seen: Seen, situation: Situation) -> Asked:
    """Makes the request for this content; its key names the version to replace, so that a content may come again."""
    over = _directory(situation.stored.get(name))
    count = seen.asked.count + 1 if seen.asked and seen.asked.over == over else 0
    key = f"{name}:{str(seen.sha256)[:16]}:{over or 'new'}" + (f":{count}" if count else "")
    return Asked(str(seen.sha256), over, count, key, situation.now)


def _runs(requests: Mapping[str, Asked], order: Sequence[str], at_most: int) -> tuple[PartRun, ...]:
    """Groups the requested parts into runs of at most `at_most` neighbours in the order of the partitions."""
    place = {name: index for index, name in enumerate(order)}
    runs: list[list[str]] = []
    for name in sorted(requests, key=place.__getitem__):
        if runs and len(runs[-1]) < at_most and place[runs[-1][-1]] + 1 == place[name]:
            runs[-1].append(name)
        else:
            runs.append([name])
    return tuple(PartRun(tuple(run), _run_key(run, [requests[name].run_key for name in run])) for run in runs)


def _run_key(parts: Sequence[str], keys: Sequence[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{parts[0]}...{parts[-1]}:{digest(keys)}"


def _memory(name: str, seen: Seen, state: State, situation: Situation) -> Seen | None:
    """Returns what to remember of a part that is present; None if its manifest suffices."""
    if state is not State.INGESTED:
        return seen
    stored = situation.stored.get(name)
    if stored is None:
        return seen
    if seen.asked and seen.asked.over == stored.directory:
        # The requested content was not ingested and its file is no longer there: allow another request for it.
        return replace(seen, asked=replace(seen.asked, sha256=str(seen.sha256)))
    recorded = (stored.source.name, stored.source.bytes, stored.source.mtime_ns)
    return None if recorded == (seen.file, seen.bytes, seen.mtime_ns) else replace(seen, asked=None)


def _gone(known: Mapping[str, Seen], situation: Situation) -> dict[str, Seen]:
    """Returns the parts that were read or ingested from this folder and whose file is gone, sorted by name."""
    gone = {name: entry for name, entry in known.items() if entry.sha256 is not None or entry.gone}
    for name, stored in situation.stored.items():
        source = stored.source
        if source.folder == situation.folder and name not in gone:
            gone[name] = Seen(source.name, source.bytes, source.mtime_ns, situation.now, source.sha256)
    return {name: gone[name] for name in sorted(gone) if name not in situation.present}


def _signature(file: Observed) -> tuple[str, int, int]:
    return file.file, file.bytes, file.mtime_ns


def _is_source(stored: Stored, file: Observed, situation: Situation) -> bool:
    """Returns whether the version was made of this file: same folder, name, size and time count as unchanged."""
    source = stored.source
    return source.folder == situation.folder and (source.name, source.bytes, source.mtime_ns) == _signature(file)


def _has_content(stored: Stored, seen: Seen, situation: Situation) -> bool:
    source = stored.source
    return (source.folder, source.name, source.sha256) == (situation.folder, seen.file, seen.sha256)


def _directory(stored: Stored | None) -> str:
    return stored.directory if stored else ""
