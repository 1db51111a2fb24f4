"""Numbers with their noun: `1 part`, `1,200 parts`."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`number` with thousands separators, and the noun in agreement; `plural` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
