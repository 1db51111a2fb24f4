"""What a key of a counter family may say: what counting can't do is refused where the key is written."""

from typing import Any

import pytest

from engage_pipeline import schema
from engage_pipeline.schema import Kind
from engage_pipeline.settings.families import AUTHOR, LISTS, VIEWER, Key

OTHERWISE = (
    "tag: a key is `several` if its column is one of hashtags, present_media, present_links, present_domains, else not"
)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("hashtags", {"several": True}, "tag: a key without `viewer` is neither `few` nor `several`"),
        ("language", {"few": True}, "tag: a key without `viewer` is neither `few` nor `several`"),
        ("hashtags", {"viewer": AUTHOR, "few": True, "several": True}, "tag: a key is not both `few` and `several`"),
        ("language", {"viewer": VIEWER, "several": True}, OTHERWISE),
        ("hashtags", {"viewer": VIEWER}, OTHERWISE),
        ("hashtags", {"viewer": AUTHOR, "few": True}, OTHERWISE),
    ],
)
def test_a_key_that_can_not_be_counted_is_refused(column: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        Key("tag", "these hashtags", column, **values)


@pytest.mark.parametrize("viewer", [AUTHOR, VIEWER])
@pytest.mark.parametrize(
    ("kind", "column"), [("few", "language"), ("several", "hashtags"), ("several", "present_media")]
)
def test_a_nested_key_may_be_either(viewer: str, kind: str, column: str) -> None:
    key = Key("tag", "these hashtags", column, viewer, **{kind: True})
    assert getattr(key, kind)


def test_lists_are_those_of_the_schema() -> None:
    assert [column.name for column in schema.COLUMNS if column.kind is Kind.STRINGS] == list(LISTS)
