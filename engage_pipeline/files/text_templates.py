"""Jinja templates of plain text, such as Markdown: nothing is escaped, and a name without a value is an error."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def text_template(package: str, name: str) -> "Template":
    """Returns the template `name` in the folder `templates` of a package. A trailing newline is kept."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(enabled_extensions=(), default_for_string=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template(name)
