"""Reads the YAML of a settings file, and formats its values for messages.

A settings file is small and flat: deep nesting, aliases that repeat too much, and repeated keys are mistakes and are
reported with their line. What does not belong here: the settings (settings.settings).
"""

import reprlib
from typing import Any

import yaml

DEEPEST = 20
"""The most levels of lists and mappings."""
MOST_VALUES = 20_000
"""The most values in a file; each repetition by an alias counts."""
_LARGEST = 2**63
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxset = 2, 3, 3, 3
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60


def read_tree(text: str) -> Any:
    """Parses the YAML document `text`. Raises yaml.YAMLError with the line: not YAML, or a mistake as above."""
    _check_depth(text)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, set())
        return loader.construct_document(node)
    finally:
        loader.dispose()


def yaml_problem(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Returns the line and the problem of an error, to be put behind the file's name."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f": not a YAML file: {shortened(' '.join(str(error).split()), 200)}"
    wrong = "not a YAML file: " if isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError) else ""
    problem = shortened(" ".join(str(error.problem).split()), 200)
    return f", line {error.problem_mark.line + 1}: {wrong}{problem}"


def shown(value: Any) -> str:
    """Formats a value for a message, at most about a line of it."""
    try:
        return shortened(_SHORT.repr(value), 120)
    except ValueError:  # Python formats no number of more than 4 300 digits
        return "a number of thousands of digits"


def shortened(text: str, most: int) -> str:
    """Returns `text`, cut to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


class _Loader(yaml.SafeLoader):
    """A loader that reports the line of every mistake and rejects repeated keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int) and abs(value) >= _LARGEST:
                raise ValueError("too large a number")
            return value
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            found = f"{shown(node.value)}: {error}" if isinstance(node, yaml.ScalarNode) else str(error)
            raise yaml.constructor.ConstructorError(None, None, found, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (name := self.construct_object(key)) in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{shown(name)} occurs twice", key.start_mark)
                seen.add(name)
        return dict(super().construct_mapping(node, deep))


def _check_depth(text: str) -> None:
    """Raises yaml.YAMLError if lists and mappings are nested more than DEEPEST levels: the loader recurses."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise yaml.MarkedYAMLError(problem=f"nested more than {DEEPEST} deep", problem_mark=event.start_mark)
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _count(node: yaml.Node, counted: dict[yaml.Node, tuple[int, int]], inside: set[yaml.Node]) -> tuple[int, int]:
    """Counts values and levels below a node, through aliases. Raises yaml.YAMLError: too many, or a circular alias."""
    if node in counted:
        return counted[node]
    if node in inside:
        raise yaml.MarkedYAMLError(problem="an alias that contains itself", problem_mark=node.start_mark)
    inside.add(node)
    values, levels = 1, 0
    if isinstance(node, yaml.CollectionNode):
        below = [one for item in node.value for one in (item if isinstance(item, tuple) else (item,))]
        for more, deeper in (_count(one, counted, inside) for one in below):
            values, levels = values + more, max(levels, deeper + 1)
    if values > MOST_VALUES or levels > DEEPEST:
        raise yaml.MarkedYAMLError(problem="aliases repeat too much", problem_mark=node.start_mark)
    inside.discard(node)
    counted[node] = values, levels
    return counted[node]
