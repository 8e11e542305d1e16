"""Merging two records of one person, with the rosters, marks and history of both.

In the statements, `:this` is the record that is kept and `:other` the one that is removed.
"""

import json
from uuid import UUID

from app.db import Database, Transaction
from app.documents import Document
from app.errors import Conflict, Invalid, Unavailable
from app.schemas.admin import Keep, Merge, Merged
from app.services.access import Actor, require_admin
from app.services.audit import RECORDED, signed
from app.services.sessions.leave_shown import Scope, settle
from app.services.sessions.session_lock import Change, reason_required
from app.services.students.records import missing, student_document
from app.sql import Statement

# Keeps anybody from marking either student meanwhile. Locks follow the order of `services.access`.
_LOCK_CLASSES = Statement(
    """
locked AS (
    SELECT id FROM classes
    WHERE id IN (SELECT class_id FROM class_students WHERE student_id IN (:this, :other))
    ORDER BY id FOR NO KEY UPDATE
)""",
    "SELECT coalesce(array_agg(id), '{}') AS class_ids FROM locked",
)

_LOCK_STUDENTS = Statement(
    """
locked AS (
    SELECT FROM students WHERE id IN (:this, :other) ORDER BY roll_key COLLATE "C" FOR UPDATE
)""",
    "SELECT count(*) AS students FROM locked",
)

_COUNT_CLASSES = Statement("""
SELECT count(DISTINCT class_id) AS classes FROM class_students
WHERE student_id IN (:this, :other)
""")

# Marks of the other record in sessions that are closed for marking.
_CLOSED = Statement("""
SELECT EXISTS (
    SELECT FROM attendance_statuses m
    JOIN attendance_sessions s ON s.class_id = m.class_id AND s.id = m.session_id
    WHERE m.student_id = :other
      AND (s.status = 'finalised' OR s.session_date < current_date - :window::integer)
) AS closed
""")

# The sessions in which both have a mark and a different one was entered for the other. Leave is
# ignored here: it is applied again after the merge. `silent`: no mark was entered for this record.
_DIFFERING = """
said AS MATERIALIZED (
    SELECT m.class_id, m.session_id, m.student_id, n.*
    FROM attendance_statuses m CROSS JOIN LATERAL (
        SELECT m.status, m.recognized_by_ai, m.similarity_score, m.remark, m.leave_kind, m.source
        WHERE m.leave_id IS NULL
        UNION ALL
        SELECT m.said_status, false, m.said_score, m.said_remark, NULL, m.said_source
        WHERE m.leave_id IS NOT NULL
    ) n
    WHERE m.student_id IN (:this, :other)
),
differing AS MATERIALIZED (
    SELECT this.class_id, this.session_id, s.session_date, s.version, this.status IS NULL AS silent
    FROM said this JOIN said other USING (class_id, session_id)
    JOIN attendance_sessions s ON s.class_id = this.class_id AND s.id = this.session_id
    WHERE this.student_id = :this AND other.student_id = :other AND other.status IS NOT NULL
      AND (this.status, this.recognized_by_ai, this.similarity_score, this.remark, this.leave_kind)
          IS DISTINCT FROM (other.status, other.recognized_by_ai, other.similarity_score,
                            other.remark, other.leave_kind)
)"""

_CLASHES = Statement(
    _DIFFERING,
    """
states AS (
    SELECT m.session_id, m.student_id, json_build_object(
        'status', m.status, 'recognizedByAi', m.recognized_by_ai,
        'similarityScore', m.similarity_score, 'remark', m.remark, 'source', m.source) AS state
    FROM said m
)""",
    """
SELECT count(*) AS number, coalesce(json_agg(json_build_object(
    'sessionId', d.session_id, 'classId', d.class_id, 'sessionDate', d.session_date,
    'this', this.state, 'other', other.state, 'kept', :kept::text
) ORDER BY d.session_date, d.session_id), '[]')::text AS clashes
FROM differing d
JOIN states this ON this.session_id = d.session_id AND this.student_id = :this
JOIN states other ON other.session_id = d.session_id AND other.student_id = :other
WHERE NOT d.silent
""",
)

_ENROL = Statement("""
INSERT INTO class_students AS e (class_id, student_id, added_at, periods)
SELECT class_id, :this, added_at, periods FROM class_students WHERE student_id = :other
ON CONFLICT (class_id, student_id) DO UPDATE
SET periods = e.periods + excluded.periods, added_at = least(e.added_at, excluded.added_at)
""")

# The other record's events keep their past; from now on there is only one record.
_END_EVENTS = Statement("""
INSERT INTO enrolment_events (class_id, student_id, recorded_for, periods, actor_id, request_id)
SELECT class_id, student_id, student_id, CASE student_id WHEN :this THEN periods ELSE '{}' END,
       :actor_id::uuid, :request_id::text
FROM class_students
WHERE student_id IN (:this, :other)
  AND class_id IN (SELECT class_id FROM class_students WHERE student_id = :other)
""")

_MOVE_EVENTS = Statement("UPDATE enrolment_events SET student_id = :this WHERE student_id = :other")

# A session in which the other record has a mark changes, so it gets a new version. Its time is the
# statement's, since the transaction began before the locks it waited for.
_COUNT_VERSIONS = Statement(
    """
counted AS (
    UPDATE attendance_sessions s SET version = s.version + 1
    FROM attendance_statuses m
    WHERE m.student_id = :other AND s.class_id = m.class_id AND s.id = m.session_id
    RETURNING s.class_id, s.id, s.version
),
recorded AS (
    INSERT INTO attendance_batches (
        class_id, session_id, version, actor_id, request_id, made_at, reason)
    SELECT class_id, id, version, :actor_id::uuid, :request_id::text, statement_timestamp(),
           :reason::text
    FROM counted
)""",
    "SELECT count(*) AS marks FROM counted",
)

# Leave may have given this record a mark and removed it again. The other's mark then goes into its
# own history, and starts over in the history of the record that is kept.
_BEGIN_ANEW = Statement(
    """
begun AS MATERIALIZED (
    SELECT other.*, s.version AS next
    FROM attendance_statuses other
    JOIN attendance_sessions s ON s.class_id = other.class_id AND s.id = other.session_id
    WHERE other.student_id = :other
      AND (other.class_id, other.session_id) IN (
          SELECT class_id, session_id FROM superseded_statuses WHERE student_id = :this)
      AND (other.class_id, other.session_id) NOT IN (
          SELECT class_id, session_id FROM attendance_statuses WHERE student_id = :this)
),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
        said_score, said_remark, said_source)
    SELECT class_id, session_id, :this, student_id, version, status, recognized_by_ai,
           similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
           said_score, said_remark, said_source
    FROM begun
)""",
    """
UPDATE attendance_statuses m
SET version = begun.next, marked_by = :actor_id, marked_at = statement_timestamp()
FROM begun
WHERE m.class_id = begun.class_id AND m.session_id = begun.session_id AND m.student_id = :other
""",
)

# Where both were marked, their histories are kept side by side, distinguished by `recorded_for`;
# elsewhere the other's history simply becomes this record's. Entries that the other took over from
# a third record in an earlier merge stay the third's: a single batch may have marked both.
_MOVE_HISTORY = Statement(
    """
shared AS MATERIALIZED (
    SELECT class_id, session_id FROM attendance_statuses WHERE student_id = :this
    UNION
    SELECT class_id, session_id FROM superseded_statuses WHERE student_id = :this
)""",
    """
UPDATE superseded_statuses h
SET student_id = :this,
    recorded_for = CASE
        WHEN h.recorded_for <> :other
          OR (h.class_id, h.session_id) IN (SELECT class_id, session_id FROM shared)
        THEN h.recorded_for ELSE :this END
WHERE h.student_id = :other
""",
)

_TAKE_OTHERS_MARKS = Statement(
    _DIFFERING,
    """
taken AS (SELECT * FROM differing WHERE silent OR :kept::text = 'other'),
superseded AS (
    INSERT INTO superseded_statuses (
        class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
        similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status,
        said_score, said_remark, said_source)
    SELECT m.class_id, m.session_id, m.student_id, m.student_id, m.version, m.status,
           m.recognized_by_ai, m.similarity_score, m.remark, m.source, m.leave_kind, m.marked_by,
           m.marked_at, m.said_status, m.said_score, m.said_remark, m.said_source
    FROM taken JOIN attendance_statuses m USING (class_id, session_id)
    WHERE m.student_id = :this
)""",
    """
UPDATE attendance_statuses m
SET status = o.status, recognized_by_ai = o.recognized_by_ai,
    similarity_score = o.similarity_score, remark = o.remark, source = o.source,
    leave_id = o.leave_id, leave_kind = o.leave_kind, said_status = o.said_status,
    said_score = o.said_score, said_remark = o.said_remark, said_source = o.said_source,
    version = t.version, marked_by = :actor_id, marked_at = statement_timestamp()
FROM taken t JOIN attendance_statuses o USING (class_id, session_id)
WHERE o.student_id = :other AND m.student_id = :this
  AND m.class_id = t.class_id AND m.session_id = t.session_id
""",
)

_RETIRE_OTHERS_MARKS = Statement(
    """
retired AS (
    DELETE FROM attendance_statuses other USING attendance_statuses this
    WHERE other.student_id = :other AND this.student_id = :this
      AND this.class_id = other.class_id AND this.session_id = other.session_id
    RETURNING other.*
)""",
    """
INSERT INTO superseded_statuses (
    class_id, session_id, student_id, recorded_for, version, status, recognized_by_ai,
    similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status, said_score,
    said_remark, said_source)
SELECT class_id, session_id, :this, student_id, version, status, recognized_by_ai,
       similarity_score, remark, source, leave_kind, marked_by, marked_at, said_status, said_score,
       said_remark, said_source
FROM retired
""",
)

_MOVE_LEAVES = Statement("UPDATE leaves SET student_id = :this WHERE student_id = :other")

_MOVE_MARKS = Statement(
    "UPDATE attendance_statuses SET student_id = :this WHERE student_id = :other"
)

# A mark has one open question: where both records have one, the other's is withdrawn.
_MOVE_QUESTIONS = Statement("""
UPDATE mark_questions q
SET student_id = :this, status = CASE WHEN q.status = 'open' AND EXISTS (
        SELECT FROM mark_questions this
        WHERE this.class_id = q.class_id AND this.session_id = q.session_id
          AND this.student_id = :this AND this.status = 'open')
    THEN 'withdrawn' ELSE q.status END
WHERE q.student_id = :other
""")

# One person has one account: that of the record that stays, else the other's, if the record will
# have the address it was made with.
_JOIN_ACCOUNTS = Statement(
    """
fates AS MATERIALIZED (
    SELECT a.id, CASE
        WHEN a.student_id = :this THEN 'kept'
        WHEN EXISTS (SELECT FROM student_accounts WHERE student_id = :this) THEN 'removed'
        WHEN lower(btrim(a.email)) = lower(btrim(coalesce(
            (SELECT nullif(dtu_email, '') FROM students WHERE id = :this),
            (SELECT dtu_email FROM students WHERE id = :other)))) THEN 'moved'
        ELSE 'removed' END AS fate
    FROM student_accounts a WHERE a.student_id IN (:this, :other)
),
moved AS (
    UPDATE student_accounts SET student_id = :this
    WHERE id IN (SELECT id FROM fates WHERE fate = 'moved')
),
removed AS (
    DELETE FROM student_accounts WHERE id IN (SELECT id FROM fates WHERE fate = 'removed')
)""",
    "SELECT array_agg(fate ORDER BY fate) AS accounts FROM fates",
)

_LEAVE_CLASSES = Statement(
    "gone AS (DELETE FROM class_students WHERE student_id = :other RETURNING class_id)",
    "SELECT count(*) AS classes FROM gone",
)

# This record keeps its values and takes those it lacks from the other.
_FILL_AND_REMOVE = Statement(
    "gone AS (DELETE FROM students WHERE id = :other RETURNING *)",
    """
UPDATE students s
SET name = coalesce(nullif(s.name, ''), gone.name),
    photo_url = coalesce(nullif(s.photo_url, ''), gone.photo_url),
    program = coalesce(nullif(s.program, ''), gone.program),
    sp_code = coalesce(nullif(s.sp_code, ''), gone.sp_code),
    semester = coalesce(nullif(s.semester, ''), gone.semester),
    status = coalesce(nullif(s.status, ''), gone.status),
    duration = coalesce(nullif(s.duration, ''), gone.duration),
    email = coalesce(nullif(s.email, ''), gone.email),
    dtu_email = coalesce(nullif(s.dtu_email, ''), gone.dtu_email),
    confirmed_email = CASE
        WHEN lower(btrim(coalesce(nullif(s.dtu_email, ''), gone.dtu_email)))
           = lower(btrim(gone.confirmed_email)) THEN gone.confirmed_email
        ELSE s.confirmed_email END,
    phone = coalesce(nullif(s.phone, ''), gone.phone)
FROM gone WHERE s.id = :this
""",
)

_RECORD = Statement(
    """
acts AS (
    SELECT 'students_merged' AS action, 'student' AS subject, :this::uuid AS subject_id,
           jsonb_strip_nulls(jsonb_build_object(
               'other', :other::uuid, 'accounts', :accounts::text[])) AS details
)""",
    RECORDED,
    "SELECT",
)


async def merge(
    db: Database,
    actor: Actor,
    student_id: UUID,
    wanted: Merge,
    *,
    window: int | None,
    dry_run: bool,
) -> Document[Merged]:
    """Merge the other record into this one, which keeps its roll number and its values.

    Where both have different marks in a session, `wanted.on_clash` says which is kept; without it
    that is a conflict. Marks in sessions that are finalised or older than `window` days move only
    with a reason. `dry_run` returns the same and changes nothing.
    """
    both = {"this": student_id, "other": wanted.other_id}
    # A dry run reports whether a reason is needed, and does not need one itself.
    change = Change(window, wanted.reason or ("dry run" if dry_run else None))
    async with db.transaction(keep=not dry_run) as tx:
        await require_admin(tx, actor)
        if wanted.other_id == student_id:
            raise Invalid("These are already one record.", code="same_student")
        class_ids = await _lock(tx, both)
        found = await tx.row(_CLASHES, **both, kept=wanted.on_clash)
        if found["number"] and wanted.on_clash is None and not dry_run:
            raise _clash(found["number"])
        closed = await tx.row(_CLOSED, other=wanted.other_id, window=window)
        if closed["closed"] and change.reason is None:
            raise reason_required("This moves marks in attendance that is closed")
        marks, classes = await _move(tx, actor, both, class_ids, change, wanted.on_clash)
        student = await student_document(tx, student_id)
    return Document(
        f'{{"student":{student},"classes":{classes},"marks":{marks},'
        f'"needsReason":{json.dumps(closed["closed"])},"clashes":{found["clashes"]}}}'
    )


async def _move(
    tx: Transaction,
    actor: Actor,
    both: dict[str, UUID],
    class_ids: list[UUID],
    change: Change,
    kept: Keep | None,
) -> tuple[int, int]:
    """Move all data of the other record to this one; return how many marks and classes it had."""
    other, author = {"other": both["other"]}, {"actor_id": actor.user_id}
    await tx.execute(_ENROL, **both)
    await tx.execute(_END_EVENTS, **both, **signed(actor))
    await tx.execute(_MOVE_EVENTS, **both)
    moved = await tx.row(_COUNT_VERSIONS, **other, **signed(actor), reason=change.reason)
    await tx.execute(_BEGIN_ANEW, **both, **author)
    await tx.execute(_MOVE_HISTORY, **both)
    await tx.execute(_TAKE_OTHERS_MARKS, **both, **author, kept=kept)
    await tx.execute(_RETIRE_OTHERS_MARKS, **both)
    await tx.execute(_MOVE_MARKS, **both)
    await tx.execute(_MOVE_LEAVES, **both)
    await tx.execute(_MOVE_QUESTIONS, **both)
    left = await tx.row(_LEAVE_CLASSES, **other)
    await settle(tx, actor, Scope(class_ids, student_ids=[both["this"]]), change, role="admin")
    accounts = (await tx.row(_JOIN_ACCOUNTS, **both))["accounts"]
    await tx.execute(_FILL_AND_REMOVE, **both)
    await tx.execute(_RECORD, **both, **signed(actor), accounts=accounts)
    return moved["marks"], left["classes"]


def _clash(sessions: int) -> Conflict:
    text = f"Sessions in which the two have different marks: {sessions}. Decide whose marks stay."
    return Conflict.at("/onClash", "marks_clash", text)


async def _lock(tx: Transaction, both: dict[str, UUID]) -> list[UUID]:
    """Lock both records and all their classes; return the classes. `NotFound` if one is gone."""
    class_ids: list[UUID] = (await tx.row(_LOCK_CLASSES, **both))["class_ids"]
    if (await tx.row(_LOCK_STUDENTS, **both))["students"] < 2:
        raise missing()
    if (await tx.row(_COUNT_CLASSES, **both))["classes"] != len(class_ids):
        raise Unavailable(
            "A roster that includes one of them has just changed. Please try again.", retry_after=1
        )
    return class_ids
