"""Why a version would come out otherwise if it were made now: the one rule of status, plan, runs and checks."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.store.manifests import Manifest

NOT_THERE = "not there yet"
DAMAGED = "its manifest is damaged"


class Wanted(Protocol):
    """What a version would be made of now. What costs more is asked for later, and only of a version that may be
    current."""

    @property
    def code_version(self) -> str:
        """Of the code that makes the artifact."""
        ...

    @property
    def problems(self) -> str:
        """What the rules find wrong with the version, in one line; empty where nothing is."""
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
        """The versions of the artifacts that it is made of, by label."""
        ...

    @property
    def sources(self) -> Sequence[SourceFile]:
        """The raw files that it is made of."""
        ...

    @property
    def counters(self) -> Mapping[str, str]:
        """The versions of the counters that the model reads which predicts now; empty for all but a submission."""
        ...


def why_stale(made: Manifest, noted_counters: Mapping[str, str], wanted: Wanted) -> str | None:
    """Why the version `made` would come out otherwise if it were made now; None where it is current.

    `noted_counters` are those that the facts of a submission name.
    """
    if made.code_version != wanted.code_version:
        return f"code version {made.code_version} → {wanted.code_version}"
    return (
        failed(wanted.problems)
        or changed_setting(made.settings, wanted.settings, wanted.defaults)
        or changed_version(made.inputs, wanted.inputs)
        or changed_source(made.sources, wanted.sources)
        or _changed_counters(noted_counters, wanted.counters)
    )


def failed(problems: str) -> str | None:
    """What is said of a version with `problems`; None without."""
    return f"failed a check ({problems})" if problems else None


def changed_version(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """Which of the inputs has another version now; None where none has."""
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if not names:
        return None
    return f"{names[0]} changed" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def changed_setting(
    made_with: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})
) -> str | None:
    """Which settings have another value now, with both values; None where none has. A section is compared by field.

    A field that its section did not have when the version was made counts as having had its default: it came with a
    later version of the program. Where it changes what comes out, the code version is raised.
    """
    before = {name: _with_new_fields(value, defaults.get(name)) for name, value in made_with.items()}
    changes = [
        _value_change(name, before.get(name), value) for name, value in sorted(now.items()) if before.get(name) != value
    ]
    return "; ".join(changes) or None


def _with_new_fields(section: Any, defaults: Any) -> Any:
    if not isinstance(section, dict) or not isinstance(defaults, dict):
        return section
    return defaults | {name: _with_new_fields(value, defaults.get(name)) for name, value in section.items()}


def _value_change(name: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        return (
            changed_setting(
                {f"{name}.{step}": value for step, value in before.items()},
                {f"{name}.{step}": value for step, value in now.items()},
            )
            or f"{name} changed"
        )
    return f"{name}: {before} → {now}"


def changed_source(before: Sequence[SourceFile], now: Sequence[SourceFile]) -> str | None:
    """Which of the raw files differs in content from what was recorded; None where none does."""
    if [(source.folder, source.name) for source in before] != [(source.folder, source.name) for source in now]:
        return "other raw files"
    pairs = zip(before, now, strict=True)
    return next((f"{one.name} was replaced" for one, other in pairs if one.sha256 != other.sha256), None)


def _changed_counters(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    return "the model reads other counters now" if before and now and before != now else None
