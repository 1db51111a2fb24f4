"""The visual style of all plots: fonts, lines, colours for colour-blind readers too, and PNG bytes without a date.

Figures are drawn on matplotlib's Agg canvas without pyplot, so nothing global is opened or must be closed.
"""

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Axes = Any
"""A matplotlib Axes. The type is not imported, because importing matplotlib takes a second in every process."""
Paint = Callable[[Axes], None]

WIDTH_INCHES, HEIGHT_INCHES, DPI = 4.8, 3.3, 150
GRID_WIDTH_INCHES, GRID_ROW_INCHES = 7.2, 2.6
COLOURS = 128
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours, in an order that keeps neighbours distinct for colour-blind readers too."""
LINE_STYLES = ("-", "--", "-.", ":", "-", "--")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, MUTED, GRID = "#222222", "#6b6b6b", "#dddddd"
CONSTANT = "constant"

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "figure.titlesize": 9,
    "figure.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def draw(title: str, paint: Paint, *, height: float = HEIGHT_INCHES) -> bytes:
    """Returns the PNG of one plot, `height` inches high, that `paint` draws on its Axes."""
    with _figure(title, WIDTH_INCHES, height) as figure:
        paint(figure.subplots())
        return _png(figure)


def draw_grid(title: str, paints: Mapping[str, Paint]) -> bytes:
    """Returns the PNG of several plots of one kind, two per row, each under its name, with one legend for all.

    The legend has the labels of lines and bars only.
    """
    columns = min(2, len(paints))
    rows = -(-len(paints) // columns)
    with _figure(title, GRID_WIDTH_INCHES, rows * GRID_ROW_INCHES) as figure:
        all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
        known: dict[str, Any] = {}
        for axes, (name, paint) in zip(all_axes, paints.items(), strict=False):
            axes.set_title(plain(name), fontsize=8, loc="left")
            paint(axes)
            handles, labels = axes.get_legend_handles_labels()
            known |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in known}
        for axes in all_axes[len(paints) :]:
            axes.set_axis_off()
        if len(known) > 1:
            _legend_below(figure, list(known.values()), list(known))
        return _png(figure)


@contextmanager
def _figure(title: str, width: float, height: float) -> Iterator[Any]:
    """Makes an empty figure in our style, whatever the user's own style is."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parameters: Any = mpl.rcParams
    with mpl.rc_context():
        mpl.rcdefaults()
        parameters.update(_STYLE)
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(plain(title), x=0.012, horizontalalignment="left")
        yield figure


def _png(figure: Any) -> bytes:
    """Returns the figure's PNG with a palette of COLOURS: a third of the bytes, without a visible difference."""
    from PIL import Image

    figure.canvas.draw()
    image = Image.frombuffer("RGBA", figure.canvas.get_width_height(), figure.canvas.buffer_rgba()).convert("RGB")
    indexed = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    indexed.save(buffer, format="PNG", dpi=(DPI, DPI))
    return buffer.getvalue()


def plain(text: str) -> str:
    """Escapes what matplotlib would read as mathematics in `text`."""
    return text.replace("$", r"\$")


def line_style(name: str, index: int) -> dict[str, Any]:
    """Returns colour, dashes and marker of the series `name`, the index-th of a plot. The constant is always grey."""
    if name == CONSTANT:
        return {"color": MUTED, "linestyle": ":", "marker": "x"}
    place = index % len(PALETTE)
    return {"color": PALETTE[place], "linestyle": LINE_STYLES[place], "marker": MARKERS[place]}


def bar_colour(name: str, index: int) -> str:
    """Returns the colour of the bars of the series `name`, the same as of its line."""
    return str(line_style(name, index)["color"])


def say_nothing_to_draw(axes: Axes, reason: str) -> None:
    """Leaves the plot empty, with the reason in it."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, plain(reason), ha="center", va="center", color=MUTED, transform=axes.transAxes)


def percent_axis(axis: Any) -> None:
    """Shows shares as percent, with as many digits as necessary; on a logarithmic axis the powers of ten alone."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axis.set_minor_formatter(NullFormatter())


def plain_axis(axis: Any) -> None:
    """Shows the numbers of a logarithmic axis as 0.05 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda _value, _: ""))


def count_axis(axis: Any) -> None:
    """Shows counts as 500, 20k, 3M."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))


def short_count(value: float) -> str:
    """Formats 1500 as 1.5k, 3000000 as 3M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def legend(axes: Axes, names: Iterable[object], *, below: bool = False) -> None:
    """Adds a legend if there is more than one series; `below` = below the plot, where it hides nothing."""
    if len(list(names)) < 2 or not axes.get_legend_handles_labels()[0]:
        return
    if below:
        _legend_below(axes.figure, *axes.get_legend_handles_labels())
    else:
        axes.legend(loc="best", handlelength=2.2)


def _legend_below(figure: Any, handles: list[Any], labels: list[str]) -> None:
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 5), handlelength=2, columnspacing=1.2
    )


def as_data_uri(png: bytes) -> str:
    """Returns the PNG as a `data:` address, which a page can show without loading anything."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def as_markdown(png: bytes, alt: str = "plot") -> str:
    """Returns the PNG as a Markdown image, for Dagster's metadata. `alt` describes it to readers who don't see it."""
    words = "".join(" " if letter in "[]()\\\n\r" else letter for letter in alt)
    return f"![{words}]({as_data_uri(png)})"
