"""The register as PDF pages to print and file, each complete in itself."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from app.files.register import register_grid
from app.files.register.pdf_text import MISSING, Paper
from app.files.register.register_grid import plain
from app.files.register.register_layout import (
    FOOT,
    HEADING,
    HEIGHT,
    MARGIN,
    TITLE,
    TOTALS,
    WIDTH,
    Layout,
)
from app.files.register.register_layout import layout as layout_of
from app.files.register.register_words import LETTERS, NOT_ENROLLED, STUDENT_COLUMNS, TOTAL_COLUMNS
from app.schemas.register import Register, RegisterSession, RegisterStudent

T = TypeVar("T")

_TEXT = 7.5
_TOP, _GRID = MARGIN + TITLE, MARGIN + TITLE + HEADING
_INNER = WIDTH - 2 * MARGIN
# The last line of the grid. Late students were in the room.
_SUMS = "Present or late"
# Shades of grey, which survive a photocopier.
_STRIPE, _HEAD, _MARKED, _THIN, _STRONG, _QUIET = 246, 234, 212, 205, 110, 90


def written(register: Register, generated: datetime, font: Path | None) -> bytes:
    """The whole file, in the font at the path, or else in the packaged one."""
    paper = Paper(font)
    paper.describe(f"Attendance register {register.code}", register.generated_by, generated)
    paper.use(_TEXT)
    layout = layout_of(
        max((paper.width_of(student.roll_no) for student in register.students), default=0),
        max((paper.width_of(student.name) for student in register.students), default=0),
        len(register.sessions),
        len(register.students) + 1,
    )
    parts = [(sessions, lines) for sessions in layout.sessions for lines in layout.lines]
    for number, (sessions, lines) in enumerate(parts, start=1):
        paper.add_page()
        page = _Page(paper, register, layout, sessions, lines)
        page.write_title()
        page.write_headings()
        page.write_lines()
        page.draw_rules()
        page.write_foot(
            f"Generated {generated:%Y-%m-%d %H:%M %Z} by {register.generated_by}",
            f"Page {number} of {len(parts)}",
        )
    return bytes(paper.output())


@dataclass(frozen=True)
class _Page:
    """Some lines of some sessions, with titles and headings."""

    paper: Paper
    register: Register
    layout: Layout
    sessions: range
    lines: range

    def write_title(self) -> None:
        paper, register = self.paper, self.register
        held = f"{len(register.students)} students, {len(register.sessions)} sessions"
        if len(self.layout.sessions) > 1:
            held += f", here {self.sessions.start + 1} to {self.sessions.stop}"
        left, right = _INNER * 0.7, _INNER * 0.3
        paper.use(14, bold=True)
        # A long name is cut so that the section always fits.
        code, section = f"{register.code} ", f", section {register.section}"
        room = left - paper.width_of(code + section) - 1
        paper.put(MARGIN, 15, code + paper.shortened(register.name, room) + section, left)
        paper.use(10, grey=_QUIET)
        paper.put(MARGIN + left, 15, "Attendance register", right, "R")
        paper.use(8.5)
        paper.put(MARGIN, 20.2, f"Teacher: {register.teacher} <{register.teacher_email}>", left)
        paper.put(MARGIN + left, 20.2, f"{register.first} to {register.last}", right, "R")
        paper.put(MARGIN, 24.8, f"Term: {register.term}" if register.term else "", left)
        paper.put(MARGIN + left, 24.8, held, right, "R")

    def write_headings(self) -> None:
        paper, columns = self.paper, self._columns
        paper.set_fill_color(_HEAD)
        paper.rect(MARGIN, _TOP, columns[-1] - MARGIN, HEADING, style="F")
        paper.use(_TEXT, bold=True)
        for x, heading in zip(columns[:2], STUDENT_COLUMNS, strict=True):
            paper.put(x + 1.2, _GRID - 1.5, heading, self.layout.roll - 1.5)
        for x, session in zip(self._marks, self._shown(self.register.sessions), strict=True):
            self._write_session(x, session)
        if self._totals:
            paper.use(_TEXT, bold=True)
            for x, width, heading in zip(self._totals, TOTALS, TOTAL_COLUMNS, strict=True):
                paper.put_upwards(x + width / 2 + 0.9, _GRID - 1.2, heading)

    def _write_session(self, x: float, session: RegisterSession) -> None:
        """Write the date vertically, and the time beside it."""
        middle = x + self.layout.session / 2
        self.paper.use(6.5, bold=True)
        beside = -0.3 if session.start else 0.8
        self.paper.put_upwards(middle + beside, _GRID - 1.2, session.date.isoformat())
        if session.start:
            self.paper.use(6, grey=_QUIET)
            self.paper.put_upwards(middle + 1.9, _GRID - 1.2, f"{session.start:%H:%M}")

    def write_lines(self) -> None:
        for place, line in enumerate(self.lines):
            y = _GRID + place * self.layout.line
            if line % 2:
                self._shade(MARGIN, y, self._columns[-1] - MARGIN, _STRIPE)
            if line < len(self.register.students):
                self._write_student(y, self.register.students[line])
            else:
                self._write_sums(y)

    def _write_student(self, y: float, student: RegisterStudent) -> None:
        paper, layout = self.paper, self.layout
        if student.below and self._totals:
            self._shade(self._totals[-1], y, TOTALS[-1], _MARKED)
        y += layout.line / 2 + 0.95
        paper.use(_TEXT)
        paper.put(MARGIN + 1.2, y, student.roll_no, layout.roll - 2)
        paper.put(MARGIN + layout.roll + 1.2, y, student.name, layout.name - 2)
        for x, letter in zip(self._marks, self._shown(register_grid.letters(student)), strict=True):
            if letter:
                absent, present = (letter == LETTERS[word] for word in ("absent", "present"))
                paper.use(_TEXT, bold=absent, grey=_QUIET if present else 0)
                paper.put_plain(x, y, letter, layout.session)
        if self._totals:
            totals = [*map(plain, register_grid.counts(student)), f"{student.percentage:.2f}"]
            paper.use(_TEXT)
            for x, width, number in zip(self._totals, TOTALS, totals, strict=True):
                if x == self._totals[-1]:
                    paper.use(_TEXT, bold=student.below)
                paper.put_plain(x, y, number, width)

    def _write_sums(self, y: float) -> None:
        paper, layout = self.paper, self.layout
        y += layout.line / 2 + 0.95
        paper.use(_TEXT, bold=True)
        paper.put(MARGIN + layout.roll + 1.2, y, _SUMS, layout.name - 2)
        paper.use(6.5)
        for x, session in zip(self._marks, self._shown(self.register.sessions), strict=True):
            paper.put_plain(x, y, str(session.attended), layout.session)

    def draw_rules(self) -> None:
        """Draw thin rules between cells; strong ones around the grid, weeks and totals."""
        columns = self._columns
        bottom = _GRID + len(self.lines) * self.layout.line
        weeks = [session.date.isocalendar()[:2] for session in self._shown(self.register.sessions)]
        begins = {2 + n for n, week in enumerate(weeks) if n == 0 or week != weeks[n - 1]}
        strong = {0, 2, 2 + len(weeks), len(columns) - 1} | begins
        for n, x in enumerate(columns):
            self._rule(x, _TOP, x, bottom, n in strong)
        for place in range(1, len(self.lines)):
            y = _GRID + place * self.layout.line
            # A strong rule above the sums.
            self._rule(MARGIN, y, columns[-1], y, self.lines[place] == len(self.register.students))
        for y in (_TOP, _GRID, bottom):
            self._rule(MARGIN, y, columns[-1], y, True)

    def write_foot(self, generated: str, number: str) -> None:
        paper = self.paper
        signs = [f"{letter} {word.replace('_', ' ')}" for word, letter in LETTERS.items()]
        signs += [f"{NOT_ENROLLED} not enrolled that day", "empty: no mark"]
        if paper.lacks:
            signs.append(f"{MISSING} a character that the font does not have")
        y = HEIGHT - MARGIN - FOOT + 6
        paper.use(_TEXT, grey=_QUIET)
        legend = "     ".join(signs)
        paper.put(MARGIN, y, legend, _INNER * 0.85)
        below = f"below {plain(self.register.threshold)} %"
        paper.use(_TEXT, bold=True)
        self._shade(WIDTH - MARGIN - 24, y - 3.2, 24, _MARKED)
        paper.put(WIDTH - MARGIN - 24, y, below, 24, "C")
        paper.use(_TEXT, grey=_QUIET)
        paper.put(MARGIN, y + 4.5, generated, _INNER * 0.7)
        paper.put(MARGIN + _INNER * 0.7, y + 4.5, number, _INNER * 0.3, "R")

    def _shown(self, items: list[T]) -> list[T]:
        """The items of this page's sessions."""
        return items[self.sessions.start : self.sessions.stop]

    def _shade(self, x: float, y: float, width: float, grey: int) -> None:
        self.paper.set_fill_color(grey)
        self.paper.rect(x, y, width, self.layout.line, style="F")

    def _rule(self, x: float, y: float, to_x: float, to_y: float, strong: bool) -> None:
        self.paper.set_draw_color(_STRONG if strong else _THIN)
        self.paper.set_line_width(0.25 if strong else 0.1)
        self.paper.line(x, y, to_x, to_y)

    @cached_property
    def _columns(self) -> list[float]:
        return self.layout.columns(self.sessions)

    @cached_property
    def _marks(self) -> list[float]:
        """Where the columns of the sessions begin."""
        return self._columns[2 : 2 + len(self.sessions)]

    @cached_property
    def _totals(self) -> list[float]:
        """Where the columns of the totals begin, if they are on this page."""
        return self._columns[2 + len(self.sessions) : -1]
