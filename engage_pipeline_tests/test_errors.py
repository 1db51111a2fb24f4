"""A user's mistake is one line that can be printed, whatever names and contents it tells of."""

import pytest

from engage_pipeline.errors import UserError


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("part-é: no such part 😀", "part-é: no such part 😀"),
        ("part-\n: two lines", "part-\\n: two lines"),
        ("\x1b[2Jcleared\r", "\\x1b[2Jcleared\\r"),
        ("not UTF-8: \udcff", "not UTF-8: \\udcff"),
        ("turned \u202e around", "turned \\u202e around"),
    ],
)
def test_what_cannot_be_printed_is_escaped(message: str, shown: str) -> None:
    assert str(UserError(message)) == shown
    shown.encode()
