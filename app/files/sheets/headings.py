"""Assigns columns to fields by the common spellings of their headings."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.batch import column_letters
from app.errors import Invalid
from app.files.sheets.table import Row
from app.schemas.imports import Kind

# The headings are among the first rows; rows above them may name the class of the sheet.
_SEARCHED = 50
# If no heading is known, this many letters of this many headings are shown.
_SHOWN, _MOST_SHOWN = 30, 12

_ROLL = """roll no|roll number|roll|rno|university roll|university roll no|university roll number
    |enrolment no|enrolment number|enrollment no|enrollment number|enroll no|enroll number
    |registration no|registration number|reg no|reg number|regd no|regd number|regn no|register no
    |register number|prn|prn no|prn number|usn|usn no|htno|ht no|hall ticket|hall ticket no
    |hall ticket number|admission no|admission number|admn no|adm no|matric no|matric number
    |matriculation no|matriculation number|student id|student no|student number|college id|id no
    |id number|entry no|entry number"""
_PERSON = "name|student name|name of student|name of the student|student|full name"
_EMAIL = "email|e-mail|email id|email address|e-mail address|mail|mail id"
_CLASS = {
    "code": "code|class|class code|course code|subject code|paper code|course id|subject id",
    "section": "section|sec|class section",
    "teacher": """teacher|teacher email|teacher e-mail|teacher email id|faculty|faculty email
        |faculty e-mail|faculty email id|instructor email|teacher address""",
    "term": "term|term name",
    "class_id": "class id",
}
_TIMES = {
    "start_time": "start|start time|from|begin|begins|starts|starts at|time from",
    "end_time": "end|end time|to|until|ends|ends at|time to",
}

SPELLINGS: dict[Kind, dict[str, str]] = {
    Kind.STUDENTS: {
        "roll_no": _ROLL,
        "name": _PERSON,
        "photo_url": "photo|photo url|photo link",
        "program": "program|programme|degree|program name|programme name",
        "sp_code": "sp code",
        "semester": "semester|sem",
        "status": "status",
        "duration": "duration",
        "email": f"{_EMAIL}|student email|student e-mail|personal email",
        "dtu_email": "dtu email|university email|college email|institute email|official email",
        "phone": "phone|phone no|phone number|mobile|mobile no|mobile number|contact|contact no",
        "from_": "from|from date|first day|enrolled from|joined|joined on|joining date|start date",
        **_CLASS,
    },
    Kind.CLASSES: {
        **_CLASS,
        "name": "name|class name|course name|subject name|title|course title|subject|course",
        "ltp_pattern": "ltp|ltp pattern|l-t-p pattern",
        "teacher_type": "teacher type|type",
        "practical_group": "practical group|group",
    },
    Kind.SCHEDULES: {
        **_CLASS,
        **_TIMES,
        "times": "time|times|timing|timings|time slot",
        "day_of_week": "day|days|day of week|weekday|week day",
    },
    Kind.FACULTY: {
        "email": f"{_EMAIL}|teacher email|faculty email",
        "name": "name|full name|teacher name|faculty name",
        "role": "role",
    },
    Kind.ATTENDANCE: {
        **_CLASS,
        "roll_no": _ROLL,
        "name": _PERSON,
        "date": "date|session date|class date|day",
        "start_time": f"{_TIMES['start_time']}|time",
        "status": """status|attendance|mark|present/absent|p/a|status p/a|presence
            |attendance status|attendance mark|present or absent""",
        "remark": "remark|remarks|note|notes|comment",
        "email": f"{_EMAIL}|user email|student email|university email|official email",
        "minutes": """minutes|duration|duration (minutes)|total duration|total duration (minutes)
            |in-meeting duration|time in meeting|time in meeting (minutes)""",
    },
}

# These columns are required, and the first of them identifies the row of headings.
REQUIRED: dict[Kind, dict[str, str]] = {
    Kind.STUDENTS: {"roll_no": "Roll No"},
    Kind.CLASSES: {
        "code": "Course Code",
        "name": "Course Name",
        "section": "Section",
        "teacher": "Teacher Email",
    },
    Kind.SCHEDULES: {
        "day_of_week": "Day",
        "start_time": "Start",
        "end_time": "End",
    },
    Kind.FACULTY: {"email": "Email"},
    Kind.ATTENDANCE: {"roll_no": "Roll No"},
}
# If a sheet has all fields of one of these sets, people are identified by their addresses.
_BY_ADDRESS = ({"email", "date", "status"}, {"email", "minutes"})


@dataclass(frozen=True)
class Sheet:
    """A table with its columns assigned to fields.

    `columns` are the columns of known fields, `others` the headings of the rest. `preamble` are the
    rows above the headings, with a label and a value each.
    """

    columns: dict[str, int]
    others: dict[int, str]
    rows: list[Row]
    heading: Row
    preamble: list[Row] = field(default_factory=list)

    def cell(self, row: Row, name: str) -> str:
        """The text of a field in a row; empty if there is none."""
        column = self.columns.get(name)
        return "" if column is None else row.at(column)


def key_of(heading: str) -> str:
    """The key by which headings are compared: only letters and digits, in lower case."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", heading)).casefold()


_FIELDS = {
    kind: {key_of(spelling): name for name, text in names.items() for spelling in text.split("|")}
    for kind, names in SPELLINGS.items()
}


def field_of(kind: Kind, heading: str) -> str | None:
    """The field that the heading stands for in a file of that kind, if any."""
    return _FIELDS[kind].get(key_of(heading))


def sheet_of(kind: Kind, rows: list[Row], chosen: Mapping[str, str] | None = None) -> Sheet:
    """Find the headings of the table. Raises `Invalid` if columns required by its kind are missing.

    `chosen` maps fields to headings and overrides the usual spellings.
    """
    sign, *_ = REQUIRED[kind]
    fields = _fields_with(kind, chosen or {})
    for place, row in enumerate(rows[:_SEARCHED]):
        names = [fields.get(key_of(cell)) for cell in row.cells]
        by_address = kind is Kind.ATTENDANCE and any(each <= set(names) for each in _BY_ADDRESS)
        if sign in names or by_address:
            columns = _columns(row, names)
            others = {
                column: cell
                for column, (cell, name) in enumerate(zip(row.cells, names, strict=True))
                if name is None and cell
            }
            there = {*columns, *(_TIMES if "times" in columns else ())}
            missing = {name: REQUIRED[kind][name] for name in REQUIRED[kind] if name not in there}
            if missing and not by_address:
                labels = _listed(list(missing.values()))
                raise _missing(f"There is no column {labels}.", row, next(iter(missing)))
            # A list printed page by page repeats its headings.
            below = [other for other in rows[place + 1 :] if other.cells != row.cells]
            return Sheet(columns, others, below, row, rows[:place])
    needed = _listed(list(REQUIRED[kind].values()))
    fullest = max(rows[:_SEARCHED], key=lambda row: len(row.cells))
    raise _missing(f"No row names the columns. Required: {needed}.", fullest, sign)


def _fields_with(kind: Kind, chosen: Mapping[str, str]) -> dict[str, str]:
    """The fields by heading key, with the chosen headings replacing the usual ones."""
    unknown = [name for name in chosen if name not in SPELLINGS[kind]]
    if unknown:
        raise Invalid(
            f"A column can mean one of: {', '.join(SPELLINGS[kind])}.", code="invalid_choice"
        )
    usual = {key: name for key, name in _FIELDS[kind].items() if name not in chosen}
    return usual | {key_of(heading): name for name, heading in chosen.items()}


def _missing(sentence: str, row: Row, name: str) -> Invalid:
    """The refusal that lists the headings and says how to assign one of them to the field."""
    found = [cell[:_SHOWN] for cell in row.cells if re.search(r"[^\W\d_]", cell)][:_MOST_SHOWN]
    there = f" Row {row.number} has: {', '.join(found)}." if found else ""
    return Invalid(
        f"{sentence}{there} If one of its headings means it, say which: --column {name}=Heading "
        f"(columns={name}=Heading).",
        code="column_missing",
    )


def _columns(row: Row, names: list[str | None]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for column, name in enumerate(names):
        if name is not None and columns.setdefault(name, column) != column:
            letters = column_letters(columns[name]), column_letters(column)
            raise Invalid(
                f"Row {row.number}: columns {letters[0]} and {letters[1]} have headings of the "
                "same meaning. Rename one of them.",
                code="column_repeated",
            )
    return columns


def _listed(labels: list[str]) -> str:
    *first, last = (f"`{label}`" for label in labels)
    return f"{', '.join(first)} and {last}" if first else last
