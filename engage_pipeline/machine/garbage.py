"""How often Python looks for garbage: objects that refer to each other, and nothing else to them.

By default it looks each time that there are 700 more objects. While modules are loaded, which stay, that is hundreds of
times for nothing: a tenth of the start of a command. Large arrays are rarely held by such objects.
"""

import gc

OBJECTS = 10_000
"""So many more objects until it looks; with more the time is the same."""


def seek_rarely() -> None:
    """Makes this process look less often."""
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
