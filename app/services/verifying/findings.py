"""What a check is, and how what it finds is told.

The statement of a check ends with the relation `wrong` (class_id, session_id, student_id, what),
a row for each disagreement, and `FOUND`. Ids that do not apply are null. People appear as ids, so
that what is found can be mailed.
"""

from dataclasses import dataclass

from app.sql import Statement

MOST_TOLD = 10

# From `wrong`, how many there are, and a line for each of the first `:most`.
FOUND = """
SELECT (SELECT count(*) FROM wrong) AS wrong, ARRAY(
    SELECT concat_ws(', ', nullif(concat_ws(' ', c.code, c.section), ''),
                     nullif(concat_ws(' ', s.session_date, left(s.start_time::text, 5)), ''),
                     'session ' || w.session_id, 'student ' || w.student_id) || ': ' || w.what
    FROM wrong w
    LEFT JOIN classes c ON c.id = w.class_id
    LEFT JOIN attendance_sessions s ON s.class_id = w.class_id AND s.id = w.session_id
    ORDER BY c.code, c.section, s.session_date, s.start_time, w.session_id, w.student_id, w.what
    LIMIT :most::integer
) AS places
"""


@dataclass(frozen=True)
class Check:
    """`holds` says what is true of sound data; `statement` finds where it is not.

    The statement takes `:class_ids`, some of the classes, or with `at_once` looks at all data.
    """

    holds: str
    statement: Statement
    at_once: bool = False
