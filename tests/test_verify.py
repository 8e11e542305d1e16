"""`aims verify`: sound data passes, and whatever is changed behind the back of AIMS is named.

That it finds nothing after any history of marks, leave, rosters and merges is part of
`test_history.py`, `test_leave_histories.py` and `test_merge.py`.
"""

import asyncio

import asyncpg
import pytest

from app.db import open_database
from app.services.verifying import verify
from tests.command_line import Aims
from tests.conftest import ZONE
from tests.soundness import department, department_name, digest_of, disagreements

__all__ = ["department", "department_name"]  # fixtures, used by their names

# In the order of the checks: SQL that does harm, what fails for it, and how the place is told.
# `a_mark` is a mark that was never changed, `a_past` one that was replaced.
A_MARK = """
(SELECT m.* FROM attendance_statuses m
 WHERE leave_id IS NULL AND status = 'present' AND version = 1 AND NOT EXISTS (
     SELECT FROM superseded_statuses o
     WHERE o.session_id = m.session_id AND o.student_id = m.student_id)
 ORDER BY session_id, student_id LIMIT 1) a_mark"""
A_PAST = """
(SELECT o.* FROM superseded_statuses o
 JOIN attendance_statuses m USING (class_id, session_id, student_id)
 WHERE o.status IS NOT NULL ORDER BY session_id, student_id, o.version LIMIT 1) a_past"""
OF_MARK = "m.session_id = a_mark.session_id AND m.student_id = a_mark.student_id"
NOBODY = "gen_random_uuid()"
HARM = [
    (
        "UPDATE students SET roll_key = 'x' WHERE id = (SELECT min(id::text) FROM students)::uuid",
        verify.ROLL_KEYS,
        "student {id}: the key is not that of the roll number",
    ),
    (
        f"DELETE FROM class_students m USING {A_MARK}"
        " WHERE m.class_id = a_mark.class_id AND m.student_id = a_mark.student_id",
        "Every mark, present or past, is of a student",
        "student {id}: the student is not enrolled in the class",
    ),
    (
        f"DELETE FROM attendance_sessions m USING {A_MARK} WHERE m.id = a_mark.session_id",
        "Every mark, present or past, is of a student",
        "student {id}: the class has no such session",
    ),
    (
        f"UPDATE attendance_statuses m SET marked_by = {NOBODY} FROM {A_MARK} WHERE {OF_MARK}",
        "What has no foreign key names",
        "student {id}: the mark is by a user who is gone",
    ),
    (
        "DELETE FROM leaves l WHERE EXISTS (SELECT FROM attendance_statuses WHERE leave_id = l.id)",
        "What has no foreign key names",
        "the mark is excused by leave that is gone",
    ),
    (
        f"UPDATE attendance_sessions m SET version = m.version + 1 FROM {A_MARK}"
        " WHERE m.id = a_mark.session_id",
        "The requests that changed a session's marks made its versions",
        "the session is at version",
    ),
    (
        "DELETE FROM attendance_batches WHERE version = 2",
        "Every mark was made by a request on record",
        "no request on record made version 2",
    ),
    (
        f"UPDATE attendance_batches m SET actor_id = (SELECT id FROM users WHERE id <> m.actor_id"
        f" LIMIT 1) FROM {A_MARK} WHERE m.session_id = a_mark.session_id",
        "Every mark was made by a request on record",
        "version 1 is by somebody else than its request",
    ),
    (
        f"DELETE FROM attendance_statuses m USING {A_MARK} WHERE m.session_id = a_mark.session_id",
        "Every mark was made by a request on record",
        "the marks of version ",
    ),
    (
        f"DELETE FROM attendance_statuses m USING {A_PAST}"
        " WHERE m.session_id = a_past.session_id AND m.student_id = a_past.student_id",
        "The history of each mark leads to the mark that is there",
        ", there is no mark",
    ),
    (
        f"UPDATE attendance_statuses m SET version = 0 FROM {A_PAST}"
        " WHERE m.session_id = a_past.session_id AND m.student_id = a_past.student_id",
        "The history of each mark leads to the mark that is there",
        "the present one 0",
    ),
    (
        f"UPDATE attendance_sessions m SET status = 'cancelled' FROM {A_MARK}"
        " WHERE m.id = a_mark.session_id",
        "The history of each session and enrolment leads",
        "the session is cancelled",
    ),
    (
        f"UPDATE class_students m SET periods = '{{}}' FROM {A_MARK}"
        " WHERE m.class_id = a_mark.class_id AND m.student_id = a_mark.student_id",
        "The history of each session and enrolment leads",
        "student {id}: the history ends with the days",
    ),
    (
        "UPDATE policy SET threshold = 6000",
        "The history of the rules leads to those in force",
        "the history ends with",
    ),
    (
        "UPDATE leaves SET status = 'withdrawn' WHERE status = 'approved'",
        "Approved leave excuses the absences that it covers",
        "excused by leave that is not approved for it",
    ),
    (
        "UPDATE attendance_statuses SET status = 'absent', source = 'manual', leave_id = NULL,"
        " leave_kind = NULL, said_status = NULL, said_score = NULL, said_remark = NULL,"
        " said_source = NULL WHERE leave_id IS NOT NULL",
        "Approved leave excuses the absences that it covers",
        "absent, in spite of approved leave",
    ),
    (
        "DELETE FROM attendance_statuses WHERE leave_id IS NOT NULL",
        "Approved leave excuses the absences that it covers",
        "no mark, in spite of approved leave",
    ),
    (
        "CREATE OR REPLACE FUNCTION attendance_attended(p policy, k attendance_counts,"
        " on_duty bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 100 * k.present $$",
        "The numbers of each student in each class equal a recount",
        "attended is ",
    ),
    (
        "CREATE OR REPLACE VIEW v_session_counts AS SELECT class_id, session_id, late AS present,"
        " absent, late, excused, on_duty, total, attended, counted, counts"
        " FROM (SELECT s.class_id, s.id AS session_id, count(m.*) AS absent,"
        " 0::bigint AS late, 0::bigint AS excused, 0::bigint AS on_duty,"
        " 0::bigint AS total, 0::bigint AS attended, 0::bigint AS counted,"
        " attendance_no_counts() AS counts FROM attendance_sessions s LEFT JOIN LATERAL (SELECT *"
        " FROM attendance_statuses WHERE session_id = s.id) m ON true GROUP BY 1, 2) n",
        "The numbers of each session equal a recount",
        "total is 0, recounted",
    ),
]


def do(aims: Aims, harm: str) -> None:
    """Do the harm, which foreign keys would prevent in part."""

    async def work() -> None:
        connection = await asyncpg.connect(aims.database_url)
        await connection.execute(f"SET session_replication_role = replica; {harm}")
        await connection.close()

    asyncio.run(work())


def test_a_department_agrees_with_itself(department: Aims) -> None:
    said = department.must("verify").splitlines()
    assert said[-1] == "Everything agrees."
    assert len(said) == len(verify.CHECKS) + 3
    assert all(line.startswith("ok    ") for line in said[:-1])


def test_an_installation_without_any_class_agrees_with_itself(aims: Aims) -> None:
    assert "Everything agrees." in aims.must("verify")


@pytest.mark.parametrize(("harm", "failed", "told"), HARM)
def test_harm_is_named_with_its_place(department: Aims, harm: str, failed: str, told: str) -> None:
    do(department, harm)
    code, said, _ = department.run("verify")
    assert code == 1
    at = said.find(f"WRONG {failed}")
    assert at >= 0, said
    places = said[at:].split("\nok")[0].split("\nWRONG")[0]
    head, _, tail = told.partition("{id}")
    assert head in places, said
    assert tail in places, said
    assert "checks failed." in said.splitlines()[-1]


def test_a_list_of_places_is_short_and_says_how_many_more(department: Aims) -> None:
    do(department, "UPDATE attendance_sessions SET version = version + 1")
    ((sessions,),) = department.rows("SELECT count(*) FROM attendance_sessions")
    said = department.run("verify")[1]
    assert said.count("the session is at version") == verify.MOST_TOLD
    assert f"- and {int(sessions) - verify.MOST_TOLD:,} more" in said


def test_nobody_is_named(department: Aims) -> None:
    do(department, "DELETE FROM class_students")
    said = department.run("verify")[1]
    for roll_no, name in department.rows("SELECT roll_no, name FROM students"):
        assert roll_no not in said
        assert name not in said


def test_a_schema_of_another_version_is_named_and_nothing_else_is_checked(aims: Aims) -> None:
    aims.must("db downgrade 0016")
    code, said, _ = aims.run("verify")
    assert code == 1
    assert said.startswith("WRONG The database has the schema of this version.\n      - it is at")
    assert said.splitlines()[-1] == "Nothing else was checked: run ./aims db upgrade first."


def test_it_writes_nothing_and_needs_no_more_rights_than_the_server_has(department: Aims) -> None:
    before = digest_of(department.database_url)
    department.set(DATABASE_URL=f"{department.database_url}&role=aims_app")
    department.must("verify")
    assert digest_of(department.database_url) == before


async def sound(url: str) -> list[str]:
    async with open_database(url, ZONE) as db:
        return await disagreements(db)


def test_marks_that_change_meanwhile_are_no_disagreement(department: Aims) -> None:
    """Each statement sees one moment: changes and their history are committed together."""
    change = """
    WITH one AS (SELECT s.id FROM attendance_sessions s WHERE s.version > 0
                 ORDER BY s.version LIMIT 1),
    raised AS (UPDATE attendance_sessions s SET version = s.version + 1 FROM one
               WHERE s.id = one.id RETURNING s.*),
    batch AS (INSERT INTO attendance_batches (class_id, session_id, version, request_id, actor_id)
              SELECT class_id, id, version, 'test', teacher_id FROM raised),
    kept AS (INSERT INTO superseded_statuses (class_id, session_id, student_id, recorded_for,
                 version, status, recognized_by_ai, source, marked_by, marked_at)
             SELECT m.class_id, m.session_id, m.student_id, m.student_id, m.version, m.status,
                    m.recognized_by_ai, m.source, m.marked_by, m.marked_at
             FROM attendance_statuses m JOIN one ON one.id = m.session_id)
    UPDATE attendance_statuses m SET version = r.version, marked_by = r.teacher_id
    FROM raised r WHERE m.session_id = r.id
    """

    async def work() -> list[str]:
        done = asyncio.Event()

        async def keep_changing() -> None:
            connection = await asyncpg.connect(department.database_url)
            while not done.is_set():
                await connection.execute(change)
            await connection.close()

        changing = asyncio.create_task(keep_changing())
        found = await sound(department.database_url)
        done.set()
        await changing
        return found

    assert asyncio.run(work()) == []
