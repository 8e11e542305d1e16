"""Everything that is kept about a student."""

import json
from typing import Any, NamedTuple
from uuid import UUID

from app.db import Database
from app.services.backups import ONE_MOMENT
from app.services.personal.mentions import MENTIONS
from app.services.personal.person import PERSON, person_of
from app.sql import Statement

FORMAT = "aims-student-1"


class Part(NamedTuple):
    """A part of the export: what it is, and the statement that gives it as JSON."""

    about: str
    statement: Statement


PARTS = {
    "student": Part(
        "The record, as it is now.",
        Statement("SELECT to_json(t)::text AS document FROM students t WHERE t.id = :id"),
    ),
    "mergedRecords": Part(
        "Ids of records of the same person that were merged into this one.",
        Statement(
            PERSON,
            "SELECT coalesce(json_agg(id ORDER BY id), '[]')::text AS document "
            "FROM person WHERE id <> :id",
        ),
    ),
    "accounts": Part(
        "The account with which the student signed in: by whom it was issued, its id there, the "
        "address, the first and the last sign-in.",
        Statement(
            "SELECT coalesce(json_agg(t), '[]')::text AS document "
            "FROM student_accounts t WHERE t.student_id = :id"
        ),
    ),
    "classes": Part(
        "The classes, with the days of the enrolment in each.",
        Statement("""
SELECT coalesce(json_agg(json_build_object(
    'class_id', t.class_id, 'code', c.code, 'name', c.name, 'section', c.section,
    'added_at', t.added_at, 'periods', t.periods) ORDER BY c.code, c.section, c.id), '[]')::text
    AS document
FROM class_students t JOIN classes c ON c.id = t.class_id WHERE t.student_id = :id
"""),
    ),
    "enrolmentHistory": Part(
        "What the days of each enrolment were from an instant on, and which user set them.",
        Statement(
            "SELECT coalesce(json_agg(t ORDER BY t.since, t.id), '[]')::text AS document "
            "FROM enrolment_events t WHERE t.student_id = :id"
        ),
    ),
    "marks": Part(
        "The mark in each session, who made it and when. `said_*` is what leave hides.",
        Statement("""
SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object(
    'session_date', s.session_date, 'start_time', s.start_time)
    ORDER BY s.session_date, s.start_time, s.id), '[]')::text AS document
FROM attendance_statuses t
JOIN attendance_sessions s ON s.class_id = t.class_id AND s.id = t.session_id
WHERE t.student_id = :id
"""),
    ),
    "formerMarks": Part(
        "Marks that were replaced, as they were.",
        Statement("""
SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object(
    'session_date', s.session_date, 'start_time', s.start_time)
    ORDER BY s.session_date, s.start_time, s.id, t.version), '[]')::text AS document
FROM superseded_statuses t
JOIN attendance_sessions s ON s.class_id = t.class_id AND s.id = t.session_id
WHERE t.student_id = :id
"""),
    ),
    "leaves": Part(
        "Leave that was asked for, by whom (null: the student), and what became of it. "
        "`sessions` are those it is for, if it is not for all sessions of its days.",
        Statement("""
SELECT coalesce(json_agg(to_jsonb(t) || jsonb_build_object('sessions', ARRAY(
    SELECT session_id FROM leave_sessions ls WHERE ls.leave_id = t.id ORDER BY session_id))
    ORDER BY t.created_at, t.id), '[]')::text AS document
FROM leaves t WHERE t.student_id = :id
"""),
    ),
    "questions": Part(
        "Marks that the student questioned, and the answers.",
        Statement(
            "SELECT coalesce(json_agg(t ORDER BY t.asked_at, t.id), '[]')::text AS document "
            "FROM mark_questions t WHERE t.student_id = :id"
        ),
    ),
    "audit": Part(
        "What was done with the record, its leave and its questions, by which user.",
        Statement(
            PERSON,
            """
subjects AS (
    SELECT id FROM person
    UNION ALL SELECT id FROM leaves WHERE student_id = :id
    UNION ALL SELECT id FROM mark_questions WHERE student_id = :id
)""",
            """
SELECT coalesce(json_agg(t ORDER BY t.at, t.id), '[]')::text AS document
FROM audit_log t
WHERE t.subject_id IN (SELECT id FROM subjects)
   OR t.details ->> 'studentId' IN (SELECT id::text FROM person)
   OR t.details -> 'students' ?| ARRAY(SELECT id::text FROM person)
""",
        ),
    ),
}

# These take the pattern, too.
NAMED = {
    "mentions": Part(
        "Texts about something else that hold the roll number, the whole name, an address, the "
        "phone number or the photo link, with the table and column.",
        Statement(
            MENTIONS,
            "SELECT coalesce(json_agg(m ORDER BY place, text), '[]')::text AS document "
            "FROM mentions m, (SELECT :id::uuid) given",
        ),
    ),
    "imports": Part(
        "Rows of imported files that name the student, of the last 30 days.",
        Statement("""
SELECT coalesce(json_agg(json_build_object(
    'import', r.id, 'at', r.created_at, 'file', r.file_name, 'row', row)), '[]')::text AS document
FROM import_runs r CROSS JOIN LATERAL jsonb_array_elements(r.rows) row
WHERE row::text ~* :pattern AND :id::uuid IS NOT NULL
"""),
    ),
}


async def export(db: Database, student_id: UUID) -> dict[str, Any]:
    """All of it at one moment: each part as JSON, and `about`, which says what it is."""
    async with db.transaction(patient=True) as tx:
        await tx.execute(ONE_MOMENT)
        person = await person_of(tx, student_id)
        found = {name: await tx.row(part.statement, id=student_id) for name, part in PARTS.items()}
        for name, part in NAMED.items():
            found[name] = await tx.row(part.statement, id=student_id, pattern=person.pattern)
    parts = PARTS | NAMED
    return {
        "format": FORMAT,
        "about": {name: part.about for name, part in parts.items()},
        **{name: json.loads(row["document"]) for name, row in found.items()},
    }
