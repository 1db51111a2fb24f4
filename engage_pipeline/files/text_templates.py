"""Jinja templates of plain text, such as Markdown: nothing is escaped, and a name without a value is an error."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

_MARKUP = frozenset("\\`*_[]<>&|#~!$")
"""Characters that mean something in Markdown or HTML."""


def text_template(package: str, name: str) -> "Template":
    """Returns the template `name` in the folder `templates` of a package, with the filter `cell`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(enabled_extensions=(), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    return environment.get_template(name)


def cell(text: str) -> str:
    """Returns the text for a cell of a Markdown table: as it is, in one line, without any markup of its own."""
    return "".join(f"\\{one}" if one in _MARKUP else one for one in " ".join(text.split()))
