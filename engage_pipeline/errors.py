"""The one exception for what a user can mend."""


class UserError(Exception):
    """A mistake in the user's data, settings or command: one clear line, shown without a traceback."""
