"""The layout of the pages of a register: A4 landscape, in millimetres."""

from dataclasses import dataclass
from itertools import accumulate, pairwise

WIDTH, HEIGHT, MARGIN = 297, 210, 10
TITLE, HEADING, FOOT = 18, 18, 10
TOTALS = (7, 7, 7, 7, 8, 10, 12)

# The least and the greatest widths of columns, and heights of lines.
_ROLL, _NAME, _SESSION, _LINE = (18, 34), (30, 56), (4.3, 8), (4.5, 5.6)
_PADDING = 3


@dataclass(frozen=True)
class Layout:
    """The widths of columns, the height of a line, and what is on each page.

    Sessions that do not fit side by side go on further pages, so there is a page for each
    combination of `sessions` and `lines`. The totals are to the right of the last sessions.
    """

    roll: float
    name: float
    session: float
    line: float
    sessions: list[range]
    lines: list[range]

    def columns(self, sessions: range) -> list[float]:
        """Where the columns of a page with these sessions begin, and where the last one ends."""
        widths = [self.roll, self.name, *[self.session] * len(sessions)]
        if self.has_totals(sessions):
            widths += TOTALS
        return list(accumulate(widths, initial=MARGIN))

    def has_totals(self, sessions: range) -> bool:
        return sessions == self.sessions[-1]


def layout(roll: float, name: float, sessions: int, lines: int) -> Layout:
    """The layout for these numbers of sessions and lines; `roll` and `name` are maximal widths."""
    roll, name = _within(roll + _PADDING, _ROLL), _within(name + _PADDING, _NAME)
    width, across = _across(sessions, WIDTH - 2 * MARGIN - roll - name)
    height, down = _down(lines, HEIGHT - 2 * MARGIN - TITLE - HEADING - FOOT)
    return Layout(roll, name, width, height, across, down)


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _across(count: int, room: float) -> tuple[float, list[range]]:
    """The width of a session's column, and the sessions of each page."""
    last_room = room - sum(TOTALS)
    full, last = int(room / _SESSION[0]), int(last_room / _SESSION[0])
    pages = 1 + max(0, -((last - count) // full))
    capacities = [full] * (pages - 1) + [last]
    # Pages get sessions in proportion to their capacity, so that none is almost empty.
    ends = [held * count // sum(capacities) for held in accumulate(capacities, initial=0)]
    sessions = [range(*ends) for ends in pairwise(ends)]
    rooms = [room] * (pages - 1) + [last_room]
    widths = (space / len(held) for space, held in zip(rooms, sessions, strict=True) if held)
    return min([*widths, _SESSION[1]]), sessions


def _down(count: int, room: float) -> tuple[float, list[range]]:
    """The height of a line, and the lines of each page: few pages, evenly filled."""
    pages = max(1, -(-count // int(room / _LINE[0])))
    held = max(1, -(-count // pages))
    lines = [range(start, min(start + held, count)) for start in range(0, max(count, 1), held)]
    return min(room / held, _LINE[1]), lines
