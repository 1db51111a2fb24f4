"""What tests look for in a report: its elements, in order, each closed, none of them from elsewhere."""

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "img", "wbr", "br", "link", "input"}
HEADINGS = ("h1", "h2", "h3", "h4")


class Page(HTMLParser):
    """Elements, attributes and words of a page whose tags are all closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.texts:
            tag, before = self.texts[-1]
            self.texts[-1] = (tag, before + data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def text_of(self, tag: str) -> list[str]:
        """What stands in each element `tag`, up to the next element."""
        return [" ".join(words.split()) for name, words in self.texts if name == tag]

    def plain(self) -> str:
        return " ".join("".join(self.words).split())


def assert_whole(page: Page) -> None:
    """The page needs nothing else, and those who hear it rather than see it can follow it."""
    assert not re.search(r"https?://|<script|@import|url\(|<link|<iframe|javascript:", page.text, re.IGNORECASE)
    tags = [tag for tag, _ in page.elements]
    assert tags[0] == "html"
    assert dict(page.elements)["html"] == {"lang": "en"}
    assert page.count("h1") == page.count("main") == 1
    levels = [HEADINGS.index(tag) for tag in tags if tag in HEADINGS]
    assert levels[0] == 0
    assert all(after <= before + 1 for before, after in pairwise(levels)), "a level is left out"
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        if tag == "img":
            assert_picture(attributes)
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in ids
        if tag == "th":
            assert attributes["scope"] in {"row", "col"}
    assert page.count("table") == page.count("caption") == page.count("thead") == page.count("tbody")
    assert "prefers-color-scheme: dark" in page.text


def assert_picture(attributes: dict[str, str | None]) -> None:
    kind, _, data = (attributes["src"] or "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    picture = ET.fromstring(base64.b64decode(data))
    assert [attributes[name] for name in ("width", "height")] == [picture.get(name) for name in ("width", "height")]
    assert picture.get("viewBox") == f"0 0 {attributes['width']} {attributes['height']}"
    assert len((attributes["alt"] or "").split()) > 3
