"""The sessions of a class of an export and their marks, as they are written, and its totals."""

import json
from collections import Counter
from uuid import UUID, uuid5

from app.db import Transaction
from app.reconciliation import ClassOutcome, Difference, LeftOut, Outcome, status_of
from app.schemas.firestore import ClassRecord, SessionRecord
from app.services.access import Actor
from app.services.audit import RECORD
from app.services.imports.chunks import chunks
from app.services.imports.firestore_class import Stored
from app.services.leave.leave_marks import apply_to_sessions
from app.services.sessions.mark_changes import WRITE_MANY

# Ids of requests begin so; by it an import knows the marks that an earlier one made.
REQUEST = "firestore-"

# So many marks are written by one statement, whole sessions at a time.
CHUNK = 5_000

# $1 class, $2 who opens, from $3 on ids, days, starts, ends and images. A session that is there
# is the one of that id, else of the day and start.
_SESSIONS = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($3::uuid[], $4::date[], $5::time[], $6::time[], $7::text[])
        WITH ORDINALITY AS g(id, day, start, ends, image, place)
),
known AS MATERIALIZED (
    SELECT g.place, g.image, coalesce(same.id, other.id) AS id
    FROM given g
    LEFT JOIN attendance_sessions same ON same.class_id = $1 AND same.id = g.id
    LEFT JOIN attendance_sessions other
        ON other.class_id = $1 AND other.session_date = g.day
       AND other.start_time IS NOT DISTINCT FROM g.start
    WHERE coalesce(same.id, other.id) IS NOT NULL
),
made AS (
    INSERT INTO attendance_sessions (
        class_id, id, session_date, start_time, end_time, teacher_id, processed_image_url)
    SELECT $1, id, day, start, ends, $2, image FROM given
    WHERE place NOT IN (SELECT place FROM known)
    ORDER BY id
    RETURNING id
),
pictured AS (
    UPDATE attendance_sessions s SET processed_image_url = known.image FROM known
    WHERE s.class_id = $1 AND s.id = known.id
      AND s.processed_image_url IS NULL AND known.image IS NOT NULL
    RETURNING s.id
)
SELECT (SELECT array_agg(coalesce(known.id, given.id) ORDER BY place)
        FROM given LEFT JOIN known USING (place)) AS ids,
       (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM pictured) AS pictured
"""

# $1 class, $2 actor, $3 request, $4 sessions, $5 to $7 their marks: session, student, word of the
# mapping.
# A mark is changed only if an import of Firestore has made it and nobody has touched it since.
_MARKS = f"""
WITH act AS (SELECT $2::uuid AS actor_id, $3::text AS request_id, NULL::text AS reason),
given AS MATERIALIZED (
    SELECT session_id, student_id,
           CASE word WHEN 'on_duty' THEN 'excused' ELSE word END AS status,
           CASE word WHEN 'on_duty' THEN 'on_duty' END AS kind
    FROM unnest($5::uuid[], $6::uuid[], $7::text[]) AS g(session_id, student_id, word)
),
stored AS MATERIALIZED (
    SELECT m.*, starts_with(b.request_id, '{REQUEST}') AS imported
    FROM attendance_statuses m
    LEFT JOIN attendance_batches b USING (class_id, session_id, version)
    WHERE m.class_id = $1 AND m.session_id = ANY($4::uuid[])
),
judged AS MATERIALIZED (
    SELECT g.*, m.status AS old, CASE
        WHEN m.status = g.status
             AND (m.source <> 'import' OR m.leave_kind IS NOT DISTINCT FROM g.kind)
        THEN 'unchanged'
        WHEN m.source = 'leave' AND m.beneath ->> 'status' = g.status THEN 'excused_by_leave'
        WHEN s.status <> 'open' THEN 'session_closed'
        WHEN m.status IS NULL THEN 'made'
        WHEN m.source = 'import' AND m.imported THEN 'changed'
        ELSE 'changed_in_aims'
    END AS verdict
    FROM given g
    JOIN attendance_sessions s ON s.class_id = $1 AND s.id = g.session_id
    LEFT JOIN stored m USING (session_id, student_id)
),
extra AS (
    SELECT m.status AS old,
           CASE WHEN m.source = 'leave' THEN 'excused_by_leave'
                WHEN m.imported THEN 'no_longer_exported' ELSE 'only_in_aims' END AS verdict
    FROM stored m LEFT JOIN given g USING (session_id, student_id)
    WHERE g.session_id IS NULL
),
changes AS MATERIALIZED (
    SELECT $1::uuid AS class_id, session_id, student_id, status, false AS recognized_by_ai,
           NULL::numeric AS similarity_score, NULL::text AS remark, 'import' AS source,
           NULL::uuid AS leave_id, kind AS leave_kind, NULL::jsonb AS beneath
    FROM judged WHERE verdict IN ('made', 'changed')
),
{WRITE_MANY}
SELECT coalesce(json_agg(json_build_array(verdict, status, old, marks)), '[]') AS verdicts
FROM (
    SELECT verdict, status, old, count(*) AS marks FROM judged GROUP BY verdict, status, old
    UNION ALL
    SELECT verdict, NULL, old, count(*) FROM extra GROUP BY verdict, old
) counts
"""

_TOTALS = """
SELECT (SELECT count(*) FROM attendance_sessions WHERE class_id = $1 AND id = ANY($2::uuid[]))
           AS sessions,
       coalesce((
           SELECT json_object_agg(status, marks) FROM (
               SELECT status, count(*) AS marks FROM attendance_statuses
               WHERE class_id = $1 AND session_id = ANY($2::uuid[]) GROUP BY status) counts
       ), '{}') AS marks
"""

_RECORD = f"{RECORD} SELECT $1, $2, 'class_imported', 'class', $3, $4::text::jsonb"


async def write(
    tx: Transaction,
    actor: Actor,
    record: ClassRecord,
    stored: Stored,
    people: dict[str, UUID],
    done: Outcome,
    totals: ClassOutcome,
) -> None:
    """Write the sessions and marks of the class, which is held, and count both sides.

    `people` are the ids of the students by the keys of their roll numbers.
    """
    sessions = await _write_sessions(tx, record, stored, done, totals)
    author = (stored.class_id, actor.user_id, actor.request_id)
    for chunk in chunks(sessions, lambda item: len(item[1].marks), CHUNK):
        row = await tx.row(
            _MARKS,
            *author,
            [session_id for session_id, _ in chunk],
            [session_id for session_id, session in chunk for _ in session.marks],
            [people[key] for _, session in chunk for key in session.marks],
            [word for _, session in chunk for word in session.marks.values()],
        )
        _tell(record, json.loads(row["verdicts"]), done, totals)
    ids = [session_id for session_id, _ in sessions]
    absent, unmarked = await apply_to_sessions(tx, actor, ids)
    if absent or unmarked:
        excused = Counter({"excused": absent + unmarked})
        less = Counter({"absent": absent})
        totals.differences.append(Difference("excused_by_leave", less, more=excused))
    counts = await tx.row(_TOTALS, stored.class_id, ids)
    totals.stored_sessions = counts["sessions"]
    totals.stored = Counter(json.loads(counts["marks"]))
    written = {name: done.made[name] for name in ("attendance_sessions", "attendance_statuses")}
    if any(written.values()):
        details = json.dumps(
            {"sessions": written["attendance_sessions"], "marks": written["attendance_statuses"]}
        )
        await tx.find_row(_RECORD, actor.user_id, actor.request_id, stored.class_id, details)


async def _write_sessions(
    tx: Transaction, record: ClassRecord, stored: Stored, done: Outcome, totals: ClassOutcome
) -> list[tuple[UUID, SessionRecord]]:
    """The sessions with their ids in AIMS, each once."""
    keys = _keys(record.sessions)
    row = await tx.row(
        _SESSIONS,
        stored.class_id,
        stored.teacher_id,
        [uuid5(stored.class_id, key) for key in keys],
        [session.day for session in record.sessions],
        [session.start for session in record.sessions],
        [session.end for session in record.sessions],
        [session.image for session in record.sessions],
    )
    found: dict[UUID, SessionRecord] = {}
    for session_id, session in zip(row["ids"] or (), record.sessions, strict=True):
        if found.setdefault(session_id, session) is not session:
            lost = Counter(map(status_of, session.marks.values()))
            done.left_out.append(
                LeftOut(session.path, "session", "session_repeated", marks=lost.total())
            )
            totals.differences.append(Difference("session_repeated", lost, sessions=1))
    done.made["attendance_sessions"] += row["made"]
    done.changed["attendance_sessions"] += row["pictured"]
    done.unchanged["attendance_sessions"] += len(found) - row["made"] - row["pictured"]
    return list(found.items())


def _keys(sessions: list[SessionRecord]) -> list[str]:
    """What the ids follow from: the path, with the start where documents share path and day."""
    keys: dict[str, None] = {}
    for session in sessions:
        key = f"{session.path}\n{session.day}"
        keys[f"{key} {session.start}" if key in keys else key] = None
    return list(keys)


def _tell(
    record: ClassRecord,
    verdicts: list[tuple[str, str | None, str | None, int]],
    done: Outcome,
    totals: ClassOutcome,
) -> None:
    """Count what became of marks; each that AIMS has otherwise is a difference with a reason."""
    for verdict, status, old, marks in verdicts:
        if verdict in ("made", "changed", "unchanged"):
            getattr(done, verdict)["attendance_statuses"] += marks
            continue
        less, more = (Counter({one: marks}) if one else Counter() for one in (status, old))
        totals.differences.append(Difference(verdict, less, more))
        if status is not None:
            done.left_out.append(LeftOut(record.path, "mark", verdict, count=marks))
