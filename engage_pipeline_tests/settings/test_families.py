"""What a key of a counter family may say: what counting can't do is refused where the key is written."""

from typing import Any

import pytest

from engage_pipeline.settings.families import AUTHOR, VIEWER, Key


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("hashtags", {"several": True}, "tag: a key without `viewer` is neither `few` nor `several`"),
        ("language", {"few": True}, "tag: a key without `viewer` is neither `few` nor `several`"),
        ("hashtags", {"viewer": AUTHOR, "few": True, "several": True}, "tag: a key is not both `few` and `several`"),
    ],
)
def test_a_key_that_can_not_be_counted_is_refused(column: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Key("tag", "these hashtags", column, **values)


@pytest.mark.parametrize("viewer", [AUTHOR, VIEWER])
@pytest.mark.parametrize("kind", ["few", "several"])
def test_a_nested_key_may_be_either(viewer: str, kind: str) -> None:
    key = Key("tag", "these hashtags", "hashtags", viewer, **{kind: True})
    assert getattr(key, kind)
