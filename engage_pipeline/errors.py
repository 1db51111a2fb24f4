"""The one exception for what a user can mend."""


class UserError(Exception):
    """A mistake in the user's data, settings or command: one clear line, shown without a traceback.

    What can't be printed, as line ends and control characters of a file's name or content, stands there escaped.
    """

    def __init__(self, message: str) -> None:
        """The line as it is shown."""
        super().__init__(message if message.isprintable() else "".join(map(_printable, message)))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
