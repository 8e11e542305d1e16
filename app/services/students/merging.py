"""Two records of one person become one, with the rosters, marks and history of both.

In the statements `$1` is the record that stays ("this") and `$2` the one that goes ("other").
"""

from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Invalid, Unavailable
from app.schemas.admin import Keep, Merge, Merged
from app.schemas.roster import STUDENT_FIELDS
from app.services.access import Actor, require_admin
from app.services.audit import RECORD, author
from app.services.sessions.mark_changes import FIELDS, fields_of
from app.services.students.records import missing, student_document

# With these nobody marks either student meanwhile. Locks are in the order of `services.access`.
_LOCK_CLASSES = """
SELECT count(*) AS classes FROM (
    SELECT FROM classes
    WHERE id IN (SELECT class_id FROM class_students WHERE student_id IN ($1, $2))
    ORDER BY id FOR NO KEY UPDATE
) locked
"""

_LOCK_STUDENTS = """
SELECT count(*) AS students FROM (
    SELECT FROM students WHERE id IN ($1, $2) ORDER BY roll_key COLLATE "C" FOR UPDATE
) locked
"""

_CLASSES = """
SELECT count(DISTINCT class_id) AS classes FROM class_students WHERE student_id IN ($1, $2)
"""

_SAID = "({0}.status, {0}.recognized_by_ai, {0}.similarity_score, {0}.remark)"

# The sessions in which both have a mark.
_BOTH = """
    FROM attendance_statuses this
    JOIN attendance_statuses other
        ON other.class_id = this.class_id AND other.session_id = this.session_id
       AND other.student_id = $2
    JOIN attendance_sessions s ON s.class_id = this.class_id AND s.id = this.session_id
    WHERE this.student_id = $1"""
_DIFFERENT = f"{_BOTH} AND {_SAID.format('this')} IS DISTINCT FROM {_SAID.format('other')}"

_STATE = """(SELECT row_to_json(state) FROM (
    SELECT {0}.status, {0}.recognized_by_ai AS "recognizedByAi",
           {0}.similarity_score AS "similarityScore", {0}.remark, {0}.source) state)"""

_CLASHES = f"""
SELECT count(*) AS number, coalesce(json_agg(json_build_object(
    'sessionId', s.id, 'classId', s.class_id, 'sessionDate', s.session_date,
    'this', {_STATE.format("this")}, 'other', {_STATE.format("other")}, 'kept', $3::text
) ORDER BY s.session_date, s.id), '[]')::text AS clashes
{_DIFFERENT}
"""

_ENROL = """
INSERT INTO class_students AS e (class_id, student_id, added_at, periods)
SELECT class_id, $1, added_at, periods FROM class_students WHERE student_id = $2
ON CONFLICT (class_id, student_id) DO UPDATE
SET periods = e.periods + excluded.periods, added_at = least(e.added_at, excluded.added_at)
"""

# A session that loses a mark of the other record changes, so it gets a version of its own. Its
# time is the statement's: the transaction began before the locks it waited for.
_COUNT_VERSIONS = """
WITH counted AS (
    UPDATE attendance_sessions s SET version = s.version + 1
    FROM attendance_statuses m
    WHERE m.student_id = $1 AND s.class_id = m.class_id AND s.id = m.session_id
    RETURNING s.class_id, s.id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (class_id, session_id, version, actor_id, request_id, made_at)
    SELECT class_id, id, version, $2, $3, statement_timestamp() FROM counted
)
SELECT count(*) AS marks FROM counted
"""

_FIELDS = (
    "status, recognized_by_ai, similarity_score, remark, source, leave_kind, marked_by, marked_at"
)


def _has(table: str, mark: str) -> str:
    """SQL for whether the record that stays has rows there for the session of that mark."""
    return f"""EXISTS (
        SELECT FROM {table} this
        WHERE this.class_id = {mark}.class_id AND this.session_id = {mark}.session_id
          AND this.student_id = $1)"""


_MARK, _HISTORY = "attendance_statuses", "superseded_statuses"

# Leave may have given this record a mark and taken it away again. The other's mark then stands
# in its own history, and begins anew in that of the record that stays.
_BEGIN_ANEW = f"""
WITH begun AS MATERIALIZED (
    SELECT other.*, s.version AS next
    FROM attendance_statuses other
    JOIN attendance_sessions s ON s.class_id = other.class_id AND s.id = other.session_id
    WHERE other.student_id = $2 AND {_has(_HISTORY, "other")} AND NOT {_has(_MARK, "other")}
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, {_FIELDS})
    SELECT class_id, session_id, $1, student_id, version, {_FIELDS} FROM begun
)
UPDATE attendance_statuses m
SET version = begun.next, marked_by = $3, marked_at = statement_timestamp()
FROM begun
WHERE m.class_id = begun.class_id AND m.session_id = begun.session_id AND m.student_id = $2
"""

# Where both were marked their histories stand side by side, told apart by `recorded_for`;
# elsewhere the other's simply becomes that of the record that stays. What the other took in
# from a third record stays that one's: a single batch may have marked both.
_MOVE_HISTORY = f"""
UPDATE superseded_statuses h
SET student_id = $1,
    recorded_for = CASE
        WHEN h.recorded_for <> $2 OR {_has(_MARK, "h")} OR {_has(_HISTORY, "h")}
        THEN h.recorded_for ELSE $1 END
WHERE h.student_id = $2
"""

_TAKE_OTHERS_MARKS = f"""
WITH clashing AS MATERIALIZED (
    SELECT this.class_id, this.session_id, s.version, {fields_of("other")}
    {_DIFFERENT}
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, {_FIELDS})
    SELECT this.class_id, this.session_id, $1, $1, this.version,
           {", ".join(f"this.{field}" for field in _FIELDS.split(", "))}
    {_DIFFERENT}
)
UPDATE attendance_statuses m
SET {", ".join(f"{field} = c.{field}" for field in FIELDS)}, version = c.version,
    marked_by = $3, marked_at = statement_timestamp()
FROM clashing c
WHERE m.class_id = c.class_id AND m.session_id = c.session_id AND m.student_id = $1
"""

_RETIRE_OTHERS_MARKS = f"""
WITH retired AS (
    DELETE FROM attendance_statuses other
    WHERE other.student_id = $2 AND {_has(_MARK, "other")}
    RETURNING other.*
)
INSERT INTO superseded_statuses (
    class_id, session_id, student_id, recorded_for, version, {_FIELDS})
SELECT class_id, session_id, $1, student_id, version, {_FIELDS} FROM retired
"""

_MOVE_LEAVES = "UPDATE leaves SET student_id = $1 WHERE student_id = $2"

_MOVE_MARKS = "UPDATE attendance_statuses SET student_id = $1 WHERE student_id = $2"

_LEAVE_CLASSES = """
WITH gone AS (DELETE FROM class_students WHERE student_id = $1 RETURNING class_id)
SELECT count(*) AS classes FROM gone
"""

_FILL_AND_REMOVE = f"""
WITH gone AS (DELETE FROM students WHERE id = $2 RETURNING *)
UPDATE students this
SET {
    ", ".join(
        f"{field} = CASE WHEN coalesce(this.{field}, '') = '' THEN gone.{field}"
        f" ELSE this.{field} END"
        for field in STUDENT_FIELDS
    )
}
FROM gone WHERE this.id = $1
"""

_RECORD = f"""
{RECORD} VALUES ($1, $2, 'students_merged', 'student', $3, jsonb_build_object('other', $4::uuid))
"""


async def merge(
    db: Database, actor: Actor, student_id: UUID, wanted: Merge, *, dry_run: bool
) -> Document[Merged]:
    """Take the other record into this one, which keeps its roll number and its values.

    Where both have a different mark in one session, `wanted.on_clash` says which stays; left
    open that is a conflict. `dry_run` answers the same and changes nothing.
    """
    ids = (student_id, wanted.other_id)
    async with db.transaction(keep=not dry_run) as tx:
        await require_admin(tx, actor)
        if wanted.other_id == student_id:
            raise Invalid("These are one record already.", code="same_student")
        await _lock(tx, *ids)
        found = await tx.row(_CLASHES, *ids, wanted.on_clash)
        if found["number"] and wanted.on_clash is None and not dry_run:
            raise Conflict(
                f"Both records have a mark in {found['number']} sessions. "
                "Decide with onClash which stays; dryRun=true shows them.",
                code="marks_clash",
            )
        await tx.find_row(_ENROL, *ids)
        moved = await tx.row(_COUNT_VERSIONS, wanted.other_id, actor.user_id, actor.request_id)
        await tx.find_row(_BEGIN_ANEW, *ids, actor.user_id)
        await tx.find_row(_MOVE_HISTORY, *ids)
        if wanted.on_clash is Keep.OTHER:
            await tx.find_row(_TAKE_OTHERS_MARKS, *ids, actor.user_id)
        await tx.find_row(_RETIRE_OTHERS_MARKS, *ids)
        await tx.find_row(_MOVE_MARKS, *ids)
        await tx.find_row(_MOVE_LEAVES, *ids)
        left = await tx.row(_LEAVE_CLASSES, wanted.other_id)
        await tx.find_row(_FILL_AND_REMOVE, *ids)
        await tx.find_row(_RECORD, *author(actor), *ids)
        student = await student_document(tx, student_id)
    return Document(
        f'{{"student":{student},"classes":{left["classes"]},"marks":{moved["marks"]},'
        f'"clashes":{found["clashes"]}}}'
    )


async def _lock(tx: Transaction, student_id: UUID, other_id: UUID) -> None:
    """Hold both records and every class of theirs; `NotFound` if one is not there."""
    classes = (await tx.row(_LOCK_CLASSES, student_id, other_id))["classes"]
    if (await tx.row(_LOCK_STUDENTS, student_id, other_id))["students"] < 2:
        raise missing()
    if (await tx.row(_CLASSES, student_id, other_id))["classes"] != classes:
        raise Unavailable(
            "A roster with one of them has just changed. Please try again.", retry_after=1
        )
