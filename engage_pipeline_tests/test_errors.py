"""A user's mistake is one line that can be printed, whatever names and contents it tells of."""

import pickle

import pytest

from engage_pipeline.errors import SeveralMistakesError, UserError, raise_all


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


def test_several_mistakes_are_a_line_each() -> None:
    raise_all([])
    with pytest.raises(UserError, match=r"^a\\nb$"):
        raise_all(["a\nb"])
    with pytest.raises(SeveralMistakesError, match=r"^a\\nb\nc$") as caught:
        raise_all(["a\nb", "c"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
    assert caught.value.details == {}
