"""Charts as SVG: pure functions from points to markup.

They are pictures (`role="img"`) with a title and a description; `charts/figure.html` shows the
same figures as a table below them. Colours are those of the classes in the stylesheet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

_LEFT, _TOP, _RIGHT = 44, 12, 12
_PLOT, _AXIS = 130, 34
_GRID = (0, 25, 50, 75, 100)
# From the middle of a point to the next: as much as there is room for, within these.
_NARROWEST, _WIDEST, _USUAL_WIDTH = 18, 72, 640
# So much room the label of a point takes.
_LABEL = 54
_ROW, _NAMES, _BAR, _NUMBER = 28, 120, 260, 44


@dataclass(frozen=True)
class Point:
    """A figure with its label. `value` None has no figure: there is a gap. `kind` is the class of
    its colour; `full` is the label in the table if it has more room, `href` where that leads."""

    label: str
    value: float | None
    kind: str = ""
    full: str = ""
    href: str = ""


def figure(
    draw: Callable[[str, str, str, Sequence[Point]], Markup],
    name: str,
    caption: str,
    description: str,
    points: Sequence[Point],
    *,
    heads: tuple[str, str],
    unit: str = "%",
) -> dict[str, Any]:
    """A chart with its points, and the headings and the unit of these as a table, for
    `charts/figure.html`."""
    svg = draw(name, caption, description, points)
    return {"svg": svg, "caption": caption, "points": points, "heads": heads, "unit": unit}


def columns(name: str, title: str, description: str, points: Sequence[Point]) -> Markup:
    """Percentages as columns from left to right. `name` is what ids on the page begin with."""
    step = _step(points)
    wide = min(step * 0.7, 32)
    drawn = [
        Markup('<rect class="bar {}" x="{}" y="{}" width="{}" height="{}"/>').format(
            point.kind, _n(x - wide / 2), _n(_y(point.value)), _n(wide), _n(_height(point.value))
        )
        for x, point in _placed(points, step)
        if point.value is not None
    ]
    return _upright(name, title, description, points, drawn)


def line(
    name: str, title: str, description: str, points: Sequence[Point], *, mark: float | None = None
) -> Markup:
    """Percentages as a line over time; `mark` is a height to compare them with."""
    step = _step(points)
    known = [
        (_n(x), _n(_y(point.value)))
        for x, point in _placed(points, step)
        if point.value is not None
    ]
    drawn = []
    if mark is not None:
        shape = Markup('<line class="mark-line" x1="{}" x2="{}" y1="{}" y2="{}"/>')
        drawn.append(shape.format(_LEFT, _width(points) - _RIGHT, _n(_y(mark)), _n(_y(mark))))
    path = " ".join(f"{x},{y}" for x, y in known)
    drawn.append(Markup('<polyline class="line" points="{}"/>').format(path))
    drawn += [Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(*at) for at in known]
    return _upright(name, title, description, points, drawn)


def bars(name: str, title: str, description: str, points: Sequence[Point]) -> Markup:
    """Numbers as bars below each other, each as long as its share of the largest."""
    largest = max((point.value or 0 for point in points), default=0) or 1
    drawn = []
    for place, point in enumerate(points):
        value, y = point.value or 0, _TOP + place * _ROW
        drawn.append(
            Markup(
                '<text x="{}" y="{}" text-anchor="end">{}</text>'
                '<rect class="bar {}" x="{}" y="{}" width="{}" height="16"/>'
                '<text x="{}" y="{}">{}</text>'
            ).format(
                *(_NAMES - 8, y + 13, point.label),
                *(point.kind, _NAMES, y, _n(value / largest * _BAR)),
                *(_n(_NAMES + value / largest * _BAR + 6), y + 13, _n(value)),
            )
        )
    width, height = _NAMES + _BAR + _NUMBER, _TOP + len(points) * _ROW
    return _picture(name, title, description, width, height, drawn)


def _upright(
    name: str, title: str, description: str, points: Sequence[Point], drawn: list[Markup]
) -> Markup:
    """The picture of percentages over an axis of labels, of which as many are shown as fit."""
    width, step = _width(points), _step(points)
    grid = [
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text x="{}" y="{}" text-anchor="end">{} %</text>'
        ).format(_LEFT, width - _RIGHT, _y(at), _y(at), _LEFT - 6, _y(at) + 4, at)
        for at in _GRID
    ]
    every = max(1, -(-_LABEL // step))
    labels = [
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(x), _TOP + _PLOT + 18, point.label
        )
        for place, (x, point) in enumerate(_placed(points, step))
        if place % every == 0
    ]
    height = _TOP + _PLOT + _AXIS
    return _picture(name, title, description, width, height, [*grid, *drawn, *labels])


def _picture(
    name: str, title: str, description: str, width: int, height: int, parts: list[Markup]
) -> Markup:
    return Markup(
        '<svg class="chart" role="img" width="{0}" height="{1}" viewBox="0 0 {0} {1}" '
        'aria-labelledby="{2}-title {2}-desc"><title id="{2}-title">{3}</title>'
        '<desc id="{2}-desc">{4}</desc>{5}</svg>'
    ).format(width, height, name, escape(title), escape(description), Markup("").join(parts))


def _step(points: Sequence[Point]) -> int:
    return max(_NARROWEST, min(_WIDEST, _USUAL_WIDTH // max(1, len(points))))


def _width(points: Sequence[Point]) -> int:
    return _LEFT + _step(points) * len(points) + _RIGHT


def _placed(points: Sequence[Point], step: int) -> list[tuple[float, Point]]:
    """The points with the middle of the place of each."""
    return [(_LEFT + (place + 0.5) * step, point) for place, point in enumerate(points)]


def _y(percentage: float) -> float:
    return _TOP + _PLOT - _height(percentage)


def _height(percentage: float) -> float:
    return min(max(percentage, 0), 100) / 100 * _PLOT


def _n(number: float) -> str:
    """Without decimals that nobody sees."""
    return f"{number:.1f}".removesuffix(".0")
