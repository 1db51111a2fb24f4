"""How `engage` shows its commands, and what a mistake in the command line says."""

from contextlib import suppress
from typing import Any

from typer.core import TyperGroup

from engage_pipeline.commands import documents
from engage_pipeline.errors import UserError

_JSON = "--json"


class Commands(TyperGroup):
    """The group of all commands: its help says of each the whole first sentence, in as many lines as that takes."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_sentence(one.help)) for name, one in found if one and not one.hidden])

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. A mistake in its options becomes the JSON document's error too, if it has `--json`."""
        arguments = [*getattr(ctx, "_protected_args", []), *ctx.args]
        try:
            return super().invoke(ctx)
        except Exception as error:
            if hasattr(error, "format_message") and self._writes_documents(ctx, arguments):
                with suppress(UserError, OSError):  # a document that can't be written: the mistake is told all the same
                    documents.take_output()
                    documents.finish(error.format_message())
            raise

    def _writes_documents(self, ctx: Any, arguments: list[str]) -> bool:
        command = self.get_command(ctx, arguments[0]) if arguments else None
        options = [option for option in getattr(command, "params", []) if _JSON in option.opts]
        return _JSON in arguments and any(option.is_flag for option in options)


def _first_sentence(text: str | None) -> str:
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "."
