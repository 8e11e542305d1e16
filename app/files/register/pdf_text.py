"""Write text to PDF pages in any script that the font supports, with text shaping.

The font is Mukta (SIL Open Font License), made for both Devanagari and Latin, unless an
installation names another. A character that it does not have is shown as `MISSING`, never
left out: a gap in a name would go unnoticed.
"""

import unicodedata
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from fontpkg_mukta import ROOT
from fpdf import FPDF
from fpdf.fonts import TTFFont
from fpdf.line_break import Fragment
from fpdf.unicode_script import UnicodeScript, get_unicode_script

MISSING = "?"

_REGULAR = ROOT / "files" / "Mukta-Regular.ttf"
_BOLD = ROOT / "files" / "Mukta-SemiBold.ttf"
_FAMILY = "text"
# Characters that belong to whatever script surrounds them.
_OF_NO_SCRIPT = (UnicodeScript.COMMON, UnicodeScript.INHERITED, UnicodeScript.UNKNOWN)
_SMALLEST = 0.7
# Characters below this need no shaping, which would take the most time of all.
_FIRST_SHAPED = "\u0300"


class Paper(FPDF):
    """A4 landscape, in millimetres. `lacks` tells whether a character had to be replaced."""

    def __init__(self, font: Path | None) -> None:
        super().__init__(orientation="landscape", unit="mm", format="A4")
        self.set_auto_page_break(False)
        self.c_margin = 0
        self.add_font(_FAMILY, "", font or _REGULAR)
        self.add_font(_FAMILY, "B", font or _BOLD)
        self.lacks = False
        self._widths: dict[tuple[str, str], float] = {}

    def describe(self, title: str, author: str, made: datetime) -> None:
        """Set the metadata that PDF readers show."""
        self.set_title(title)
        self.set_author(author)
        self.set_creation_date(made)
        self.set_lang("en")

    def use(self, size: float, *, bold: bool = False, grey: int = 0) -> None:
        """Set the size in points, weight and shade of the text that follows."""
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(grey)

    def _shown(self, text: str) -> str:
        """The text with characters that the font does not have replaced."""
        known = self._known
        composed = unicodedata.normalize("NFC", text)
        parts = [_visible(character, known) for character in composed]
        self.lacks = self.lacks or any(
            part == MISSING != character for part, character in zip(parts, composed, strict=True)
        )
        return "".join(parts)

    def width_of(self, text: str) -> float:
        """The width of the text as `put` writes it."""
        return self._width(self._shown(text))

    def _width(self, shown: str) -> float:
        # Measured once for all sizes.
        key = (shown, self.font_style)
        if key not in self._widths:
            self.set_text_shaping(max(shown, default="") >= _FIRST_SHAPED)
            self._widths[key] = float(self.get_string_width(shown)) / self.font_size_pt
        return self._widths[key] * self.font_size_pt

    def put(self, x: float, y: float, text: str, room: float, align: str = "L") -> None:
        """Write text on the baseline `y`, within `room` from `x` on: shrunk or cut if needed."""
        size = self.font_size_pt
        text = self._shown(text)
        width = self._width(text)
        if width > room:
            self.set_font_size(size * max(_SMALLEST, room / width))
            if room < width * _SMALLEST:
                text = self._cut(text, room)
            width = self._width(text)
        spare = {"L": 0.0, "C": (room - width) / 2, "R": room - width}[align]
        height = self.font_size
        self.set_xy(x + spare, y - 0.8 * height)
        self.set_text_shaping(max(text, default="") >= _FIRST_SHAPED)
        self.cell(width, height, text)
        self.set_font_size(size)

    def shortened(self, text: str, room: float) -> str:
        """The text, cut to what `put` can fit into the room."""
        return self._cut(self._shown(text), room / _SMALLEST)

    def put_plain(self, x: float, y: float, text: str, room: float) -> None:
        """Write a mark or a number, centred: unshaped, and much faster than `put`."""
        self.text(x + (room - self._width(text)) / 2, y, text)

    def put_upwards(self, x: float, y: float, text: str) -> None:
        """Write a mark, a number or a fixed word vertically, from bottom to top."""
        with self.rotation(90, x, y):
            self.text(x, y, text)

    def _cut(self, text: str, room: float) -> str:
        if self._width(text) <= room:
            return text
        end = "…" if ord("…") in self._known else "..."
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._width(text[:middle].rstrip() + end) <= room:
                fits = middle
            else:
                too_long = middle
        while fits and unicodedata.category(text[fits]).startswith("M"):
            fits -= 1  # combining marks stay with their letter
        return text[:fits].rstrip() + end

    @property
    def _known(self) -> Container[int]:
        """The characters that the font has."""
        assert isinstance(self.current_font, TTFFont)
        return self.current_font.cmap

    def _parse_chars(self, text: str, markdown: bool, **_: Any) -> Iterator[Fragment]:
        """Split the text where its script changes, and nowhere else.

        The library also splits before every joiner, which takes joined letters apart, and would
        replace "{nb}" in a name by the number of pages.
        """
        run: str = ""
        script: UnicodeScript | None = None
        for character in text:
            own: UnicodeScript | None = get_unicode_script(character)
            if own in _OF_NO_SCRIPT:
                own = script
            if script is not None and own is not script:
                yield Fragment(run, self._get_current_graphics_state(), self.k)
                run = ""
            run, script = run + character, own
        if run:
            yield Fragment(run, self._get_current_graphics_state(), self.k)


def _visible(character: str, known: Container[int]) -> str:
    """The character if the font has it, else `MISSING`, or nothing if it is invisible (Cf)."""
    if ord(character) in known:
        return character
    return "" if unicodedata.category(character) == "Cf" else MISSING
