"""Words for several things: numbers with their noun, lists of names, the name that is meant, problems that several
things share."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

NBSP = "\N{NO-BREAK SPACE}"


def counted(number: int, noun: str) -> str:
    """`number` with thousands separators, and the noun, whose plural ends in s, in agreement."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first_few(names: Sequence[str], most: int = 5) -> str:
    """The first `most` names, and how many more there are: `part-00000, part-00002 and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def closest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that a misspelt `name` may mean; None if none is like it."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), None)


def meant(name: str, names: Iterable[str]) -> str:
    """What to say of a `name` that is none of `names`: `did you mean submission?`, or all of them."""
    known = list(names)
    close = closest(name, known)
    return f"there are {', '.join(known)}" if close is None else f"did you mean {close}?"


def grouped(problems: Mapping[str, str]) -> str:
    """The problems by name in one line, each once: `part-00000, part-00002: empty; part-00003: damaged`.

    Problems that differ in the name alone count as one, in which `…` stands for the name. A problem whose name is empty
    stands alone, or counts as one with an equal one that has a name.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name, problem in problems.items():
        names[problem.replace(name, "…") if name else problem].append(name)
    lines = [
        (first_few([name for name in its if name]), problems[its[0]] if len(its) == 1 else problem)
        for problem, its in names.items()
    ]
    return "; ".join(f"{named}: {problem}" if named else problem for named, problem in lines)
