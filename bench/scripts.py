"""The operations for pgbench: our own statements, and the fixed ones of `reference.sql`.

A parameter becomes a subquery that computes its value, or a variable of pgbench. PostgreSQL then
plans as it does for the service's prepared statements, without knowing the value; a constant in
its place would be planned for.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.demo import bench_data
from app.demo.bench_data import CLASSES, STUDENTS
from app.services.classes import class_service
from app.services.counting import student_stats
from app.services.people import accounts
from app.services.sessions import attendance_service, leave_shown, marking, session_lock
from app.sql import Statement
from bench.data import SCORES

_PLACES = range(1, STUDENTS + 1)
# Values of pgbench's variables that are the same for every batch of marks.
ARRAYS = {
    "recognized": "{" + ",".join("f" if place % 2 else "t" for place in _PLACES) + "}",
    "remarks": "{" + ",".join("NULL" for _ in _PLACES) + "}",
}

_CLASS = "md5('class' || :c)::uuid"
_SESSION = "md5('session' || :c || '-' || :s)::uuid"
_OF_CLASS = {"actor_id": "md5('user' || ((:c - 1) / 4 + 1))::uuid", "class_id": _CLASS}
_NOW = {"today": "date '2026-11-24'", "clock": "time '09:30'"}
_EXISTING = {"day": "date '2026-06-01' + :s::int", "start_time": "NULL::time", **_NOW}
_NEW = {
    "day": "date '1990-01-01' + (:r::int % 3000)::int",
    "start_time": "time '00:00' + make_interval(mins => (:r::int / 3000) % 1440)",
    "end_time": "NULL::time",
    "image": "NULL::text",
    **_NOW,
}
_SPAN = {"first": "date '2026-06-01' + :t::int", "last": "date '2026-06-10' + :t::int"}
_FIRST_PAGE = {"after_day": "NULL::date", "after_time": "NULL::time", "most": "200::bigint"}
_READS = {
    "A": _OF_CLASS,
    "B": {**_OF_CLASS, "archived": "false", "term": "'current'::text"},
    "C1": {**_OF_CLASS, **_EXISTING},
    "E": {**_OF_CLASS, **_SPAN, **_FIRST_PAGE},
    "F": {**_OF_CLASS, "withdrawn": "false"},
}
# What the lock returned is in variables with the names of its columns.
_BATCH = {
    "class_id": ":class_id::uuid",
    "session_id": ":session_id::uuid",
    "day": ":session_date::date",
    "version": ":version::int",
    "if_match": "ARRAY[:version::int]",
    "strict": "false",
    "roll_keys": "SELECT roll_keys FROM bench_rolls b WHERE b.c = :c",
    "statuses": "SELECT statuses FROM bench_words b WHERE b.s = :s % 4",
    "scores": "SELECT scores FROM bench_scores b WHERE b.k = :k",
    **{name: f":{name}" for name in ARRAYS},
    "actor_id": _OF_CLASS["actor_id"],
    "request_id": "'bench'::text",
    "reason": "NULL::text",
}


def _variables() -> str:
    sessions = bench_data.SESSIONS
    return f"""\\set c random(1, {CLASSES})
\\set s random(1, {sessions})
\\set t random(1, {sessions - 9})
\\set r random(1, 1000000)
\\set k random(0, {SCORES - 1})
"""


def script_of(name: str, statements: Sequence[Statement]) -> str:
    """The pgbench script for the operation with that name, run by these statements."""
    if name == "C2":
        return _variables() + _opening(*statements)
    if name == "D":
        return _variables() + _marking(*statements)
    (statement,) = statements
    return f"{_variables()}{filled(statement, _READS[name])};\n"


def filled(statement: Statement, values: Mapping[str, str]) -> str:
    """The statement with expressions of pgbench instead of its parameters."""
    shown = [_shown(values[name]) for name in statement.parameters]
    sql = re.sub(r"\$(\d+)", lambda found: shown[int(found[1]) - 1], statement.text)
    # pgbench would take the colon of a time format for one of its variables.
    return sql.replace("'HH24:MI'", "'HH24' || chr(58) || 'MI'")


def _shown(expression: str) -> str:
    is_variable = expression.startswith((":", "SELECT "))
    return f"({expression})" if is_variable else f"(SELECT {expression})"


def _opening(find: Statement, create: Statement, leave: Statement) -> str:
    """All statements for opening a new session: the slot, the session, and who is on leave."""
    new = {**_OF_CLASS, **_NEW, "session_id": ":id::uuid"}
    return (
        f"{filled(find, new)};\nBEGIN;\n{filled(create, new)}\n\\gset\n"
        f"{filled(leave, new)};\nCOMMIT;\n"
    )


def _marking(lock: Statement, *rest: Statement) -> str:
    """A transaction that locks the session, and then marks sixty students in it."""
    wanted = {**_OF_CLASS, "session_id": _SESSION, "window": "NULL::int"}
    work = "".join(f"{filled(statement, _BATCH)};\n" for statement in rest)
    return f"BEGIN;\n{filled(lock, wanted)}\n\\gset\n{work}COMMIT;\n"


OWN: dict[str, tuple[Statement, ...]] = {
    "A": (accounts._ME,),
    "B": (class_service._LIST[True],),
    "C1": (attendance_service._FIND,),
    "C2": (
        attendance_service._FIND,
        attendance_service._OPEN,
        leave_shown._ANYBODY_ON_LEAVE,
    ),
    "D": (session_lock.LOCK, marking._MARK, marking._MARKS),
    "E": (attendance_service._LIST,),
    "F": (student_stats._OF_CLASS,),
}


def _references() -> dict[str, tuple[Statement, ...]]:
    """The statements of `reference.sql`, by the names in their headings."""
    found: dict[str, tuple[Statement, ...]] = {}
    for section in Path(__file__).with_name("reference.sql").read_text().split("\n-- == ")[1:]:
        heading, _, text = section.partition("\n")
        sql = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip().removesuffix(";")
        found[heading.split()[0]] = (*found.get(heading.split()[0], ()), Statement(sql))
    return found


REFERENCES = _references()
