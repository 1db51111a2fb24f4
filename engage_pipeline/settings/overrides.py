"""Single settings from elsewhere than the file: the environment, the command line, Dagster's launchpad.

    file < ENGAGE__SECTION__KEY < --preset < --set section.key=value, or `overrides` of Dagster's resource

A value is written as in the file, in YAML. What does not belong here: checking values (settings.settings).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from engage_pipeline.errors import UserError, raise_all
from engage_pipeline.settings.yaml_file import read_tree, shown, yaml_problem

PREFIX = "ENGAGE__"
SET = "--set"


@dataclass(frozen=True)
class Override:
    """The value of the setting at `path`, such as ("network", "hidden_size"). `source` names its origin in messages."""

    path: tuple[str, ...]
    value: Any
    source: str

    def over(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns `values` with this one over them; a mapping goes over the one that is there, key by key."""
        below = self.value
        for step in reversed(self.path):
            below = {step: below}
        return overlay(values, below)

    def concerns(self, path: Sequence[str]) -> bool:
        """Returns whether a problem at `path` can come of this value."""
        most = min(len(path), len(self.path))
        return self.path[:most] == tuple(path[:most])


def overlay(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` overridden by `values`, section by section."""
    merged = dict(base)
    for key, value in values.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def from_environment(model: type[BaseModel]) -> list[Override]:
    """Returns the settings of variables such as ENGAGE__NETWORK__HIDDEN_SIZE; empty variables count as unset.

    Names are those of `model` in capitals. Raises UserError naming each variable whose value is not YAML.
    """
    found: list[Override] = []
    problems = []
    for variable in sorted(os.environ):
        text = os.environ[variable]
        if variable.startswith(PREFIX) and text:
            path = tuple(_spelled(variable.removeprefix(PREFIX).split("__"), model))
            try:
                found += _leaves(path, _value(text, variable), variable)
            except UserError as error:
                problems.append(str(error))
    raise_all(problems)
    return sorted(found, key=lambda one: len(one.path))


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment without the variables that from_environment reads; others, such as ENGAGE_CONFIG, stay."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


def from_arguments(texts: Sequence[str]) -> list[Override]:
    """Returns the settings of arguments such as `network.hidden_size=128`, in order.

    Raises UserError naming each argument of another form.
    """
    found: list[Override] = []
    problems = []
    for text in texts:
        name, equals, value = text.partition("=")
        try:
            if not name or not equals:
                raise UserError(f"{SET} {shown(text)}: write section.key=value, such as network.hidden_size=128")
            found += _leaves(tuple(name.strip().split(".")), _value(value, f"{SET} {name}"), SET)
        except UserError as error:
            problems.append(str(error))
    raise_all(problems)
    return found


def from_mapping(values: Mapping[str, Any], source: str) -> list[Override]:
    """Returns the settings of a mapping that is shaped like the file; a key may also be dotted."""
    return [one for name, value in values.items() for one in _leaves(tuple(str(name).split(".")), value, source)]


def nested(overrides: Sequence[Override]) -> dict[str, Any]:
    """Returns the values as a mapping that is shaped like the file."""
    values: dict[str, Any] = {}
    for one in overrides:
        values = one.over(values)
    return values


def _leaves(path: tuple[str, ...], value: Any, source: str) -> Iterator[Override]:
    """Yields a value, or the values of a mapping, so that a message can name the source of each."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _leaves((*path, str(name)), below, source)
    else:
        yield Override(path, value, source)


def _value(text: str, source: str) -> Any:
    try:
        return read_tree(text)
    except yaml.YAMLError as error:
        raise UserError(f"{source}{yaml_problem(error)}") from error


def _spelled(names: Sequence[str], model: Any) -> Iterator[str]:
    """Yields the names of settings as `model` spells them, from names in capitals; unknown ones in small letters."""
    for name in names:
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
        known = {field.upper(): field for field in fields}
        spelled = known.get(name.upper(), name.lower())
        yield spelled
        model = fields[spelled].annotation if spelled in fields else None
