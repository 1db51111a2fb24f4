"""The watch's report on the raw parts, in one line."""

from collections.abc import Mapping, Sequence

from engage_pipeline.ingest.watch.situation import State, WatchDecision
from engage_pipeline.locations.location import Location
from engage_pipeline.plurals import counted, first_few


def report(decision: WatchDecision, problems: Mapping[str, str], folder: Location) -> str:
    """Returns a line such as `3 parts ingested, 1 vanished: part-00002`; problems come last."""
    names = {state: [name for name, its in decision.states.items() if its is state] for state in State}
    ingested = len(names.pop(State.INGESTED))
    lines = [f"{counted(ingested, 'part')} ingested"] if ingested else []
    lines += [_named(state.value, parts) for state, parts in names.items() if parts]
    if decision.vanished:
        lines.append(_named("vanished", decision.vanished))
    text = ", ".join(lines) or f"no parts in {folder}"
    return "; ".join([text, *problems.values()])


def _named(what: str, parts: Sequence[str]) -> str:
    return f"{len(parts)} {what}: {first_few(parts)}"
