"""How far colours stand out from each other, as WCAG 2.2 defines it."""


def contrast(one: str, other: str) -> float:
    """Of two CSS colours, `#rrggbb` or `rgb(r, g, b)`: 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """From 0, black, to 1, white."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(colour: str) -> list[float]:
    if colour.startswith("#"):
        return [part / 255 for part in bytes.fromhex(colour[1:])]
    return [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
