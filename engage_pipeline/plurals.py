"""Numbers with their noun: `1 part`, `1,200 parts`."""


def counted(number: int, noun: str) -> str:
    """`number` with thousands separators, and the noun, whose plural ends in s, in agreement."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
