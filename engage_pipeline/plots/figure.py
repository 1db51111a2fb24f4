"""Pictures: a title, one or several plots, and one legend for all below them, where it hides nothing."""

from collections.abc import Callable, Mapping
from xml.etree.ElementTree import Element

from engage_pipeline.plots.axes import SWATCH_WIDTH, Axes, Swatch
from engage_pipeline.plots.panel import Panel
from engage_pipeline.plots.style import INK, PAPER, stylesheet
from engage_pipeline.plots.svg import EDGE, LINE, NAMESPACE, add, encode, path, shortened, width_of, write

Paint = Callable[[Axes], None]
WIDTH, HEIGHT = 520, 240
"""Of a picture with one plot, and of the area between the axes of a plot, pixels."""
GRID_WIDTH, GRID_HEIGHT, GRID_COLUMNS = 800, 180, 2
_TITLE_SIZE, _KEY_GAP = 13, 16
_BESIDE_NAME = SWATCH_WIDTH + 6 + _KEY_GAP


def draw(title: str, paint: Paint, *, height: float = HEIGHT) -> bytes:
    """Returns the SVG of one plot that `paint` draws; `height` is that between its axes."""
    return _draw(title, {"": paint}, WIDTH, height)


def draw_grid(title: str, paints: Mapping[str, Paint]) -> bytes:
    """Returns the SVG of several plots of one kind, two per row, each under its name, with one legend for all."""
    return _draw(title, paints, GRID_WIDTH, GRID_HEIGHT)


def _draw(title: str, paints: Mapping[str, Paint], width: int, height: float) -> bytes:
    root = Element("svg", {"xmlns": NAMESPACE, "width": str(width), "height": "", "viewBox": "", "role": "img"})
    write(root, title, "title")
    write(root, stylesheet(), "style")
    add(root, "rect", css=f"fill {PAPER}", width="100%", height="100%")
    shown = shortened(title, width - 2 * EDGE, _TITLE_SIZE)
    write(root, shown, css=f"title {INK}", x=EDGE, y=EDGE + _TITLE_SIZE)
    column = width / min(GRID_COLUMNS, len(paints))
    top = bottom = EDGE + 2.0 * _TITLE_SIZE
    keys: dict[str, Swatch] = {}
    for place, (name, paint) in enumerate(paints.items()):
        left = place * column % width
        if left == 0:
            top = bottom
        axes = Axes()
        paint(axes)
        write(root, shortened(name, column - 2 * EDGE), css=INK, x=left + EDGE, y=top + LINE - 3)
        panel = Panel(root, axes, left, top + (LINE + EDGE if name else 0), column, height)
        bottom = max(bottom, panel.draw())
        keys |= axes.keys
    if keys:
        bottom = _put_legend(root, keys, bottom + LINE / 2, width)
    root.set("height", f"{bottom:.0f}")
    root.set("viewBox", f"0 0 {width} {bottom:.0f}")
    return encode(root)


def _put_legend(root: Element, keys: Mapping[str, Swatch], top: float, width: float) -> float:
    """Draws swatches and names in centred rows below the plots; returns where they end, pixels from above."""
    rows: list[list[tuple[Swatch, str, float]]] = []
    room = 0.0
    for name, swatch in keys.items():
        shown = shortened(name, width - 2 * EDGE - _BESIDE_NAME)
        taken = width_of(shown) + _BESIDE_NAME
        if taken > room:
            rows.append([])
            room = width - 2 * EDGE
        rows[-1].append((swatch, shown, taken))
        room -= taken
    for place, row in enumerate(rows):
        x, y = (width - sum(taken for *_, taken in row) + _KEY_GAP) / 2, top + place * LINE
        for swatch, shown, taken in row:
            for attributes, outline in swatch:
                add(root, "path", d=path("M", x, y) + outline, **attributes)
            write(root, shown, css=INK, x=x + SWATCH_WIDTH + 6, y=y + 4)
            x += taken
    return top + len(rows) * LINE
