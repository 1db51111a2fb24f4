"""The exceptions for errors that a user can fix."""

from collections.abc import Mapping, Sequence
from typing import Any


class UserError(Exception):
    """A mistake in the user's data, settings or command: one clear line, shown without a traceback.

    Unprintable characters, such as line ends and control characters in file names, are escaped.
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        """`message` is the line to show. `details` are figures of JSON types, by name, for places that show more."""
        self.details = dict(details or {})
        super().__init__(one_line(message))


class SeveralMistakesError(UserError):
    """Several mistakes of a user: a line each, of which `args` are the lines."""

    def __init__(self, *lines: str) -> None:
        """`lines` are what one UserError each would say."""
        super().__init__("")
        self.args = tuple(map(one_line, lines))

    def __str__(self) -> str:
        """Returns the lines."""
        return "\n".join(self.args)


def raise_all(problems: Sequence[str]) -> None:
    """Raises UserError with the problems, a line each, if there are any."""
    if problems:
        raise SeveralMistakesError(*problems) if len(problems) > 1 else UserError(problems[0])


class StoreError(UserError):
    """An object store can't be reached, or refuses: what is asked of it may be there all the same."""


def one_line(text: str) -> str:
    """Returns a text whose unprintable characters, such as line ends, are escaped."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
