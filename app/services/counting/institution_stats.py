"""Statistics of the whole institution, for administrators: all classes that are not archived."""

from datetime import date, datetime, time
from typing import NamedTuple
from uuid import UUID

from app.db import Database
from app.documents import Document
from app.schemas.stats import ClassOfTerm, Defaulter, MissingSession, Overview
from app.services.access import ADMIN, Actor, check
from app.services.counting.places import after_class
from app.services.lists import page_of
from app.services.timetable.calendar import no_such_term
from app.services.timetable.meetings import JUDGED, MAX_DAYS
from app.sql import Statement

DAYS_BACK = 30  # to look at if there is no term

# The classes of `:term` (the id of a term, `current` or `all`), and the counts of their marks. They
# are made class by class, as all rows at once would be more than PostgreSQL keeps in its memory.
_OF_TERM = """
shown AS MATERIALIZED (
    SELECT c.* FROM classes c
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
      AND of_term(c.term_id, :term, (SELECT id FROM v_current_term))
),
counts AS MATERIALIZED (
    SELECT k.* FROM shown CROSS JOIN LATERAL (
        SELECT * FROM v_attendance_counts v WHERE v.class_id = shown.id OFFSET 0) k
)"""

_DEFAULTERS = Statement(
    ADMIN,
    _OF_TERM,
    """
rules AS MATERIALIZED (
    SELECT jsonb_populate_record(r.rules, jsonb_strip_nulls(
               jsonb_build_object('threshold', :threshold::integer))) AS p
    FROM v_rules r
),
defaulters AS MATERIALIZED (
    SELECT k.*, c.code, c.name AS class_name, c.section, s.roll_key, s.roll_no, s.name
    FROM counts k
    CROSS JOIN rules
    JOIN class_students e ON e.class_id = k.class_id AND e.student_id = k.student_id
    JOIN shown c ON c.id = k.class_id
    JOIN students s ON s.id = k.student_id
    WHERE on_roster(e.periods) AND attendance_below(rules.p, k.attended, k.counted)
),
page AS MATERIALIZED (
    SELECT d.*, row_number() OVER (
               ORDER BY roll_key, code COLLATE "C", section COLLATE "C", class_id) AS n
    FROM defaulters d
    WHERE :after_class::uuid IS NULL
       OR (roll_key, code COLLATE "C", section COLLATE "C", class_id)
          > (:after_roll::text, :after_code::text, :after_section::text, :after_class)
    ORDER BY roll_key, code COLLATE "C", section COLLATE "C", class_id
    LIMIT :most + 1
)""",
    """
SELECT verdict, :term IN ('all', 'current') OR EXISTS (
    SELECT FROM terms WHERE id::text = :term) AS term_known, (
    SELECT coalesce(json_agg(student ORDER BY d.n), '[]')
    FROM page d CROSS JOIN rules CROSS JOIN LATERAL (
        SELECT d.student_id AS "studentId", d.roll_no AS "rollNo", d.name,
               d.class_id AS "classId", d.code, d.class_name AS "className", d.section,
               d.counted, d.attended * 0.01 AS attended,
               attendance_percentage(d.attended, d.counted) AS percentage,
               attendance_sessions_needed(rules.p, d.attended, d.counted) AS "sessionsNeeded",
               attendance_can_miss(rules.p, d.attended, d.counted) AS "canMiss"
    ) student
    WHERE d.n <= :most
)::text AS document, (
    SELECT last.class_id || '~' || last.roll_key FROM page last
    WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)


async def defaulters(
    db: Database,
    actor: Actor,
    threshold: int | None,
    term: str,
    limit: int,
    after: tuple[UUID, str] | None,
) -> Document[list[Defaulter]]:
    """List every student who is below the line in a class, by roll number and class.

    `threshold` is in hundredths of a per cent and defaults to the policy's. `term` is an id,
    `current` or `all`. Returns `limit` of them after `after` (class and roll key).
    """
    class_id, after_roll = after or (None, None)
    row = await db.report(
        _DEFAULTERS,
        actor_id=actor.user_id,
        threshold=threshold,
        term=term.lower(),
        most=limit,
        after_roll=after_roll,
        **await after_class(db, class_id),
    )
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"], next_cursor=row["next_cursor"])


class _Term(NamedTuple):
    """A term, if it exists, and today's date."""

    id: UUID | None
    first_day: date | None
    last_day: date | None
    today: date

    def begins(self, last: date) -> date:
        """The first day to look at, up to `last`: today if the term begins later, since classes
        without a term already meet."""
        return min(self.first_day, self.today) if self.first_day else _before(last, DAYS_BACK)


_TERM = Statement(
    ADMIN,
    """
SELECT verdict, t.id, t.first_day, t.last_day, current_date AS today
FROM verdict LEFT JOIN terms t ON t.id::text = CASE :term
    WHEN 'current' THEN (SELECT id::text FROM v_current_term) ELSE :term END
""",
)


async def _term(db: Database, actor: Actor, term: str) -> _Term:
    row = await db.row(_TERM, actor_id=actor.user_id, term=term)
    check(row)
    return _Term(row["id"], row["first_day"], row["last_day"], row["today"])


def _days(first: date, last: date) -> dict[str, date]:
    """The parameters `first` and `last`, limited to the last `MAX_DAYS` days."""
    return {"first": max(first, _before(last, MAX_DAYS - 1)), "last": last}


def _before(day: date, days: int) -> date:
    # The first date of Python's calendar is PostgreSQL's -infinity to asyncpg.
    return date.fromordinal(max(day.toordinal() - days, date.min.toordinal() + 1))


# Days before the cursor's day are not judged again.
_MISSING = Statement(
    ADMIN,
    """
shown AS MATERIALIZED (
    SELECT c.* FROM classes c WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
),
span AS (SELECT greatest(:first::date, :after_day::date) AS first, :last::date AS last)""",
    JUDGED,
    """
page AS MATERIALIZED (
    SELECT m.*, row_number() OVER (
               ORDER BY day, start_time, code COLLATE "C", section COLLATE "C", class_id) AS n
    FROM judged m
    WHERE m.state = 'missing' AND (
        :after_day IS NULL OR (day, start_time, code COLLATE "C", section COLLATE "C", class_id)
            > (:after_day, :after_start::time, :after_code::text, :after_section::text,
               :after_class::uuid))
)""",
    """
SELECT verdict, (
    SELECT coalesce(json_agg(missing ORDER BY m.n), '[]')
    FROM page m JOIN classes c ON c.id = m.class_id JOIN users u ON u.id = c.teacher_id
    CROSS JOIN LATERAL (
        SELECT m.day AS date, json_time(m.start_time) AS start, json_time(m.end_time) AS end,
               m.class_id AS "classId", m.code, m.name, m.section, m.session_id AS "sessionId",
               u.id AS "teacherId", u.name AS "teacherName", u.email AS "teacherEmail"
    ) missing
    WHERE m.n <= :most
)::text AS document, (
    SELECT last.day || 'T' || json_time(last.start_time) || '~' || last.class_id FROM page last
    WHERE last.n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)


async def missing_sessions(
    db: Database,
    actor: Actor,
    first: date | None,
    last: date,
    now: datetime,
    limit: int,
    after: tuple[date, time, UUID] | None,
) -> Document[list[MissingSession]]:
    """List past occurrences without attendance, by date, start and class.

    They are those from `first` (default: the first day of the current term) to `last`, at most
    `MAX_DAYS` days. Returns `limit` of them after `after` (date, start and class).
    """
    after_day, after_start, class_id = after or (None, None, None)
    if first is None:
        first = (await _term(db, actor, "current")).begins(last)
    row = await db.report(
        _MISSING,
        actor_id=actor.user_id,
        **_days(first, last),
        now=now,
        most=limit,
        after_day=after_day,
        after_start=after_start,
        **await after_class(db, class_id),
    )
    return page_of(row)


# From `shown` and `counts`, `by_class`: where the students on the roster of each class stand.
_BY_CLASS = """
students AS MATERIALIZED (
    SELECT e.class_id, e.student_id, k.counts, n.attended, n.counted,
           attendance_standing(r.rules, n.attended, n.counted) AS standing
    FROM class_students e CROSS JOIN v_rules r
    LEFT JOIN counts k ON k.class_id = e.class_id AND k.student_id = e.student_id
    CROSS JOIN LATERAL (
        SELECT coalesce(k.attended, 0) AS attended, coalesce(k.counted, 0) AS counted OFFSET 0) n
    WHERE e.class_id = ANY(ARRAY(SELECT id FROM shown)) AND on_roster(e.periods)
),
by_class AS MATERIALIZED (
    SELECT c.id AS class_id, c.teacher_id, count(s.student_id) AS students,
           coalesce(sum(attended), 0)::bigint AS attended,
           coalesce(sum(counted), 0)::bigint AS counted,
           count(*) FILTER (WHERE standing = 'ok') AS ok,
           count(*) FILTER (WHERE standing = 'at_risk') AS at_risk,
           count(*) FILTER (WHERE standing = 'below') AS below,
           count(*) FILTER (WHERE standing = 'no_data') AS no_data
    FROM shown c LEFT JOIN students s ON s.class_id = c.id
    GROUP BY c.id, c.teacher_id
)"""

_OVERVIEW = Statement(
    ADMIN,
    _OF_TERM,
    _BY_CLASS,
    "span AS (SELECT :first::date AS first, :last::date AS last)",
    JUDGED,
    """
standings AS (
    SELECT coalesce(sum(ok), 0) AS ok, coalesce(sum(at_risk), 0) AS "atRisk",
           coalesce(sum(below), 0) AS below, coalesce(sum(no_data), 0) AS "noData"
    FROM by_class
),
departments AS (
    SELECT u.department, count(*) AS classes,
           attendance_percentage(sum(attended)::bigint, sum(counted)::bigint) AS percentage,
           json_build_object('ok', sum(ok), 'atRisk', sum(at_risk), 'below', sum(below),
                             'noData', sum(no_data)) AS standings
    FROM by_class JOIN users u ON u.id = teacher_id GROUP BY u.department
),
marks AS (SELECT (sum(counts)).* FROM students),
today AS (
    SELECT count(*) FILTER (WHERE state = 'taken') AS taken,
           count(*) FILTER (WHERE state = 'missing') AS missing,
           count(*) FILTER (WHERE state = 'in_progress') AS "inProgress",
           count(*) FILTER (WHERE state = 'upcoming') AS upcoming
    FROM judged WHERE day = current_date
)""",
    """
SELECT verdict, json_build_object(
    'term', (SELECT json_build_object('id', id, 'name', name) FROM terms WHERE id = :term_id),
    'classes', (SELECT count(*) FROM shown),
    'students', (SELECT count(DISTINCT student_id) FROM students),
    'sessionsTaken', (
        SELECT count(*) FROM v_sessions
        WHERE class_id = ANY(ARRAY(SELECT id FROM shown)) AND state = 'taken'),
    'sessionsMissing', (SELECT count(*) FROM judged WHERE state = 'missing'),
    'marks', (SELECT row_to_json(marks) FROM marks),
    'percentage', (
        SELECT attendance_percentage(sum(attended)::bigint, sum(counted)::bigint)
        FROM by_class),
    'standings', (SELECT row_to_json(standings) FROM standings),
    'departments', (
        SELECT coalesce(json_agg(d ORDER BY department NULLS LAST), '[]') FROM departments d),
    'today', (SELECT row_to_json(today) FROM today))::text AS document
FROM verdict
""",
)


async def overview(db: Database, actor: Actor, term: str, now: datetime) -> Document[Overview]:
    """Figures about the classes of a term, their students and sessions.

    `term` is an id, `current` or `all`; `now` is the institution's time. Past occurrences are
    counted from the term's first day to today, or to its last day.
    """
    wanted = term.lower()
    found = await _term(db, actor, wanted)
    if found.id is None and wanted not in ("all", "current"):
        raise no_such_term("/query/term")
    ended = wanted != "current" and found.last_day
    last = min(ended or found.today, found.today)
    row = await db.report(
        _OVERVIEW,
        actor_id=actor.user_id,
        term=wanted,
        term_id=found.id,
        **_days(found.begins(last), last),
        now=now,
    )
    check(row)
    return Document(row["document"])


# Only the classes of the page are counted.
_CLASSES = Statement(
    ADMIN,
    """
page AS MATERIALIZED (
    SELECT c.*, u.name AS teacher_name, u.department, row_number() OVER (
               ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id) AS n
    FROM classes c JOIN users u ON u.id = c.teacher_id
    WHERE EXISTS (SELECT FROM admin) AND c.archived_at IS NULL
      AND of_term(c.term_id, :term, (SELECT id FROM v_current_term))
      AND (:department::text IS NULL OR coalesce(u.department, '') = :department)
      AND (:after_class::uuid IS NULL OR (c.code COLLATE "C", c.section COLLATE "C", c.id)
           > (:after_code::text, :after_section::text, :after_class))
    ORDER BY c.code COLLATE "C", c.section COLLATE "C", c.id
    LIMIT :most + 1
),
shown AS MATERIALIZED (SELECT * FROM page WHERE n <= :most),
counts AS MATERIALIZED (
    SELECT k.* FROM shown CROSS JOIN LATERAL (
        SELECT * FROM v_attendance_counts v WHERE v.class_id = shown.id OFFSET 0) k
)""",
    _BY_CLASS,
    """
SELECT verdict, :term IN ('all', 'current') OR EXISTS (
    SELECT FROM terms WHERE id::text = :term) AS term_known, (
    SELECT coalesce(json_agg(document ORDER BY c.n), '[]')
    FROM shown c JOIN by_class b ON b.class_id = c.id CROSS JOIN LATERAL (
        SELECT c.id AS "classId", c.code, c.name, c.section, c.teacher_name AS "teacherName",
               c.department, b.students, (
                   SELECT count(*) FROM v_sessions s
                   WHERE s.class_id = c.id AND s.state = 'taken') AS "sessionsTaken",
               attendance_percentage(b.attended, b.counted) AS percentage, json_build_object(
                   'ok', b.ok, 'atRisk', b.at_risk, 'below', b.below,
                   'noData', b.no_data) AS standings
    ) document
)::text AS document, (
    SELECT id::text FROM page WHERE n = :most AND EXISTS (SELECT FROM page WHERE n > :most)
) AS next_cursor
FROM verdict
""",
)


async def classes(
    db: Database,
    actor: Actor,
    term: str,
    department: str | None,
    limit: int,
    after: UUID | None,
) -> Document[list[ClassOfTerm]]:
    """List the classes of a term with their figures, by code and section.

    `term` is an id, `current` or `all`; `department` that of their owners ('' for those without
    one). Returns `limit` of them after the class `after`.
    """
    row = await db.report(
        _CLASSES,
        actor_id=actor.user_id,
        term=term.lower(),
        department=department,
        most=limit,
        **await after_class(db, after),
    )
    check(row)
    if not row["term_known"]:
        raise no_such_term("/query/term")
    return Document(row["document"], next_cursor=row["next_cursor"])
