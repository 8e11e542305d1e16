"""Compare the totals of a class in AIMS and in another system, after an import."""

import json
from collections import Counter
from uuid import UUID

from app.db import Transaction
from app.reconciliation import Difference, Part
from app.schemas.words import roll_key
from app.services.imports.attendance_import import Written
from app.services.imports.conditions import Conditions
from app.sql import Statement

_TOTALS = Statement(
    """
counts AS (
    SELECT status, count(*) AS marks FROM attendance_statuses
    WHERE class_id = :class_id AND session_id = ANY(:session_ids::uuid[])
    GROUP BY status
)""",
    """
SELECT (SELECT count(*) FROM attendance_sessions
        WHERE class_id = :class_id AND id = ANY(:session_ids)) AS sessions,
       (SELECT coalesce(json_object_agg(status, marks), '{}') FROM counts) AS marks
""",
)

# Marks in these sessions that the source does not have.
_ONLY_HERE = Statement(
    """
given AS MATERIALIZED (
    SELECT session_id, s.id AS student_id
    FROM unnest(:sessions::uuid[], :roll_keys::text[]) AS g(session_id, roll_key)
    JOIN students s USING (roll_key)
),
others AS (
    SELECT m.status, CASE
        WHEN m.source = 'leave' THEN 'excused_by_leave'
        WHEN starts_with(b.request_id, :source || '-') THEN 'no_longer_exported'
        ELSE 'only_in_aims'
    END AS reason
    FROM attendance_statuses m
    LEFT JOIN attendance_batches b USING (class_id, session_id, version)
    WHERE m.class_id = :class_id AND m.session_id = ANY(:session_ids::uuid[])
      AND (m.session_id, m.student_id) NOT IN (SELECT session_id, student_id FROM given)
),
counts AS (SELECT reason, status, count(*) AS marks FROM others GROUP BY reason, status)""",
    """
SELECT coalesce(json_agg(json_build_array(reason, status, marks)), '[]') AS counts FROM counts
""",
)


async def compare(
    tx: Transaction, class_id: UUID, part: Part, written: Written, conditions: Conditions
) -> None:
    """Count what AIMS now has in the sessions of the part, and record why it has more."""
    totals, sessions = part.totals, written.sessions
    totals.class_id = class_id
    ids = list(set(sessions.values()))
    counts = await tx.row(_TOTALS, class_id=class_id, session_ids=ids)
    totals.stored_sessions = counts["sessions"]
    totals.stored = Counter(json.loads(counts["marks"]))
    if written.excused:
        absent, excused = Counter(absent=written.excused), Counter(excused=written.excused)
        totals.differences.append(Difference("excused_by_leave", absent, excused))
    if totals.agrees:
        return
    marks = [mark for mark in part.batch.marks if mark.session in sessions]
    row = await tx.row(
        _ONLY_HERE,
        class_id=class_id,
        session_ids=ids,
        sessions=[sessions[mark.session] for mark in marks],
        roll_keys=[roll_key(mark.roll_no) for mark in marks],
        source=conditions.source,
    )
    for reason, status, number in json.loads(row["counts"]):
        totals.differences.append(Difference(reason, more=Counter({status: number})))
