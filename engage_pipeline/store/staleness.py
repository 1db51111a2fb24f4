"""Staleness: why a version would differ if it were made now. The same rule holds for status, plan, runs and checks."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.promoted_counters import noted

NOT_THERE = "not there yet"
DAMAGED = "its manifest is damaged"


class Wanted(Protocol):
    """What a version would be made of now. Costly properties are read last, and only if the version may be current."""

    @property
    def code_version(self) -> str:
        """The code version of the artifact now."""
        ...

    @property
    def lost(self) -> str | None:
        """The file of the version that is missing or cut, in words; None if there is none."""
        ...

    @property
    def problems(self) -> str:
        """The problems that the rules find in the version, in one line; empty if there are none."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the artifact depends on, by name."""
        ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The defaults of these settings, by name."""
        ...

    @property
    def inputs(self) -> Mapping[str, str]:
        """The versions of its inputs, by label."""
        ...

    @property
    def sources(self) -> Sequence[SourceFile]:
        """The raw files that it is made of."""
        ...

    @property
    def counters(self) -> Mapping[str, str]:
        """The versions of the counters that the model that predicts reads; empty for all artifacts but submission."""
        ...


def why_stale(made: Manifest, wanted: Wanted) -> str | None:
    """Returns why the version `made` would differ if it were made now; None if it is current."""
    if made.code_version != wanted.code_version:
        return f"code version {made.code_version} → {wanted.code_version}"
    return (
        wanted.lost
        or failed(wanted.problems)
        or changed_setting(made.settings, wanted.settings, wanted.defaults)
        or changed_version(made.inputs, wanted.inputs)
        or changed_source(made.sources, wanted.sources)
        or _changed_counters(noted(made), wanted.counters)
    )


def failed(problems: str) -> str | None:
    """Returns the words for a version with `problems`; None if there are none."""
    return f"failed a check ({problems})" if problems else None


def changed_version(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Names the inputs that are left out now, new, or of another version; None if all are the same."""
    kinds = {
        "is left out": before.keys() - now.keys(),
        "is new": now.keys() - before.keys(),
        "changed": {name for name, version in before.items() if now.get(name, version) != version},
    }
    return "; ".join(_first(sorted(names), kind) for kind, names in kinds.items() if names) or None


def _first(names: Sequence[str], kind: str) -> str:
    return f"{names[0]} {kind}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def changed_setting(
    made_with: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})
) -> str | None:
    """Names the settings that have another value now, with both values; None if there are none. Compares by field.

    A field that came with a later version of the program than the one that made the version counts as having been at
    its default. If such a field changes the result, the code version is raised.
    """
    before = {name: _with_new_fields(value, defaults.get(name)) for name, value in made_with.items()}
    return "; ".join(dict.fromkeys(_changes(before, now))) or None  # a section may stand beside some of its fields


def _with_new_fields(section: Any, defaults: Any) -> Any:
    if not isinstance(section, dict) or not isinstance(defaults, dict):
        return section
    return defaults | {name: _with_new_fields(value, defaults.get(name)) for name, value in section.items()}


def _changes(made_with: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields a change of a value, or those of the fields of a section that both have."""
    for name, value in sorted(now.items()):
        before = made_with.get(name)
        if before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            of_fields = ({f"{name}.{step}": one for step, one in section.items()} for section in (before, value))
            yield from list(_changes(*of_fields)) or [f"{name} changed"]
        else:
            yield f"{name}: {before} → {value}"


def changed_source(before: Sequence[SourceFile], now: Sequence[SourceFile]) -> str | None:
    """Names the raw file whose content differs from the recorded one; None if all are the same."""
    if [(source.folder, source.name) for source in before] != [(source.folder, source.name) for source in now]:
        return "other raw files"
    pairs = zip(before, now, strict=True)
    return next((f"{one.name} was replaced" for one, other in pairs if one.sha256 != other.sha256), None)


def _changed_counters(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    return "the model reads other counters now" if before and now and before != now else None
