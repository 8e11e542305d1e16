"""The statistics of the institution, for administrators: all classes that are not archived."""

from datetime import date, datetime, time
from uuid import UUID

from pydantic.alias_generators import to_camel

from app.db import Database
from app.documents import Document, clock
from app.schemas.stats import Defaulter, MissingSession, Overview
from app.services import old_access as access
from app.services.access import Actor, check
from app.services.counting.figures import ANY, NOW, by_policy, marks_in, tallied
from app.services.timetable.calendar import CURRENT_TERM, in_term, no_such_term, term_known
from app.services.timetable.occurrences import MAX_DAYS, judged, taken

DAYS_BACK = 30  # to look at, where there is no term
# Before the current term begins, classes that are of none meet all the same.
_BEGUN = "least(first_day, current_date)"


def _number_of(column: str, *words: str) -> str:
    """SQL columns that count the rows with each of the words, named as the API spells them."""
    return ", ".join(
        f"""count(*) FILTER (WHERE {column} = '{word}') AS "{to_camel(word)}\"""" for word in words
    )


# All rosters at once: one pass over the marks of the term.
def _counts(term: str) -> str:
    return f"""
shown AS MATERIALIZED (
    SELECT c.* FROM classes c
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL AND {in_term("c", term)}
),
counts AS MATERIALIZED (
    SELECT t.*, {by_policy("t")}
    FROM ({tallied("m.class_id, m.student_id", marks_in(NOW, ANY))}) t CROSS JOIN policy p
)"""


# $2 the threshold in hundredths of a per cent, else the policy's; $3 the term; $4 and $5 after
# which class and roll, $6 how many.
_ORDER = 'roll_key, code COLLATE "C", section COLLATE "C", class_id'


def _after(place: str, class_id: str) -> str:
    """SQL for where a list goes on: after the class with that id at that place. If it is gone by
    now, with the first class there, since listed twice is better than left out."""
    return f"""
    SELECT {place}, coalesce(c.code, ''), coalesce(c.section, ''), {class_id}::uuid
    FROM (VALUES (true)) here LEFT JOIN classes c ON c.id = {class_id}"""


_DEFAULTERS = f"""
WITH {access.ADMIN},
{_counts("$3")},
rules AS MATERIALIZED (
    SELECT ROW(true, coalesce($2, threshold), late_weight, excused, on_duty, minimum_sessions,
               updated_at)::policy AS p
    FROM policy
),
defaulters AS MATERIALIZED (
    SELECT k.*, c.code, c.name AS class_name, c.section, s.roll_key, s.roll_no, s.name
    FROM counts k
    CROSS JOIN rules
    JOIN class_students e ON e.class_id = k.class_id AND e.student_id = k.student_id
    JOIN shown c ON c.id = k.class_id
    JOIN students s ON s.id = k.student_id
    WHERE attendance_below(rules.p, k.attended, k.counted) AND on_roster(e.periods)
),
page AS MATERIALIZED (
    SELECT d.*, row_number() OVER (ORDER BY {_ORDER}) AS n
    FROM defaulters d
    WHERE $4::uuid IS NULL OR ({_ORDER}) > ({_after("$5::text", "$4")})
    ORDER BY {_ORDER}
    LIMIT $6 + 1
)
SELECT {access.ADMIN_VERDICT}, {term_known("$3")} AS term_known, (
    SELECT coalesce(json_agg(student ORDER BY d.n), '[]')
    FROM page d CROSS JOIN rules CROSS JOIN LATERAL (
        SELECT d.student_id AS "studentId", d.roll_no AS "rollNo", d.name,
               d.class_id AS "classId", d.code, d.class_name AS "className", d.section,
               d.counted, d.attended * 0.01 AS attended,
               attendance_percentage(d.attended, d.counted) AS percentage,
               attendance_sessions_needed(rules.p, d.attended, d.counted) AS "sessionsNeeded",
               attendance_can_miss(rules.p, d.attended, d.counted) AS "canMiss"
    ) student
    WHERE d.n <= $6
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = $6 AND EXISTS (SELECT FROM page WHERE n > $6)
) AS next_cursor
"""


async def defaulters(
    db: Database,
    actor: Actor,
    threshold: int | None,
    term: str,
    limit: int,
    after: tuple[UUID, str] | None,
) -> Document[list[Defaulter]]:
    """Every student of a class below the line there, by roll number and class.

    `threshold` is in hundredths of a per cent; without it the line is the policy's. `term` is
    an id or `current`. `limit` of them follow after `after` (class and roll key).
    """
    position = after or (None, None)
    row = await db.row(_DEFAULTERS, actor.user_id, threshold, term.lower(), *position, limit)
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"], next_cursor=row["next_cursor"])


# $2 and $3 the days, $4 now, $5 to $7 after which occurrence, $8 how many. Without a first day it
# is the current term's. The days before the one to go on from are not judged again.
_PLACE = 'day, start_time, code COLLATE "C", section COLLATE "C", class_id'
_MISSING = f"""
WITH {access.ADMIN},
shown AS MATERIALIZED (
    SELECT c.* FROM classes c WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
),
term AS (SELECT first_day FROM terms WHERE id = ({CURRENT_TERM})),
span AS MATERIALIZED (
    SELECT greatest($5::date, coalesce($2::date, (SELECT {_BEGUN} FROM term), last - {DAYS_BACK}),
                    last - {MAX_DAYS - 1}) AS first, last
    FROM (SELECT least($3::date, current_date) AS last) bounded
),
{judged("$4::timestamptz")},
page AS MATERIALIZED (
    SELECT m.*, row_number() OVER (ORDER BY {_PLACE}) AS n
    FROM judged m
    WHERE m.state = 'missing' AND (
        $5::date IS NULL OR ({_PLACE}) > ({_after("$5::date, $6::time", "$7")}))
    ORDER BY {_PLACE}
    LIMIT $8 + 1
)
SELECT {access.ADMIN_VERDICT}, (
    SELECT coalesce(json_agg(missing ORDER BY m.n), '[]')
    FROM page m JOIN classes c ON c.id = m.class_id JOIN users u ON u.id = c.teacher_id
    CROSS JOIN LATERAL (
        SELECT m.day AS date, {clock("m.start_time")} AS start, {clock("m.end_time")} AS end,
               m.class_id AS "classId", m.code, m.name, m.section, m.session_id AS "sessionId",
               u.id AS "teacherId", u.name AS "teacherName", u.email AS "teacherEmail"
    ) missing
    WHERE m.n <= $8
)::text AS document, (
    SELECT last.day || 'T' || {clock("last.start_time")} || '~' || last.class_id FROM page last
    WHERE last.n = $8 AND EXISTS (SELECT FROM page WHERE n > $8)
) AS next_cursor
"""


async def missing_sessions(
    db: Database,
    actor: Actor,
    first: date | None,
    last: date,
    now: datetime,
    limit: int,
    after: tuple[date, time, UUID] | None,
) -> Document[list[MissingSession]]:
    """Occurrences that are over and for which nobody took attendance, by date, start and class.

    From `first`, without it the first day of the current term, to `last`, but not more than
    `MAX_DAYS`. `limit` of them follow after `after` (date, start and class).
    """
    position = after or (None, None, None)
    row = await db.row(_MISSING, actor.user_id, first, last, now, *position, limit)
    check(row)
    return Document(row["document"], next_cursor=row["next_cursor"])


# $2 the term, $3 now. What is over is counted from the term's first day to today.
_OVERVIEW = f"""
WITH {access.ADMIN},
{_counts("$2")},
term AS MATERIALIZED (
    SELECT * FROM terms
    WHERE id::text = CASE $2 WHEN 'current' THEN ({CURRENT_TERM})::text ELSE $2 END
),
span AS MATERIALIZED (
    SELECT greatest(coalesce((SELECT {_BEGUN} FROM term), last - {DAYS_BACK}),
                    last - {MAX_DAYS - 1}) AS first, last
    FROM (
        SELECT CASE $2 WHEN 'current' THEN current_date
                       ELSE least((SELECT last_day FROM term), current_date) END AS last
    ) bounded
),
{judged("$3::timestamptz")},
students AS MATERIALIZED (
    SELECT e.student_id, coalesce(k.present, 0) AS present, coalesce(k.absent, 0) AS absent,
           coalesce(k.late, 0) AS late, coalesce(k.excused, 0) AS excused,
           coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted
    FROM class_students e LEFT JOIN counts k USING (class_id, student_id)
    WHERE e.class_id {ANY} AND on_roster(e.periods)
)
SELECT {access.ADMIN_VERDICT}, {term_known("$2")} AS term_known, (
    SELECT row_to_json(overview) FROM (
        SELECT (SELECT json_build_object('id', id, 'name', name) FROM term) AS term,
               (SELECT count(*) FROM shown) AS classes,
               (SELECT count(DISTINCT student_id) FROM students) AS students,
               (SELECT count(*) FROM attendance_sessions s
                WHERE s.class_id {ANY} AND (s.status = 'finalised'
                    OR (s.status = 'open' AND {taken("s")}))) AS "sessionsTaken",
               (SELECT count(*) FROM judged WHERE state = 'missing') AS "sessionsMissing",
               (SELECT row_to_json(m) FROM (
                   SELECT coalesce(sum(present), 0) AS present, coalesce(sum(absent), 0) AS absent,
                          coalesce(sum(late), 0) AS late, coalesce(sum(excused), 0) AS excused
                   FROM students) m) AS marks,
               (SELECT attendance_percentage(
                    coalesce(sum(attended), 0)::bigint, coalesce(sum(counted), 0)::bigint)
                FROM students) AS percentage,
               (SELECT row_to_json(by_standing) FROM (
                   SELECT {_number_of("standing", "ok", "at_risk", "below", "no_data")}
                   FROM students CROSS JOIN policy p
                   CROSS JOIN LATERAL (
                       SELECT attendance_standing(p, attended, counted) AS standing) judgement
               ) by_standing) AS standings,
               (SELECT row_to_json(today) FROM (
                   SELECT {_number_of("state", "taken", "missing", "in_progress", "upcoming")}
                   FROM judged WHERE day = current_date
               ) today) AS today
    ) overview
)::text AS document
"""


async def overview(db: Database, actor: Actor, term: str, now: datetime) -> Document[Overview]:
    """The classes of a term, their students and sessions, in figures.

    `term` is an id or `current`; `now` is the institution's time.
    """
    row = await db.row(_OVERVIEW, actor.user_id, term.lower(), now)
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"])
