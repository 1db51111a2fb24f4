"""The sides of a row that rows are distributed by: its viewer, its author, its tweet.

Every key of a side begins with the side's id, so that all rows of a key lie in one shard: the viewer's side holds the
viewer itself, and nested below it pairs with authors, languages and hashtags. What does not belong here: counting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engage_pipeline.settings.families import Key


@dataclass(frozen=True)
class Side:
    """A side: the raw `column` of its id, the key of the id alone, and the keys of the id and a second value."""

    column: str
    own: Key
    nested: tuple[Key, ...]

    @property
    def name(self) -> str:
        """The name of the side: that of its own key."""
        return self.own.name


def sides_of(keys: Sequence[Key]) -> tuple[Side, ...]:
    """Returns the sides of the counted `keys`, each once."""
    own = [key for key in keys if key.viewer is None]
    return tuple(Side(key.column, key, tuple(one for one in keys if one.viewer == key.column)) for key in own)
