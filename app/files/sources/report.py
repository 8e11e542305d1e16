"""The reconciliation of an import: tables for people, and JSON for programs."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from app.files.sources.reasons import REASONS
from app.reconciliation import ClassOutcome, Difference, LeftOut, Outcome, Reading
from app.schemas.attendance import Status

STATUSES = tuple(Status)
TABLES = (
    "allowed_emails",
    "users",
    "classes",
    "class_schedules",
    "class_reschedules",
    "students",
    "class_students",
    "attendance_sessions",
    "attendance_statuses",
)
# How many documents the tables name for each reason; the JSON has all.
_SHOWN = 5


def agrees(reading: Reading, outcome: Outcome) -> bool:
    """Whether everything was read, and AIMS has it apart from differences with a reason."""
    return outcome.agrees and not reading.unread


def as_json(reading: Reading, outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
    """The whole report. Documents are named by path; it has no names of people or roll numbers."""
    return {
        "dryRun": dry_run,
        "agrees": agrees(reading, outcome),
        "documents": {"read": dict(reading.read), "notRead": dict(reading.ignored)},
        "unread": dict(reading.unread),
        "rows": {
            table: {
                "made": outcome.made[table],
                "changed": outcome.changed[table],
                "unchanged": outcome.unchanged[table],
            }
            for table in TABLES
        },
        "leftOut": [_left_out(item) for item in outcome.left_out],
        "classes": [_class(item) for item in outcome.classes],
    }


def _left_out(item: LeftOut) -> dict[str, Any]:
    return {
        "document": item.path,
        "what": item.what,
        "place": item.place,
        "count": item.count,
        "marks": item.marks,
        "code": item.code,
        "reason": REASONS.get(item.code, item.code),
    }


def _class(item: ClassOutcome) -> dict[str, Any]:
    return {
        "document": item.path,
        "classId": str(item.class_id) if item.class_id else None,
        "agrees": item.agrees,
        "sessions": {"export": item.exported_sessions, "aims": item.stored_sessions},
        "marks": {
            status: {"export": item.exported[status], "aims": item.stored[status]}
            for status in STATUSES
        },
        "differences": [_difference(one) for one in _joined(item.differences)],
    }


def _difference(item: Difference) -> dict[str, Any]:
    return {
        "code": item.code,
        "reason": REASONS.get(item.code, item.code),
        "sessions": item.sessions,
        "onlyInExport": {status: count for status, count in item.less.items() if count},
        "onlyInAims": {status: count for status, count in item.more.items() if count},
    }


def _joined(differences: Iterable[Difference]) -> list[Difference]:
    """One difference for each reason."""
    joined: dict[str, Difference] = {}
    for one in differences:
        known = joined.get(one.code, Difference(one.code))
        joined[one.code] = Difference(
            one.code, known.less + one.less, known.more + one.more, known.sessions + one.sessions
        )
    return list(joined.values())


def as_text(reading: Reading, outcome: Outcome, *, dry_run: bool) -> str:
    """The same as tables, naming only some of the documents that were left out."""
    parts = [
        _documents(reading),
        _rows(outcome, dry_run=dry_run),
        _reasons(outcome.left_out),
        _unread(reading.unread),
        _classes(outcome.classes, whole=not reading.unread),
    ]
    return "\n\n".join(part for part in parts if part)


def _documents(reading: Reading) -> str:
    rows = [[name, _number(count), ""] for name, count in sorted(reading.read.items())]
    rows += [[name, _number(n), "not read"] for name, n in sorted(reading.ignored.items())]
    return _table(["Collection", "documents", ""], rows, last_is_text=True)


def _rows(outcome: Outcome, *, dry_run: bool) -> str:
    rows = [[table, *(_number(counts[table]) for counts in _counters(outcome))] for table in TABLES]
    heading = "Rows (dry run: nothing is kept)" if dry_run else "Rows"
    return _table([heading, "new", "changed", "unchanged"], rows)


def _counters(outcome: Outcome) -> tuple[Counter[str], Counter[str], Counter[str]]:
    return outcome.made, outcome.changed, outcome.unchanged


def _reasons(left_out: list[LeftOut]) -> str:
    groups: dict[tuple[str, str], list[LeftOut]] = defaultdict(list)
    for item in left_out:
        groups[item.what, item.code].append(item)
    if not groups:
        return "Nothing was left out."
    lines = ["Left out or not as in the export"]
    for (what, code), items in groups.items():
        count, marks = sum(item.count for item in items), sum(item.marks for item in items)
        things = _counted(count, what) + (f" with {_counted(marks, 'mark')}" if marks else "")
        lines.append(f"  {things} ({code}): {REASONS.get(code, code)}")
        paths = list(dict.fromkeys(f"{item.path} {item.place}".strip() for item in items))
        more = f" and {_number(len(paths) - _SHOWN)} more" if len(paths) > _SHOWN else ""
        if paths != [""]:
            lines.append(f"      {', '.join(paths[:_SHOWN])}{more}")
    return "\n".join(lines)


def _counted(number: int, what: str) -> str:
    plural = "classes" if what == "class" else f"{what}s"
    return f"{_number(number)} {what if number == 1 else plural}"


def _unread(unread: Counter[str]) -> str:
    if not unread:
        return ""
    lines = [f"  {_counted(count, 'document')}: {name}" for name, count in unread.items()]
    return "\n".join(
        ["Not read, though it is in documents that were: name it in the mapping", *lines]
    )


def _classes(classes: list[ClassOutcome], *, whole: bool) -> str:
    rows = [
        [
            item.path,
            _both(item.exported_sessions, item.stored_sessions),
            *(_both(item.exported[status], item.stored[status]) for status in STATUSES),
            _verdict(item, whole=whole),
        ]
        for item in classes
    ]
    heading = ["Class", "sessions", *STATUSES, "export / AIMS"]
    return _table(heading, rows, last_is_text=True)


def _both(exported: int, stored: int) -> str:
    return _number(exported) if exported == stored else f"{_number(exported)}/{_number(stored)}"


def _verdict(item: ClassOutcome, *, whole: bool) -> str:
    if not item.agrees:
        return "DIFFER WITHOUT A REASON"
    reasons = ", ".join(difference.code for difference in _joined(item.differences))
    return f"differ: {reasons}" if reasons else "equal" if whole else "equal in what was read"


def _number(number: int) -> str:
    return f"{number:,}"


def _table(heading: list[str], rows: list[list[str]], *, last_is_text: bool = False) -> str:
    """Lay out columns as wide as needed: texts to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    texts = {0, len(heading) - 1} if last_is_text else {0}

    def line(cells: list[str]) -> str:
        placed = (
            cell.ljust(width) if place in texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(placed).rstrip()

    return "\n".join(line(cells) for cells in [heading, *rows])
