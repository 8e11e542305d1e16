"""The caller's choices where a file's headings, sheets and words are not enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from app.errors import Invalid
from app.files.register.register_words import LETTERS
from app.schemas.import_runs import RunOptions

NOTHING = "nothing"
_MEANINGS = (*LETTERS, NOTHING)


@dataclass(frozen=True)
class Choices:
    """`sheet` is the sheet to read, unless `all_sheets` is set. `columns` maps fields to headings,
    and `marks` maps words to statuses (keys of `LETTERS`, or `NOTHING`). The report of a meeting is
    about `day`, and people who joined for `present_minutes` or more were present."""

    sheet: str | None = None
    all_sheets: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    day: date | None = None
    present_minutes: int | None = None


UNCHOSEN = Choices()


def several(text: str) -> list[str]:
    """The parts of `L=excused; M=late`."""
    return [part for part in text.split(";") if part]


def choices(
    sheet: str | None,
    columns: list[str],
    marks: list[str],
    *,
    all_sheets: bool = False,
    day: date | None = None,
    present_minutes: int | None = None,
) -> Choices:
    """Parse choices such as `roll_no=Exam Seat` and `L=excused`.

    Raises `Invalid` (`invalid_choice`) for any other form.
    """
    said = dict(_halves(text, "a column", "roll_no=Exam Seat") for text in columns)
    words = dict(_halves(text, "a mark", "L=excused") for text in marks)
    meanings = {word: meaning.lower().replace(" ", "_") for word, meaning in words.items()}
    if any(meaning not in _MEANINGS for meaning in meanings.values()):
        raise _invalid(f"A mark is one of {', '.join(_MEANINGS)}.")
    if sheet and all_sheets:
        raise _invalid("Choose one sheet or all sheets, not both.")
    return Choices(sheet, all_sheets, said, meanings, day, present_minutes)


def choices_of(options: RunOptions) -> Choices:
    """The choices among the options of an import."""
    return choices(
        options.sheet,
        several(options.columns),
        several(options.marks),
        all_sheets=options.all_sheets,
        day=options.day,
        present_minutes=options.present_minutes,
    )


def _halves(text: str, what: str, example: str) -> tuple[str, str]:
    left, sign, right = (part.strip() for part in text.partition("="))
    if not (left and sign and right):
        raise _invalid(f"Say what {what} means in this form: {example}.")
    return left, right


def _invalid(sentence: str) -> Invalid:
    return Invalid(sentence, code="invalid_choice")
