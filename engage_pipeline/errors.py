"""The one exception for what a user can mend."""

from collections.abc import Mapping
from typing import Any


class UserError(Exception):
    """A mistake in the user's data, settings or command: one clear line, shown without a traceback.

    What can't be printed, as line ends and control characters of a file's name or content, stands there escaped.
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        """The line as it is shown. `details` are figures of JSON types, by name, for places that show more than it."""
        self.details = dict(details or {})
        super().__init__(message if message.isprintable() else "".join(map(_printable, message)))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
