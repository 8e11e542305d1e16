"""Texts about other things that name a student: reasons, remarks, notes, image links, imports."""

import json
import re
from typing import Any

from app.db import Transaction
from app.services.personal.person import ERASED, Person
from app.sql import Statement

# Where people write freely. The student's own is left out: that is exported, or erased, as a whole.
MENTIONS = """
texts AS NOT MATERIALIZED (
    SELECT 'attendance_batches.reason' AS place, reason AS text FROM attendance_batches
    UNION ALL SELECT 'session_events.reason', reason FROM session_events
    UNION ALL SELECT 'attendance_sessions.status_reason', status_reason FROM attendance_sessions
    UNION ALL SELECT 'attendance_sessions.processed_image_url', processed_image_url
    FROM attendance_sessions
    UNION ALL SELECT 'class_reschedules.reason', reason FROM class_reschedules
    UNION ALL SELECT 'leaves.note', note FROM leaves WHERE student_id <> :id::uuid
    UNION ALL SELECT 'mark_questions.text', text FROM mark_questions WHERE student_id <> :id
    UNION ALL SELECT 'mark_questions.answer', answer FROM mark_questions WHERE student_id <> :id
    UNION ALL SELECT 'attendance_statuses.remark', remark FROM attendance_statuses
    WHERE student_id <> :id
    UNION ALL SELECT 'attendance_statuses.said_remark', said_remark FROM attendance_statuses
    WHERE student_id <> :id
    UNION ALL SELECT 'superseded_statuses.remark', remark FROM superseded_statuses
    WHERE student_id <> :id
    UNION ALL SELECT 'superseded_statuses.said_remark', said_remark FROM superseded_statuses
    WHERE student_id <> :id
),
mentions AS MATERIALIZED (SELECT place, text FROM texts WHERE text ~* :pattern)"""

# A statement for each table, since a mark of somebody else may be locked by who is marking.
_REDACT = {
    "attendance_batches": Statement("""
UPDATE attendance_batches SET reason = regexp_replace(reason, :pattern, :erased, 'gi')
WHERE reason ~* :pattern
"""),
    "session_events": Statement("""
UPDATE session_events SET reason = regexp_replace(reason, :pattern, :erased, 'gi')
WHERE reason ~* :pattern
"""),
    "attendance_sessions": Statement("""
UPDATE attendance_sessions
SET status_reason = regexp_replace(status_reason, :pattern, :erased, 'gi'),
    processed_image_url = regexp_replace(processed_image_url, :pattern, :erased, 'gi')
WHERE status_reason ~* :pattern OR processed_image_url ~* :pattern
"""),
    "class_reschedules": Statement("""
UPDATE class_reschedules SET reason = regexp_replace(reason, :pattern, :erased, 'gi')
WHERE reason ~* :pattern
"""),
    "leaves": Statement("""
UPDATE leaves SET note = regexp_replace(note, :pattern, :erased, 'gi') WHERE note ~* :pattern
"""),
    "mark_questions": Statement("""
UPDATE mark_questions SET text = regexp_replace(text, :pattern, :erased, 'gi'),
    answer = regexp_replace(answer, :pattern, :erased, 'gi')
WHERE text ~* :pattern OR answer ~* :pattern
"""),
    "attendance_statuses": Statement("""
UPDATE attendance_statuses SET remark = regexp_replace(remark, :pattern, :erased, 'gi'),
    said_remark = regexp_replace(said_remark, :pattern, :erased, 'gi')
WHERE remark ~* :pattern OR said_remark ~* :pattern
"""),
    "superseded_statuses": Statement("""
UPDATE superseded_statuses SET remark = regexp_replace(remark, :pattern, :erased, 'gi'),
    said_remark = regexp_replace(said_remark, :pattern, :erased, 'gi')
WHERE remark ~* :pattern OR said_remark ~* :pattern
"""),
}

# A file that waits to be imported may name anybody, in a workbook that SQL cannot search. Whoever
# is working on it finds that it is no longer there to be ended, and undoes its work.
_DISCARD_FILES = Statement(
    """
discarded AS (
    UPDATE import_runs
    SET state = 'expired', content = NULL, rows = NULL, claim = NULL,
        finished_at = clock_timestamp()
    WHERE content IS NOT NULL
    RETURNING id
)""",
    "SELECT count(*) AS files FROM discarded",
)

_NEXT_RUN = Statement("""
SELECT id, file_name, detail, options, result, rows FROM import_runs
WHERE (:after::uuid IS NULL OR id > :after)
  AND concat_ws(' ', file_name, detail, options, result, rows) ~* :pattern
ORDER BY id LIMIT 1
""")

_DOCUMENTS = ("options", "result", "rows")

_WRITE_RUN = Statement("""
UPDATE import_runs
SET file_name = :file_name, detail = :detail, options = :options::text::jsonb,
    result = :result::text::jsonb, rows = :rows::text::jsonb
WHERE id = :id
""")

_COUNT = Statement(MENTIONS, "SELECT count(*) AS texts FROM mentions")


async def redact(tx: Transaction, person: Person) -> dict[str, int]:
    """Take the student's values out of all texts; return how many texts and files there were."""
    found = await tx.row(_COUNT, id=person.id, pattern=person.pattern)
    for statement in _REDACT.values():
        await tx.execute(statement, pattern=person.pattern, erased=ERASED)
    files = (await tx.row(_DISCARD_FILES))["files"]
    return {"texts": found["texts"], "imports": await _redact_runs(tx, person), "files": files}


async def _redact_runs(tx: Transaction, person: Person) -> int:
    number, after = 0, None
    while run := await tx.find_row(_NEXT_RUN, after=after, pattern=person.pattern):
        number, after = number + 1, run["id"]
        texts = {name: _without(run[name], person) for name in ("file_name", "detail")}
        documents = {name: _without_json(run[name], person) for name in _DOCUMENTS}
        await tx.execute(_WRITE_RUN, id=run["id"], **texts, **documents)
    return number


def _without(text: str | None, person: Person) -> str | None:
    if not text or not person.values:
        return text
    either = "|".join(map(re.escape, person.values))
    return re.sub(rf"(?<![^\W_])({either})(?![^\W_])", ERASED, text, flags=re.IGNORECASE)


def _without_json(text: str | None, person: Person) -> str | None:
    """Only strings are looked at: a roll number can be a number, and so can a row."""

    def cleared(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: cleared(item) for name, item in value.items()}
        if isinstance(value, list):
            return [cleared(item) for item in value]
        return _without(value, person) if isinstance(value, str) else value

    return text and json.dumps(cleared(json.loads(text)))
