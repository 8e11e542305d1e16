"""The demo's department: as described, believable, dated back, and the same every time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from fastapi import FastAPI

from app.db import open_database
from app.demo.calendar import WEEKS
from app.demo.department import COURSES, TEACHERS, occurrences
from app.demo.google import sub_of
from app.demo.load import load_department
from tests.conftest import DOMAIN, copy_of
from tests.support import Person, client_of, one_connection_database

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Kolkata")
NOW = datetime.now(ZONE)
TODAY = NOW.date()
FIRST = TODAY - timedelta(weeks=WEEKS)

# Everything that was made, by its names; ids are new each time, and so is the sign-in.
DIGEST = """
SELECT md5(string_agg(line, '|' ORDER BY line COLLATE "C")) FROM (
    SELECT concat_ws(' ', c.code, c.practical_group, c.section, s.session_date, s.start_time,
                     s.created_at, s.status, st.roll_no, st.name, m.status, m.similarity_score,
                     m.remark, m.source, m.version, m.marked_at, u.name, e.periods, e.added_at)
           AS line
    FROM classes c
    JOIN class_students e ON e.class_id = c.id
    JOIN students st ON st.id = e.student_id
    JOIN attendance_sessions s ON s.class_id = c.id
    LEFT JOIN (
        SELECT session_id, student_id, status, similarity_score, remark, source, version,
               marked_at, marked_by FROM attendance_statuses
        UNION ALL
        SELECT session_id, student_id, status, similarity_score, remark, source, version,
               marked_at, marked_by FROM superseded_statuses
    ) m ON m.session_id = s.id AND m.student_id = st.id
    LEFT JOIN users u ON u.id = m.marked_by
    UNION ALL
    SELECT concat_ws(' ', code, practical_group, d.day_of_week, d.start_time, d.end_time)
    FROM classes c JOIN class_schedules d ON d.class_id = c.id
    UNION ALL
    SELECT concat_ws(' ', code, r.original_date, r.rescheduled_date, r.reason)
    FROM classes c JOIN class_reschedules r ON r.class_id = c.id
    UNION ALL
    SELECT concat_ws(' ', code, s.session_date, v.at, v.status, v.reason)
    FROM classes c JOIN attendance_sessions s ON s.class_id = c.id
    JOIN session_events v ON v.session_id = s.id
    UNION ALL
    SELECT concat_ws(' ', st.roll_no, l.first_day, l.last_day, l.kind, l.note, l.status,
                     l.created_at, l.decided_at)
    FROM leaves l JOIN students st ON st.id = l.student_id
    UNION ALL
    SELECT concat_ws(' ', name, first_day, last_day, created_at)
    FROM (TABLE terms UNION ALL TABLE holidays) days
) lines
"""


async def load(url: str) -> None:
    async with open_database(url) as db:
        await load_department(db, NOW, sub_of)


@pytest.fixture(scope="module")
def department_url(server_url: str, template: str, worker_id: str) -> Iterator[str]:
    """A database with the department. Tests leave it as it is."""
    url = asyncio.run(copy_of(server_url, template, f"aims_demo_{worker_id}"))
    asyncio.run(load(url))
    return url


@pytest.fixture
async def department(department_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the department whose changes are undone."""
    connection = await asyncpg.connect(department_url, server_settings={"TimeZone": str(ZONE)})
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@asynccontextmanager
async def signed_in(
    app: FastAPI, connection: asyncpg.Connection, name: str
) -> AsyncIterator[Person]:
    """One of the demo's people, calling the API on that connection."""
    email = f"{name}@{DOMAIN}"
    user_id = await connection.fetchval("SELECT id FROM users WHERE email = $1", email)
    with one_connection_database(connection) as (app.state.database, _):
        async with client_of(app) as client:
            yield Person(client, app.state.tokens.issue(user_id)[0], user_id, email)


async def test_an_admin_and_five_teachers_share_ten_classes(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "meera") as meera:
        me = (await meera.get("/users/me")).json()
        assert (me["role"], me["department"]) == ("admin", "Computer Science and Engineering")
        people = (await meera.get("/admin/users")).json()
        assert Counter(person["role"] for person in people) == {"admin": 1, "teacher": 5}
        classes = (await meera.get("/classes")).json()
    assert sorted(Counter(c["teacherId"] for c in classes).values()) == [2, 2, 2, 2, 2]
    assert all(55 <= len(c["students"]) <= 65 for c in classes)
    assert all(1 <= len(c["schedule"]) <= 3 for c in classes)
    labs = {c["name"]: c for c in classes if c["practicalGroup"]}
    assert len(labs) == 2
    assert all((c["teacherType"], c["ltpPattern"]) == ("Practical", "0-0-2") for c in labs.values())
    attends = Counter(s["rollNo"] for c in classes for s in c["students"])
    assert sum(count > 1 for count in attends.values()) > len(attends) / 2
    named = {s["rollNo"]: s["name"] for c in classes for s in c["students"]}
    assert len(set(named.values())) == len(named)
    moves = [move for c in classes for move in c["reschedules"]]
    assert any(move["rescheduledDate"] < str(TODAY) for move in moves)
    assert any(move["originalDate"] > str(TODAY) for move in moves)


@pytest.mark.parametrize("days", range(7))
async def test_nobody_is_in_two_places_at_once(days: int) -> None:
    today = TODAY + timedelta(days)
    busy: dict[tuple[str, date], list[tuple[str, str]]] = {}
    for course in COURSES:
        # Three weeks on, so that the moves to come are among them.
        for day, start, end in occurrences(course, FIRST, today + timedelta(weeks=3), today):
            for person in (TEACHERS[course.teacher][0], *course.rolls):
                busy.setdefault((person, day), []).append((start, end))
    assert len(busy) > 5000
    for person_and_day, hours in busy.items():
        for (_, end), (start, _) in pairwise(sorted(hours)):
            assert end <= start, person_and_day


async def test_a_term_is_over_and_another_goes_on_for_weeks(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "asha") as asha:
        calendar = (await asha.get("/calendar")).json()
        past, present = calendar["terms"]
        assert past["lastDay"] < str(FIRST) == present["firstDay"]
        assert present["lastDay"] > str(TODAY + timedelta(weeks=4))
        over, ahead = calendar["holidays"]
        assert str(FIRST) < over["firstDay"] < str(TODAY) < ahead["firstDay"] < ahead["lastDay"]
        current = (await asha.get("/classes")).json()
        assert {class_["termId"] for class_ in current} == {present["id"]}
        (small,) = (await asha.get(f"/classes?term={past['id']}")).json()
        assert len(small["students"]) < 20
        everything = (await asha.get("/classes?term=all")).json()
        assert sorted(c["id"] for c in everything) == sorted(c["id"] for c in [small, *current])


async def test_every_class_met_as_planned_until_yesterday(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    past: Counter[str] = Counter()
    missing: list[str] = []
    async with signed_in(app, department, "meera") as meera:
        for class_ in (await meera.get("/classes?roster=false")).json():
            days = f"from={FIRST}&to={TODAY + timedelta(weeks=4)}"
            planned = (await meera.get(f"/classes/{class_['id']}/occurrences?{days}")).json()
            sessions = (await meera.get(f"/attendance/sessions?classId={class_['id']}")).json()
            held = [o["sessionId"] for o in planned if o["sessionId"]]
            assert sorted(held) == sorted(session["sessionId"] for session in sessions)
            assert planned[0]["date"] < str(FIRST + timedelta(days=7))
            past.update(o["state"] for o in planned if o["date"] < str(TODAY))
            today = {o["state"] for o in planned if o["date"] == str(TODAY)}
            assert today <= {"missing", "in_progress", "upcoming"}
            ahead = {o["state"] for o in planned if o["date"] > str(TODAY)}
            assert {"upcoming"} <= ahead <= {"upcoming", "moved", "holiday"}
            missing += [o["date"] for o in planned if o["state"] == "missing"]
    assert past.keys() == {"taken", "moved", "holiday", "cancelled", "missing"}
    assert past["cancelled"] == past["missing"] == 1
    assert min(missing) >= str(TODAY - timedelta(days=4))


async def test_sessions_are_finalised_within_a_day_and_those_of_the_last_week_are_open(
    department: asyncpg.Connection,
) -> None:
    lives = await department.fetch(
        "SELECT s.id, s.status, s.session_date, s.status_reason, s.created_at,"
        "       (array_agg(e.at ORDER BY e.at))[1] AS first,"
        "       coalesce(array_agg(e.status ORDER BY e.at) FILTER (WHERE e.at IS NOT NULL), '{}')"
        "           AS events"
        " FROM attendance_sessions s LEFT JOIN session_events e ON e.session_id = s.id"
        " GROUP BY s.class_id, s.id"
    )
    reopened = [life for life in lives if "open" in life["events"]]
    assert reopened
    for life in lives:
        if life["status"] == "cancelled":
            assert (life["events"], bool(life["status_reason"])) == (["cancelled"], True)
        elif life["session_date"] >= TODAY - timedelta(days=7):
            assert (life["status"], life["events"]) == ("open", [])
        else:
            again = ["open", "finalised"] if life in reopened else []
            assert (life["status"], life["events"]) == ("finalised", ["finalised", *again])
            assert life["first"] - life["created_at"] < timedelta(days=1, hours=12)
    astray = await department.fetchval(
        "SELECT count(*) FROM class_students e JOIN attendance_sessions s USING (class_id)"
        " LEFT JOIN attendance_statuses m ON (m.class_id, m.session_id, m.student_id)"
        "   = (e.class_id, s.id, e.student_id)"
        " WHERE CASE WHEN e.periods @> s.session_date"
        "            THEN m.status IS NULL AND s.status = 'finalised'"
        "            ELSE m.status IS NOT NULL END"
    )
    assert astray == 0


async def test_leave_is_asked_for_and_decided_in_every_way(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "meera") as meera:
        owners = {c["id"]: c["teacherId"] for c in (await meera.get("/classes")).json()}
        leaves = (await meera.get("/leaves")).json()
        by = {(leave["kind"], leave["status"]): leave for leave in leaves}
        assert by.keys() == {
            *(("medical", "approved"), ("on_duty", "approved"), ("medical", "withdrawn")),
            *(("other", "rejected"), ("other", "pending")),
        }
        for leave in leaves:
            admins = leave["classId"] is None or leave["status"] == "withdrawn"
            decides = str(meera.user_id) if admins else owners[leave["classId"]]
            if leave["status"] == "pending":
                assert leave["firstDay"] > str(TODAY)
            else:
                assert (leave["decidedBy"], leave["lastDay"] < str(TODAY)) == (decides, True)
        assert by["medical", "approved"]["classId"] is None
        marks = Counter()
        for class_id in owners:
            for session in (await meera.get(f"/attendance/sessions?classId={class_id}")).json():
                marks.update(
                    (leave["kind"], leave["status"], mark["status"], mark["source"])
                    for leave in leaves
                    for mark in session["statuses"]
                    if mark["rollNo"] == leave["rollNo"]
                    and leave["classId"] in (None, class_id)
                    and leave["firstDay"] <= session["sessionDate"] <= leave["lastDay"]
                )
    assert {(kind, status) for kind, status, *_ in marks} == by.keys() - {("other", "pending")}
    for (kind, status, mark, source), count in marks.items():
        if status == "approved":
            assert (mark, source, count > 1) == ("excused", "leave", True), kind
        else:
            assert (mark, source) in (("absent", "manual"), ("absent", "auto")), kind
    # What was withdrawn had been excused for a time.
    excused = "SELECT count(*) FROM superseded_statuses WHERE leave_kind = 'medical'"
    assert await department.fetchval(excused) > 1


async def test_students_come_as_students_do(app: FastAPI, department: asyncpg.Connection) -> None:
    halves = await department.fetch(
        "SELECT avg(came) FILTER (WHERE early) AS first, avg(came) FILTER (WHERE NOT early) AS last"
        " FROM (SELECT m.student_id, (m.status IN ('present', 'late'))::int AS came,"
        "              s.session_date < $1 AS early"
        "       FROM attendance_statuses m JOIN attendance_sessions s ON s.id = m.session_id) marks"
        " GROUP BY student_id",
        FIRST + timedelta(weeks=WEEKS // 2),
    )
    complete = [row for row in halves if row["first"] is not None and row["last"] is not None]
    assert sum(row["first"] > 0.8 and row["last"] < 0.6 for row in complete) >= 2
    assert sum(row["first"] > 0.9 and row["last"] > 0.9 for row in complete) > len(complete) / 2
    async with signed_in(app, department, "asha") as asha:
        for class_ in (await asha.get("/classes?roster=false")).json():
            path = f"/stats/classes/{class_['id']}/students"
            stats = (await asha.get(path)).json()
            below = [s for s in stats if (s["present"] + s["late"]) * 100 < 75 * s["total"]]
            assert 2 <= len(below) <= 16
            held = max(s["total"] for s in stats)
            everybody = (await asha.get(f"{path}?include=withdrawn")).json()
            if (class_["code"], class_["section"]) == ("CS301", "A"):
                totals = {s["rollNo"]: s["total"] for s in everybody}
                assert 0 < totals["23/CS/162"] < held  # joined late
                assert 0 < totals["23/CS/140"] < held  # withdrew
                assert {s["rollNo"] for s in everybody} - {s["rollNo"] for s in stats} == {
                    "23/CS/140"
                }


async def test_marks_are_recognised_called_late_excused_and_corrected(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    (kinds,) = await department.fetch(
        "SELECT count(*) FILTER (WHERE recognized_by_ai AND similarity_score > 70) AS ai,"
        " count(*) FILTER (WHERE recognized_by_ai <> (similarity_score IS NOT NULL)) AS odd,"
        " count(*) FILTER (WHERE status = 'late') AS late,"
        " count(*) FILTER (WHERE recognized_by_ai <> (source = 'ai')"
        "                     OR (source = 'auto' AND status <> 'absent')) AS untrue,"
        " count(*) FILTER (WHERE source = 'auto') AS filled_in,"
        " count(*) FILTER (WHERE status = 'excused' AND source <> 'leave' AND remark IS NULL)"
        "   AS unexplained,"
        " count(*) AS all FROM attendance_statuses"
    )
    assert kinds["ai"] > kinds["all"] / 3
    assert kinds["odd"] == kinds["untrue"] == kinds["unexplained"] == 0
    assert kinds["late"] > 100
    assert kinds["filled_in"] > 50
    corrected = await department.fetch(
        "SELECT DISTINCT id, teacher_id FROM attendance_sessions s"
        " JOIN attendance_batches b ON b.session_id = s.id AND b.version > 1"
        " JOIN attendance_statuses m ON m.session_id = s.id AND m.version = b.version"
        " WHERE m.source = 'manual'"
    )
    assert 20 < len(corrected) < 70
    by = set()
    async with signed_in(app, department, "meera") as meera:
        for session in corrected:
            changes = (await meera.get(f"/attendance/sessions/{session['id']}/history")).json()
            by |= {change["changedByName"] for change in changes if change["from"]}
    assert {"Asha Demo", "Meera Demo"} < by


async def test_everything_is_dated_when_it_happened(department: asyncpg.Connection) -> None:
    """Nothing bears the time of loading but the sign-ins and the moves told of today."""
    (eve,) = await department.fetchrow("SELECT min(created_at) FROM users")
    assert await department.fetchval(
        "SELECT bool_and((c.created_at AT TIME ZONE $1)::date = t.first_day - 3)"
        " FROM classes c JOIN terms t ON t.id = c.term_id",
        str(ZONE),
    )
    for table, column in {
        "users": "created_at",
        "allowed_emails": "created_at",
        "allowed_emails ": "updated_at",
        "classes": "created_at",
        "classes ": "updated_at",
        "students": "created_at",
        "class_students": "added_at",
        "attendance_sessions": "created_at",
        "attendance_batches": "made_at",
        "attendance_statuses": "marked_at",
        "superseded_statuses": "marked_at",
        "audit_log": "at",
        "session_events": "at",
        "leaves": "created_at",
        "leaves ": "decided_at",
        "mark_questions": "asked_at",
        "student_accounts ": "last_login_at",
        "terms": "created_at",
        "holidays": "created_at",
        "class_teachers": "created_at",
    }.items():
        first, last = await department.fetchrow(f"SELECT min({column}), max({column}) FROM {table}")
        assert eve <= first <= last < NOW, table
    untrue = await department.fetchval(
        "SELECT count(*) FROM attendance_sessions s"
        " JOIN attendance_batches b ON b.session_id = s.id"
        " LEFT JOIN attendance_batches before"
        "   ON before.session_id = s.id AND before.version = b.version - 1"
        " WHERE s.created_at NOT BETWEEN ((s.session_date + s.start_time) AT TIME ZONE $1)"
        "                            AND ((s.session_date + s.end_time) AT TIME ZONE $1)"
        "    OR b.made_at <= coalesce(before.made_at, s.created_at)",
        str(ZONE),
    )
    assert untrue == 0
    (apart,) = await department.fetchrow(
        "SELECT count(*) FROM (TABLE attendance_statuses) m"
        " JOIN attendance_batches b USING (class_id, session_id, version)"
        " WHERE m.marked_at <> b.made_at"
    )
    assert apart == 0


async def test_the_tour_marks_in_the_first_class_of_asha(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    async with signed_in(app, department, "asha") as asha:
        class_id = (await asha.get("/classes?roster=false")).json()[0]["id"]
        body = {"classId": class_id, "sessionDate": str(datetime.now(ZONE).date())}
        opened = (await asha.post("/attendance/sessions", body)).json()
        assert opened["created"]
        updates = [{"rollNo": f"23/CS/{number}", "status": "present"} for number in (107, 108)]
        path = f"/attendance/sessions/{opened['sessionId']}/statuses"
        answer = (await asha.put(path, {"updates": updates})).json()
        assert (answer["version"], answer["rejected"]) == (1, [])


async def test_it_is_the_same_every_time(
    department: asyncpg.Connection, own: asyncpg.Connection, own_database_url: str
) -> None:
    await load(own_database_url)
    await own.execute(f"SET TIME ZONE '{ZONE}'")
    assert await own.fetchval(DIGEST) == await department.fetchval(DIGEST)
