"""Query plans: no statement reads the whole of a large table."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from app.db import server_settings
from app.services.classes import class_service, enrolling, rosters, teachers
from app.services.counting import registers, session_stats, sheets, student_sessions, student_stats
from app.services.imports import attendance_import, session_names
from app.services.leave import covered
from app.services.mine import my_attendance, my_leaves, my_questions, my_sessions
from app.services.people import accounts, allow_list, student_accounts
from app.services.questions import answering, shown
from app.services.sessions import (
    attendance_service,
    history,
    leave_shown,
    marking,
    session_lock,
)
from app.services.timetable import day, occurrences, reschedules, slots
from app.sql import Statement
from tests.classroom import today
from tests.conftest import ZONE, copy_of

pytestmark = pytest.mark.anyio

# 200 classes of 60 with 4 marked sessions each: 48,000 marks.
LOAD = """
INSERT INTO users (email, name)
SELECT format('teacher%s@demo.university.example', n), 'Teacher ' || n
FROM generate_series(1, 2000) n;
INSERT INTO allowed_emails (email, name, role) SELECT email, name, 'teacher' FROM users;
INSERT INTO students (roll_no, roll_key, name)
SELECT format('23/CS/%s', n), format('23/cs/%s', n), 'Student ' || n
FROM generate_series(1, 12000) n;
INSERT INTO classes (code, name, section, teacher_id)
SELECT 'CS' || n, 'Class ' || n, 'A', u.id
FROM generate_series(1, 200) n
JOIN users u ON u.email = format('teacher%s@demo.university.example', n);
INSERT INTO class_teachers (class_id, user_id, role)
SELECT c.id, u.id, 'co_teacher' FROM classes c JOIN users u ON u.id <> c.teacher_id
WHERE hashtext(c.id::text || u.id) % 200 = 0;
INSERT INTO class_schedules (class_id, day_of_week, start_time, end_time)
SELECT id, day, '09:00', '10:00' FROM classes, generate_series(1, 5) day;
INSERT INTO class_students (class_id, student_id, periods)
SELECT c.id, s.id, '{[2025-08-01,)}'
FROM (SELECT id, row_number() OVER () AS n FROM classes) c
JOIN (SELECT id, row_number() OVER () AS n FROM students) s ON s.n % 200 = c.n - 1;
INSERT INTO attendance_sessions (class_id, session_date, start_time, end_time, teacher_id)
SELECT c.id, date '2025-10-01' + n, '09:00', '10:00', c.teacher_id
FROM classes c, generate_series(1, 10) n;
INSERT INTO attendance_statuses (class_id, session_id, student_id, status, marked_by)
SELECT s.class_id, s.id, e.student_id, 'present', s.teacher_id
FROM attendance_sessions s JOIN class_students e USING (class_id)
WHERE s.session_date <= '2025-10-05';
UPDATE students SET dtu_email = format('s%s@students.demo.university.example', roll_key);
INSERT INTO student_accounts (student_id, issuer, subject, email)
SELECT id, 'https://accounts.google.com', roll_key, dtu_email FROM students;
INSERT INTO mark_questions (class_id, session_id, student_id, text, said)
SELECT class_id, session_id, student_id, 'I was there.', status FROM attendance_statuses
WHERE hashtext(session_id::text || student_id) % 4 = 0;
INSERT INTO leaves (student_id, first_day, last_day, kind)
SELECT id, '2025-10-01', '2025-10-02', 'medical' FROM students;
ANALYZE;
"""

LARGE = {
    "attendance_statuses",
    "attendance_sessions",
    "students",
    "class_students",
    "class_teachers",
    "users",
    "student_accounts",
    "mark_questions",
    "leaves",
}
ROLL_KEYS = [f"23/cs/{n}" for n in range(200, 260)]


CLASS, SESSION, ACTOR, TODAY = "{class}", "{session}", "{actor}", str(today())
STUDENT, ACCOUNT = "{student}", "{account}"
NOW = f"{TODAY} 12:00"
ON_DAY = {"class_id": CLASS, "session_id": SESSION, "day": "2025-10-03"}
WRITER = {"actor_id": ACTOR, "request_id": "request", "reason": None}
MARKS = {
    "version": 1,
    "if_match": [1],
    "strict": False,
    "roll_keys": ROLL_KEYS,
    "statuses": ["late"] * 60,
    "recognized": [False] * 60,
    "scores": [None] * 60,
    "remarks": [None] * 60,
}
IMPORTED = {
    "class_ids": [CLASS] * 60,
    "session_ids": [SESSION] * 60,
    "words": ["late"] * 60,
    "notes": [None] * 60,
}
ROSTER = {
    "roll_keys": ROLL_KEYS,
    "roll_nos": ROLL_KEYS,
    "records": ["{}"] * 60,
    "begins": [None] * 60,
}
ENROLLED = {
    "actor_id": ACTOR,
    "request_id": "request",
    "class_id": CLASS,
    "roll_keys": ROLL_KEYS,
    "begins": [None] * 60,
    "leavers": [],
    "last_days": [],
    "replace": True,
    "ahead": 400,
}
SETTLED = WRITER | {
    "window": None,
    "class_ids": [CLASS],
    "student_ids": None,
    "session_ids": None,
    "first": None,
    "last": None,
    "open_alone": False,
}

OF_CLASS = {"actor_id": ACTOR, "class_id": CLASS}
OF_SESSION = {"actor_id": ACTOR, "session_id": SESSION}
ON_DATE = {"actor_id": ACTOR, "day": "2025-10-03", "now": NOW}
FOUND = {"day": "2025-10-03", "start_time": None, "today": TODAY, "clock": "09:30"}
OPENED = {"day": "2025-10-20", "start_time": "09:00", "end_time": "10:00", "image": None}
PAGE = {"first": None, "last": None, "after_day": None, "after_time": None, "most": 200}
SOME = PAGE | {"first": "2025-10-01", "after_day": "2025-10-04", "after_time": "09:00", "most": 2}
OF_ONE = OF_CLASS | {"student_id": STUDENT, "after_day": None, "after_time": None, "most": 200}
FIRST_PAGE = {"version": None, "roll_key": None, "student_id": None, "most": 200}
PRINTED = {"most_sessions": 300, "most_cells": 60_000, "least_cells": 10}
LISTED = {"actor_id": ACTOR, "archived": False, "term": "current"}
SIGN_IN = {"email": "teacher7@demo.university.example", "subject": "s", "name": "N"}
SIGN_IN["issuer"] = "https://accounts.google.com"

STUDENTS_IN = {"issuer": "https://accounts.google.com", "subject": "23/cs/207"}
MINE = {"actor_id": ACCOUNT, "let_in": True}
MY_PAGE = MINE | {"after_at": None, "after_id": None, "most": 200}
QUESTION = {"question_id": SESSION}

# Each statement with values for its parameters.
STATEMENTS: dict[str, tuple[Statement, dict[str, Any]]] = {
    "me": (accounts._ME, {"actor_id": ACTOR}),
    "sign_in": (accounts._SIGN_IN, SIGN_IN),
    "list_classes": (class_service._LIST[True], LISTED),
    "get_class": (class_service._GET[True], OF_CLASS),
    "list_slots": (slots._LIST_SLOTS, OF_CLASS),
    "list_moves": (reschedules._LIST_MOVES, {**OF_CLASS, "first": None, "last": None}),
    "occurrences_of_class": (
        occurrences._OF_CLASS,
        OF_CLASS | {"first": "2025-10-01", "last": "2025-10-31", "now": NOW, "most": 5000},
    ),
    "occurrences_on_date": (occurrences._ON_DATE, ON_DATE),
    "day": (
        day._DAY,
        {"actor_id": ACTOR, "day": "2025-10-03", "now": NOW, "days_back": 14, "most": 20},
    ),
    "find_session": (attendance_service._FIND, OF_CLASS | FOUND),
    "open_session": (attendance_service._OPEN, OF_CLASS | OPENED),
    "list_sessions": (attendance_service._LIST, OF_CLASS | PAGE),
    "list_some_sessions": (attendance_service._LIST, OF_CLASS | SOME),
    "get_session": (attendance_service._GET, OF_SESSION),
    "sheet": (sheets._SHEET, OF_SESSION | {"window": None}),
    "lock_session": (session_lock.LOCK, OF_SESSION | {"window": None}),
    "mark": (marking._MARK, ON_DAY | WRITER | MARKS),
    "sessions_on_leave": (
        covered._PAGE,
        {"actor_id": ACTOR, "leave_id": SESSION, "after_day": "2025-10-01"}
        | {"after_time": None, "after_id": SESSION, "most": 200},
    ),
    "covered_by_leave": (covered._COVERED, {"leave_id": SESSION, "session_ids": [SESSION]}),
    "marks": (marking._MARKS, {"class_id": CLASS, "session_id": SESSION}),
    "fill": (marking._FILL, ON_DAY | WRITER | {"status": "absent", "source": "auto"}),
    "leave_in_a_session": (leave_shown._SETTLE, SETTLED | {"session_ids": [SESSION]}),
    "leave_of_a_student": (leave_shown._SETTLE, SETTLED | {"student_ids": [ACTOR]}),
    "judge_marks": (
        attendance_import._JUDGE,
        {
            "class_ids": [CLASS],
            "session_ids": [SESSION],
            "roll_keys": ROLL_KEYS,
            "sessions": [1] * 60,
            "people": [*range(1, 61)],
            "words": ["late"] * 60,
            "notes": [None] * 60,
            "reason": None,
            "window": None,
            "source": None,
        },
    ),
    "import_marks": (attendance_import._MARK, WRITER | IMPORTED | {"students": [ACTOR] * 60}),
    "find_sessions": (
        session_names._LOCK,
        {"ids": [None], "classes": [CLASS], "days": ["2025-10-03"], "starts": ["09:00"]},
    ),
    "history": (history._HISTORY, OF_SESSION | FIRST_PAGE),
    "stats": (student_stats._OF_CLASS, OF_CLASS | {"withdrawn": False}),
    "trend": (session_stats._OF_CLASS, OF_CLASS),
    "one": (student_stats._OF_ONE, OF_CLASS | {"student_id": STUDENT}),
    "sessions_of_one": (student_sessions._LIST, OF_ONE),
    "student_stats": (
        student_stats._OF_STUDENT,
        {"actor_id": ACTOR, "roll_key": "23/cs/207", "withdrawn": False},
    ),
    "register": (registers._REGISTER, OF_CLASS | {"first": None, "last": None} | PRINTED),
    "part_of_register": (
        registers._REGISTER,
        OF_CLASS | {"first": "2025-10-01", "last": "2025-10-31"} | PRINTED,
    ),
    "lock_roster": (rosters._LOCK, OF_CLASS),
    "roster": (rosters._ROSTER, {"class_id": CLASS}),
    "fill_students": (enrolling._FILL, {"actor_id": ACTOR, "names": "{}", **ROSTER}),
    "enrol": (enrolling._ENROL, ENROLLED),
    "lock_address": (student_accounts._LOCK, {"email": "a@x.example"}),
    "leave_others": (student_accounts._LEAVE_OTHERS, STUDENTS_IN | {"student_id": STUDENT}),
    "bind_student": (
        student_accounts._BIND,
        STUDENTS_IN | {"student_id": STUDENT, "email": "a@x.example", "name": "A"},
    ),
    "my_attendance": (my_attendance._ATTENDANCE, MINE | {"attend": 1, "miss": None}),
    "my_sessions": (my_sessions._LIST, MINE | PAGE | {"class_id": None, "after_id": None}),
    "my_sessions_of_class": (
        my_sessions._LIST,
        MINE | SOME | {"class_id": CLASS, "after_id": SESSION},
    ),
    "my_questions": (my_questions._LIST, MY_PAGE),
    "ask": (
        my_questions._ASK,
        MINE | {"class_id": CLASS, "session_id": SESSION, "text": "I was there.", "most": 10},
    ),
    "withdraw_question": (my_questions._WITHDRAW, MINE | QUESTION),
    "my_leaves": (my_leaves._LIST, MY_PAGE),
    "find_question": (answering._FIND, {"actor_id": ACTOR} | QUESTION),
    "questions": (
        shown._LIST,
        {"actor_id": ACTOR, "class_id": None, "status": "open"}
        | {"after_at": None, "after_id": None, "most": 200},
    ),
    "list_teachers": (teachers._LIST, OF_CLASS),
    "find_users": (teachers._FIND_USERS, {"user_ids": [ACTOR], "emails": ["a@x.example"]}),
    "make_users": (allow_list._MAKE_USERS, {"emails": ["a@x.example", "b@x.example"]}),
}
OF_MARKS = [
    "import_marks",
    *("list_sessions", "list_some_sessions", "get_session", "mark", "fill", "history", "stats"),
    *("leave_in_a_session", "leave_of_a_student", "trend", "register", "part_of_register"),
    *("day", "sheet", "one", "sessions_of_one"),
    *("my_attendance", "my_sessions", "my_sessions_of_class", "ask"),
]
# Statements that also run as of an earlier instant.
OF_THE_PAST = ["stats", "trend", "student_stats"]
MODES = ["force_custom_plan", "force_generic_plan"]


@dataclass(frozen=True)
class Plan:
    """A query plan, as a flat list of its steps."""

    steps: list[dict[str, Any]]

    def of(self, table: str) -> list[dict[str, Any]]:
        return [step for step in self.steps if step.get("Relation Name") == table]


class Planner:
    """A database so large that the planner has to choose."""

    def __init__(self, connection: asyncpg.Connection, ids: dict[str, str]) -> None:
        self._connection = connection
        self._ids = ids

    async def explain(self, name: str, mode: str) -> Plan:
        """The plan of a statement that is prepared as the pool prepares it."""
        statement, values = STATEMENTS[name]
        given = ", ".join(self._literal(value) for value in statement.arguments(values))
        await self._connection.execute(f"SET plan_cache_mode = {mode}")
        await self._connection.execute(f"PREPARE asked AS {statement.text}")
        text = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked({given})")
        return Plan(list(flattened(json.loads(text)[0]["Plan"])))

    async def go_back(self) -> None:
        """Plan later statements as of an instant."""
        await self._connection.execute(f"SET search_path = as_of, public; SET aims.as_of = '{NOW}'")

    async def first_columns(self) -> dict[str, str]:
        """The first column of each index."""
        rows = await self._connection.fetch(
            "SELECT i.indexrelid::regclass::text, a.attname FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        )
        return dict(rows)

    def _literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, list):
            items = ("NULL" if item is None else self._ids.get(item, str(item)) for item in value)
            return f"'{{{', '.join(items)}}}'"
        return f"'{self._ids.get(value, value)}'"


def flattened(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for below in step.get("Plans", []):
        yield from flattened(below)


@pytest.fixture(scope="module")
def loaded_url(server_url: str, template: str, worker_id: str) -> str:
    async def load() -> str:
        url = await copy_of(server_url, template, f"aims_large_{worker_id}")
        connection = await asyncpg.connect(url)
        await connection.execute(LOAD)
        await connection.close()
        return url

    return asyncio.run(load())


@pytest.fixture
async def planner(loaded_url: str) -> AsyncIterator[Planner]:
    connection = await asyncpg.connect(loaded_url, server_settings=server_settings(ZONE))
    row = await connection.fetchrow(
        "SELECT s.class_id, s.id, s.teacher_id, a.student_id, a.id AS account_id"
        " FROM attendance_sessions s JOIN classes c ON c.id = s.class_id"
        " JOIN class_students e ON e.class_id = c.id"
        " JOIN student_accounts a ON a.student_id = e.student_id"
        " WHERE c.code = 'CS7' AND s.session_date = '2025-10-03' LIMIT 1"
    )
    names = (CLASS, SESSION, ACTOR, STUDENT, ACCOUNT)
    ids = zip(names, map(str, row), strict=True)
    yield Planner(connection, dict(ids))
    await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("mode", MODES)
async def test_no_large_table_is_read_in_full(planner: Planner, name: str, mode: str) -> None:
    assert tables_read_whole(await planner.explain(name, mode)) & LARGE == set()


@pytest.mark.parametrize("name", OF_MARKS)
@pytest.mark.parametrize("mode", MODES)
async def test_marks_are_looked_up_by_class_first(planner: Planner, name: str, mode: str) -> None:
    assert_class_first(await planner.explain(name, mode), await planner.first_columns())


@pytest.mark.parametrize("name", OF_THE_PAST)
@pytest.mark.parametrize("mode", MODES)
async def test_past_marks_are_looked_up_by_class_first(
    planner: Planner, name: str, mode: str
) -> None:
    begins = await planner.first_columns()
    await planner.go_back()
    plan = await planner.explain(name, mode)
    assert tables_read_whole(plan) & LARGE == set()
    assert_class_first(plan, begins)


def tables_read_whole(plan: Plan) -> set[str]:
    return {
        step["Relation Name"]
        for step in plan.steps
        if "Seq Scan" in step["Node Type"] and "Relation Name" in step
    }


def assert_class_first(plan: Plan, begins: dict[str, str]) -> None:
    """Check that marks are looked up by class, in indexes whose first column it is."""
    scans = [step for step in plan.of("attendance_statuses") if "Scan" in step["Node Type"]]
    assert scans
    for scan in scans:
        if scan["Node Type"] == "Bitmap Heap Scan":
            (scan,) = (step for step in scan["Plans"] if step["Node Type"] == "Bitmap Index Scan")
        assert begins[scan["Index Name"]] == "class_id"
        assert "class_id = " in scan["Index Cond"]


async def test_a_new_database_also_finds_the_marks_of_a_session_by_index(
    own: asyncpg.Connection,
) -> None:
    planner = Planner(own, dict.fromkeys((ACTOR, SESSION), "00000000-0000-4000-8000-000000000000"))
    plan = await planner.explain("get_session", "force_generic_plan")
    scans = plan.of("attendance_statuses")
    assert len(scans) == 2
    assert all("session_id = " in scan["Index Cond"] for scan in scans)
