"""Bar charts as SVG: a grid of small panels with the same rows of bars in each.

A row has its name once, at the left of each line of panels, and its figure at the end of each bar,
so that colours only help.  They are told apart with the common kinds of colour blindness (Okabe and
Ito's palette), and follow the reader's choice of light or dark.
"""

import dataclasses
from xml.sax.saxutils import escape

from comparison.figures import axis_end

WIDTH = 980
NAMES_WIDTH = 184      # the rows' names
LABEL_WIDTH = 44       # a figure behind the longest bar
MARGIN = 16
COLUMNS = 4
BAR_HEIGHT, ROW_HEIGHT = 13, 20
HEADER_HEIGHT = 62     # title and subtitle
PANEL_TITLE_HEIGHT = 38
PANEL_FOOT_HEIGHT = 26  # what the line of reference is called

COLOURS = {  # a class for each: on light, on dark
    "passthrough": ("#0072b2", "#3d9fe0"),
    "dev": ("#56b4e9", "#8fd0f7"),
    "uring": ("#009e73", "#1fbf92"),
    "zram": ("#e69f00", "#e69f00"),
    "nbdfuse": ("#d55e00", "#e8793a"),
    "qemu": ("#cc79a7", "#d990b8"),
    "tmpfs": ("#8a8f98", "#8a8f98"),
}

_INK = {  # selector: property, on light, on dark
    ".ground": ("fill", "#ffffff", "#0d1117"),
    "text": ("fill", "#1f2328", "#e6edf3"),
    ".quiet": ("fill", "#59636e", "#9198a1"),
    ".halo": ("stroke", "#ffffff", "#0d1117"),
    ".axis": ("stroke", "#d1d9e0", "#3d444d"),
    ".line": ("stroke", "#59636e", "#9198a1"),
    ".spread": ("stroke", "#1f2328", "#e6edf3"),
    ".cut": ("stroke", "#ffffff", "#0d1117"),
}


@dataclasses.dataclass(frozen=True)
class Bar:
    """A figure, what it varied between, and how it is written."""
    value: float
    low: float
    high: float
    label: str


@dataclasses.dataclass(frozen=True)
class Panel:
    """`bars` has one for each row, or None; `title` goes on two lines, parted at the first comma.
    The axis ends at `end`, where longer bars are cut off; without it, behind the longest bar."""
    title: str
    bars: tuple
    reference: float | None = None
    reference_name: str = ""
    end: float | None = None


def _style():
    def rules(shade):
        return "".join(f"{selector}{{{item[0]}:{item[1 + shade]}}}"
                       for selector, item in _INK.items()) + "".join(
                           f".{name}{{fill:{pair[shade]}}}" for name, pair in COLOURS.items())
    return ("text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
            "text.title{font-size:17px;font-weight:600}text.heading{font-weight:600}"
            # The figure must be legible where it crosses the line of reference.
            ".halo{stroke-width:4px;stroke-linejoin:round;paint-order:stroke}"
            ".axis,.line,.spread{stroke-width:1}.line{stroke-dasharray:3 3}.cut{stroke-width:3}"
            f"{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}")


def _text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def _line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def _bar(bar, colour, left, top, scale, end):
    """One bar, its spread, and its figure; `scale` is in pixels a unit."""
    def x(value):
        return left + min(value, end) * scale

    middle = top + BAR_HEIGHT / 2
    parts = [f'<rect x="{left:.1f}" y="{top:.1f}" width="{x(bar.value) - left:.1f}" '
             f'height="{BAR_HEIGHT}" rx="2" class="{colour}"/>']
    if bar.value > end:
        parts.append(_line(x(end) - 12, top + BAR_HEIGHT + 1, x(end) - 7, top - 1, "cut"))
    elif bar.high > bar.low:
        parts.append(_line(x(bar.low), middle, x(bar.high), middle, "spread"))
    parts.append(_text(x(max(bar.value, bar.high)) + 5, middle + 4, bar.label, "halo"))
    return parts


def _panel(panel, colours, left, top, width):
    largest = max([bar.high for bar in panel.bars if bar] + [panel.reference or 0])
    end = panel.end or axis_end(largest or 1)
    scale = (width - LABEL_WIDTH) / end
    first, _, second = panel.title.partition(", ")
    bottom = top + PANEL_TITLE_HEIGHT + ROW_HEIGHT * len(panel.bars)
    parts = [_text(left, top + 12, first, "heading"), _text(left, top + 28, second, "quiet"),
             _line(left, top + PANEL_TITLE_HEIGHT - 3, left, bottom, "axis")]
    if panel.reference is not None:
        x = left + panel.reference * scale
        parts += [_line(x, top + PANEL_TITLE_HEIGHT - 3, x, bottom, "line"),
                  _text(x, bottom + 14, panel.reference_name, "quiet", "middle")]
    for row, (bar, colour) in enumerate(zip(panel.bars, colours, strict=True)):
        y = top + PANEL_TITLE_HEIGHT + row * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2
        parts += _bar(bar, colour, left, y, scale, end) if bar else [
            _text(left + 5, y + BAR_HEIGHT / 2 + 4, "not measured", "quiet")]
    return parts


def draw(title, subtitle, rows, panels):
    """The chart as text.  `rows` has a (name, key of COLOURS) for each row of bars."""
    line_height = PANEL_TITLE_HEIGHT + ROW_HEIGHT * len(rows) + PANEL_FOOT_HEIGHT
    height = HEADER_HEIGHT + line_height * -(-len(panels) // COLUMNS) + MARGIN / 2
    names = [name for name, _ in rows]
    colours = [colour for _, colour in rows]
    pitch = (WIDTH - MARGIN - NAMES_WIDTH) / COLUMNS
    parts = [_text(MARGIN, 26, title, "title"), _text(MARGIN, 46, subtitle, "quiet")]
    for number, panel in enumerate(panels):
        top = HEADER_HEIGHT + number // COLUMNS * line_height
        if number % COLUMNS == 0:
            middle = top + PANEL_TITLE_HEIGHT + ROW_HEIGHT / 2 + 4
            parts += [_text(NAMES_WIDTH - 10, middle + row * ROW_HEIGHT, name, anchor="end")
                      for row, name in enumerate(names)]
        parts += _panel(panel, colours, NAMES_WIDTH + number % COLUMNS * pitch, top, pitch)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">\n'
            f"<style>{_style()}</style>\n"
            f'<rect class="ground" width="{WIDTH}" height="{height:.0f}"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
