"""Add the students and enrolments of a source where AIMS has nothing yet."""

import json
from uuid import UUID

from app.batch import StudentRow
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.schemas.roster import STUDENT_FIELDS, RosterEntry
from app.schemas.words import is_blank
from app.services.access import Actor
from app.services.audit import RECORDED, signed
from app.services.imports.outcomes import Outcomes, Table
from app.sql import Statement

_KNOWN = Statement(
    "SELECT array_agg(roll_key) AS keys FROM students WHERE roll_key = ANY(:roll_keys::text[])"
)

# Students and class are locked. An existing enrolment is kept as it is, ended or not. A new one
# that has already ended lasts until yesterday at most.
_ADD = Statement(
    """
given AS MATERIALIZED (
    SELECT g.*, s.id AS student_id, to_jsonb(s) AS stored, e.periods
    FROM json_to_recordset(:students::json) AS g(
        place integer, roll_key text, fields jsonb, first_day date, last_day date)
    JOIN students s USING (roll_key)
    LEFT JOIN class_students e ON e.class_id = :class_id AND e.student_id = s.id
),
differing AS MATERIALIZED (
    SELECT place, student_id, key, value, coalesce(stored ->> key, '') = '' AS empty
    FROM given CROSS JOIN LATERAL jsonb_each_text(fields)
    WHERE value IS DISTINCT FROM stored ->> key
),
missing AS (
    SELECT place, student_id, jsonb_object_agg(key, value) AS fields
    FROM differing WHERE empty GROUP BY place, student_id
),
filled AS (
    UPDATE students s
    SET (name, photo_url, program, sp_code, semester, status, duration, email, dtu_email, phone) =
        (SELECT r.name, r.photo_url, r.program, r.sp_code, r.semester, r.status, r.duration,
                r.email, r.dtu_email, r.phone
         FROM jsonb_populate_record(s, m.fields) r)
    FROM missing m WHERE s.id = m.student_id
    RETURNING m.place
),
enrolled AS (
    INSERT INTO class_students (class_id, student_id, periods)
    SELECT :class_id, student_id, CASE
        WHEN last_day IS NULL
        THEN datemultirange(daterange(coalesce(first_day, current_date), NULL))
        WHEN first_day < current_date
        THEN datemultirange(daterange(first_day, least(last_day, current_date - 1), '[]'))
        ELSE '{}' END
    FROM given WHERE periods IS NULL
    ORDER BY student_id
    RETURNING student_id, periods
),
events AS (
    INSERT INTO enrolment_events (
        class_id, student_id, recorded_for, periods, actor_id, request_id)
    SELECT :class_id, student_id, student_id, periods, :actor_id::uuid, :request_id::text
    FROM enrolled
),
acts AS (
    SELECT 'student_enrolled' AS action, 'student' AS subject, student_id AS subject_id,
           jsonb_build_object('classId', :class_id::uuid, 'firstDay', enrolled_from(periods),
                              'lastDay', upper(periods) - 1) AS details
    FROM enrolled
)""",
    RECORDED,
    """
SELECT (SELECT array_agg(place) FROM filled) AS filled,
       (SELECT array_agg(place) FROM given WHERE periods IS NULL) AS enrolled,
       (SELECT array_agg(place) FROM given WHERE last_day IS NULL AND NOT on_roster(periods))
           AS withdrawn,
       (SELECT array_agg(place) FROM differing WHERE NOT empty) AS kept,
       (SELECT array_agg(key) FROM differing WHERE NOT empty) AS fields
""",
)


async def known_keys(tx: Transaction, roll_keys: dict[str, RosterEntry]) -> set[str]:
    """Those of the roll keys that belong to existing students."""
    return set((await tx.row(_KNOWN, roll_keys=list(roll_keys)))["keys"] or ())


async def add_missing(
    tx: Transaction,
    actor: Actor,
    class_id: UUID,
    rows: dict[str, StudentRow],
    known: set[str],
    report: Outcomes,
) -> None:
    """Fill empty fields of the students, who are locked, and enrol those never in the class before.

    `rows` are by roll key; `known` are the keys of students who existed before the import.
    """
    students = [
        {
            "place": place,
            "roll_key": key,
            "fields": _fields(row.entry),
            "first_day": str(row.entry.from_) if row.entry.from_ else None,
            "last_day": str(row.last_day) if row.last_day else None,
        }
        for place, (key, row) in enumerate(rows.items())
    ]
    done = await tx.row(_ADD, students=json.dumps(students), class_id=class_id, **signed(actor))
    filled, enrolled = set(done["filled"] or ()), set(done["enrolled"] or ())
    for place, (key, row) in enumerate(rows.items()):
        existing = RowOutcome.CHANGED if place in filled else RowOutcome.UNCHANGED
        report.note(Table.STUDENTS, row.row, existing if key in known else RowOutcome.CREATED)
        entry = RowOutcome.CREATED if place in enrolled else RowOutcome.UNCHANGED
        report.note(Table.ENROLMENTS, row.row, entry)
    listed = list(rows.values())
    for place, field in zip(done["kept"] or (), done["fields"] or (), strict=True):
        report.keep(Table.STUDENTS, listed[place].row, "value_differs", field)
    for place in done["withdrawn"] or ():
        report.keep(Table.ENROLMENTS, listed[place].row, "withdrawn_in_aims")


def _fields(entry: RosterEntry) -> dict[str, str]:
    given = {field: getattr(entry, field) for field in STUDENT_FIELDS}
    return {field: value for field, value in given.items() if not is_blank(value)}
