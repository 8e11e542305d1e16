"""How many statements an operation costs, and that none of them reads a large table whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from app.db import server_settings
from app.schemas.roster import STUDENT_FIELDS
from app.services.classes import class_service, rosters, teachers
from app.services.counting import class_stats, registers, student_stats
from app.services.imports import attendance_import, session_names
from app.services.leave import leave_marks
from app.services.people import accounts, allow_list
from app.services.sessions import attendance_service, history, marking, session_lock
from app.services.timetable import occurrences, reschedules, slots
from app.sql import Statement
from tests import test_authorization
from tests.classroom import ROLLS, Classroom, today
from tests.conftest import ZONE, Stage, copy_of
from tests.support import ROUTES, Person
from tests.test_authorization import TABLE, Scene

pytestmark = pytest.mark.anyio

scene = test_authorization.scene

# What an operation costs when it does its work. Whatever reads costs one.
WRITES = {
    "createClass": 2,
    "updateClass": 2,
    "deleteClass": 3,
    "restoreClass": 3,
    "putRoster": 4,
    "importRoster": 8,
    "putTeachers": 5,
    "addSlot": 3,
    "changeSlot": 4,
    "removeSlot": 2,
    "addReschedule": 4,
    "replaceReschedule": 5,
    "removeReschedule": 2,
    "openSession": 3,
    "markStudents": 2,
    "finaliseSession": 4,
    "reopenSession": 2,
    "cancelSession": 3,
    "restoreSession": 2,
    "markUnmarked": 3,
    "setPolicy": 3,
    "previewPolicy": 1,
    "requestLeave": 5,
    "approveLeave": 9,
    "rejectLeave": 8,
    "withdrawLeave": 8,
    "addAllowedEmail": 5,
    "uploadAllowedEmails": 6,
    "importFile": 7,
    "changeAllowedEmail": 5,
    "removeAllowedEmail": 5,
    "changeUser": 5,
    "changeStudent": 3,
    "mergeStudents": 16,
    "addTerm": 2,
    "changeTerm": 2,
    "removeTerm": 2,
    "addHoliday": 2,
    "changeHoliday": 2,
    "removeHoliday": 2,
}
COST = {name: 1 for name, case in TABLE.items() if case.method == "GET"} | WRITES


async def statements_of(scene: Scene, person: Person, operation: str) -> list[str]:
    """What the operation of the authorization table runs for this person. It is undone."""
    assert scene.stage.pool is not None
    scene.stage.pool.statements.clear()
    transaction = scene.stage.connection.transaction()
    await transaction.start()
    await scene.ask(person, TABLE[operation])
    await transaction.rollback()
    return list(scene.stage.pool.statements)


def test_every_operation_has_its_cost() -> None:
    assert COST.keys() == TABLE.keys()
    reading = {route.operation_id for route in ROUTES if route.methods == {"GET"}}
    # A preview is sent its rules, and reads.
    reading.add("previewPolicy")
    assert {name for name, cost in COST.items() if cost == 1} == reading & TABLE.keys()


async def test_an_operation_costs_what_it_should(scene: Scene) -> None:
    costs = {name: len(await statements_of(scene, scene.stage.meera, name)) for name in TABLE}
    assert costs == COST


@pytest.mark.parametrize("person", ["bilal", "omar"])
async def test_a_refused_operation_costs_one(scene: Scene, person: str) -> None:
    who = getattr(scene.stage, person)
    refused = [name for name, case in TABLE.items() if case.expected(person) >= 400]
    costs = {name: len(await statements_of(scene, who, name)) for name in refused}
    assert costs == dict.fromkeys(refused, 1)


async def test_who_is_not_signed_in_costs_nothing(scene: Scene) -> None:
    forger = Person(scene.stage.asha.client, "not.a.token")
    for operation in TABLE:
        assert await statements_of(scene, scene.stage.nobody, operation) == []
        assert await statements_of(scene, forger, operation) == []


async def test_marking_locks_then_marks_in_one_transaction(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = scene.stage.pool
    assert pool is not None
    begin = pool.transaction

    def transaction() -> Any:
        pool.statements.append("BEGIN")
        return begin()

    monkeypatch.setattr(pool, "transaction", transaction)
    ran = await statements_of(scene, scene.stage.asha, "markStudents")
    assert ran == ["BEGIN", session_lock.LOCK, marking._MARK]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_number_of_marks_costs_nothing(stage: Stage, room: Classroom, count: int) -> None:
    assert stage.pool is not None
    session = await room.open()
    stage.pool.statements.clear()
    await room.mark(session, dict.fromkeys(ROLLS[:count], "present"))
    assert len(stage.pool.statements) == 2


async def test_a_new_session_costs_three_and_an_existing_one_one(
    stage: Stage, room: Classroom
) -> None:
    assert stage.pool is not None
    stage.pool.statements.clear()
    await room.open()
    assert stage.pool.statements == [
        attendance_service._FIND.text,
        attendance_service._OPEN.text,
        leave_marks._ANYBODY_ON_LEAVE,
    ]
    stage.pool.statements.clear()
    await room.open()
    assert stage.pool.statements == [attendance_service._FIND.text]


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_the_number_of_sessions_listed_costs_nothing(
    stage: Stage, room: Classroom, count: int
) -> None:
    assert stage.pool is not None
    for day in range(10, 10 + count):
        await room.mark(await room.open(f"2025-10-{day}"), dict.fromkeys(ROLLS, "present"))
    stage.pool.statements.clear()
    listed = await stage.asha.get("/attendance/sessions", params={"classId": room.id})
    assert len(listed.json()) == count
    assert stage.pool.statements == [attendance_service._LIST.text]


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
ANALYZE;
"""

LARGE = {
    "attendance_statuses",
    "attendance_sessions",
    "students",
    "class_students",
    "class_teachers",
    "users",
}
ROLL_KEYS = [f"23/cs/{n}" for n in range(200, 260)]


CLASS, SESSION, ACTOR, TODAY = "{class}", "{session}", "{actor}", str(today())
NOW = f"{TODAY} 12:00"
ON_DAY = (CLASS, SESSION, "2025-10-03")
MARKS = (ROLL_KEYS, ROLL_KEYS, ["late"] * 60, [False] * 60, [None] * 60, [None] * 60)

OF_CLASS = {"actor_id": ACTOR, "class_id": CLASS}
OF_SESSION = {"actor_id": ACTOR, "session_id": SESSION}
FOUND = {"day": "2025-10-03", "start_time": None, "today": TODAY, "clock": "09:30"}
OPENED = {"day": "2025-10-20", "start_time": "09:00", "end_time": "10:00", "image": None}
PAGE = {"first": None, "last": None, "after_day": None, "after_time": None, "most": 200}
SOME = PAGE | {"first": "2025-10-01", "after_day": "2025-10-04", "after_time": "09:00", "most": 2}
FIRST_PAGE = {"version": None, "roll_key": None, "student_id": None, "most": 200}
LISTED = {"actor_id": ACTOR, "archived": False, "term": "current"}
SIGN_IN = {"email": "teacher7@demo.university.example", "google_sub": "s", "google_name": "N"}

# Each with values for its parameters.
STATEMENTS: dict[str, tuple[Any, ...]] = {
    "me": (accounts._ME, {"actor_id": ACTOR}),
    "sign_in": (accounts._SIGN_IN, SIGN_IN),
    "list_classes": (class_service._LIST[True], LISTED),
    "get_class": (class_service._GET[True], OF_CLASS),
    "list_slots": (slots._LIST_SLOTS, OF_CLASS),
    "list_moves": (reschedules._LIST_MOVES, {**OF_CLASS, "first": None, "last": None}),
    "occurrences_of_class": (
        *(occurrences._OF_CLASS, ACTOR, CLASS),
        *("2025-10-01", "2025-10-31", NOW),
    ),
    "occurrences_on_date": (occurrences._ON_DATE, ACTOR, "2025-10-03", NOW),
    "plan": (occurrences._PLAN, ACTOR, CLASS, "2025-09-01", "2026-04-01", NOW),
    "find_session": (attendance_service._FIND, OF_CLASS | FOUND),
    "open_session": (attendance_service._OPEN, OF_CLASS | OPENED),
    "list_sessions": (attendance_service._LIST, OF_CLASS | PAGE),
    "list_some_sessions": (attendance_service._LIST, OF_CLASS | SOME),
    "get_session": (attendance_service._GET, OF_SESSION),
    "lock_session": (session_lock.LOCK, ACTOR, SESSION, None),
    "mark": (marking._MARK, *ON_DAY, 1, ACTOR, "request", None, False, [1], *MARKS),
    "fill": (marking._FILL, *ON_DAY, ACTOR, "request", None, "absent", "auto"),
    "leave_in_a_session": (leave_marks._APPLY_TO_SESSION, ACTOR, "request", *ON_DAY),
    "import_marks": (
        *(attendance_import._MARK, ACTOR, "request", None, None, [CLASS], [SESSION]),
        *(ROLL_KEYS, [1] * 60, [*range(1, 61)], ["late"] * 60, [None] * 60, None),
    ),
    "find_sessions": (
        session_names._LOCK,
        {"ids": [None], "classes": [CLASS], "days": ["2025-10-03"], "starts": ["09:00"]},
    ),
    "history": (history._HISTORY, OF_SESSION | FIRST_PAGE),
    "stats": (class_stats._STUDENTS, ACTOR, CLASS, False),
    "stats_then": (class_stats._STUDENTS_THEN, ACTOR, CLASS, False, NOW),
    "trend": (class_stats._SESSIONS, ACTOR, CLASS),
    "trend_then": (class_stats._SESSIONS_THEN, ACTOR, CLASS, NOW),
    "student_stats": (student_stats._NOW, ACTOR, "23/cs/207", False),
    "student_stats_then": (student_stats._THEN, ACTOR, "23/cs/207", False, NOW),
    "register": (registers._REGISTER, ACTOR, CLASS, None, None, 300, 60_000),
    "part_of_register": (
        *(registers._REGISTER, ACTOR, CLASS),
        *("2025-10-01", "2025-10-31", 300, 60_000),
    ),
    "lock_roster": (rosters._LOCK, ACTOR, CLASS),
    "roster": (rosters._ROSTER, CLASS),
    "apply_roster": (
        *(rosters._APPLY, ACTOR, CLASS, "request", True, [], []),
        *(ROLL_KEYS, ROLL_KEYS, *[[None] * 60] * len(STUDENT_FIELDS), [None] * 60),
    ),
    "list_teachers": (teachers._LIST, OF_CLASS),
    "find_users": (teachers._FIND_USERS, {"user_ids": [ACTOR], "emails": ["a@x.example"]}),
    "make_users": (allow_list._MAKE_USERS, {"emails": ["a@x.example", "b@x.example"]}),
}
OF_MARKS = [
    "import_marks",
    *("list_sessions", "list_some_sessions", "get_session", "mark", "fill", "history", "stats"),
    *("leave_in_a_session", "trend", "stats_then", "trend_then", "student_stats_then"),
    *("register", "part_of_register"),
]


@dataclass(frozen=True)
class Plan:
    """What the planner means to do, as the flat list of its steps."""

    steps: list[dict[str, Any]]

    def of(self, table: str) -> list[dict[str, Any]]:
        return [step for step in self.steps if step.get("Relation Name") == table]


class Planner:
    """A database large enough for the planner to have to choose."""

    def __init__(self, connection: asyncpg.Connection, ids: dict[str, str]) -> None:
        self._connection = connection
        self._ids = ids

    async def explain(self, name: str, mode: str) -> Plan:
        """The plan of a prepared statement, as the pool prepares them."""
        sql, *arguments = STATEMENTS[name]
        if isinstance(sql, Statement):
            sql, arguments = sql.text, sql.arguments(*arguments)
        given = ", ".join(self._literal(argument) for argument in arguments)
        await self._connection.execute(f"SET plan_cache_mode = {mode}")
        await self._connection.execute(f"PREPARE asked AS {sql}")
        text = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked({given})")
        return Plan(list(flattened(json.loads(text)[0]["Plan"])))

    async def first_columns(self) -> dict[str, str]:
        """Each index with the column it begins with."""
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
        "SELECT s.class_id, s.id, s.teacher_id FROM attendance_sessions s"
        " JOIN classes c ON c.id = s.class_id"
        " WHERE c.code = 'CS7' AND s.session_date = '2025-10-03'"
    )
    ids = zip((CLASS, SESSION, ACTOR), map(str, row), strict=True)
    yield Planner(connection, dict(ids))
    await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_large_table_is_read_whole(planner: Planner, name: str, mode: str) -> None:
    plan = await planner.explain(name, mode)
    read = {
        step["Relation Name"]
        for step in plan.steps
        if "Seq Scan" in step["Node Type"] and "Relation Name" in step
    }
    assert read & LARGE == set()


@pytest.mark.parametrize("name", OF_MARKS)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_marks_are_found_by_the_class_first(planner: Planner, name: str, mode: str) -> None:
    plan = await planner.explain(name, mode)
    begins = await planner.first_columns()
    scans = [step for step in plan.of("attendance_statuses") if "Scan" in step["Node Type"]]
    assert scans
    for scan in scans:
        if scan["Node Type"] == "Bitmap Heap Scan":
            (scan,) = (step for step in scan["Plans"] if step["Node Type"] == "Bitmap Index Scan")
        assert begins[scan["Index Name"]] == "class_id"
        assert "class_id = " in scan["Index Cond"]


async def test_a_new_database_has_the_marks_of_a_session_found_as_well(
    own: asyncpg.Connection,
) -> None:
    planner = Planner(own, dict.fromkeys((ACTOR, SESSION), "00000000-0000-4000-8000-000000000000"))
    plan = await planner.explain("get_session", "force_generic_plan")
    scans = plan.of("attendance_statuses")
    assert len(scans) == 2
    assert all("session_id = " in scan["Index Cond"] for scan in scans)
