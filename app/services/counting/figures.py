"""The figures of students in classes, from marks to where each of them stands.

What counts, and where the line is, the functions `attendance_*` of the database say (migrations
0006 and 0007). Here is what they are asked about: the marks of sessions that are not cancelled,
and the occurrences that are left of a term.
"""

from dataclasses import dataclass

from app.services.timetable.meetings import meetings_on
from app.services.timetable.occurrences import MAX_DAYS, taken


@dataclass(frozen=True)
class Source:
    """The relations that figures are made from, and the day that is their today."""

    sessions: str
    marks: str
    enrolments: str
    policy: str
    today: str

    def enrolled(self, enrolment: str) -> str:
        """SQL for whether an enrolment is on the roster: not over yet."""
        return f"({enrolment}.periods && daterange({self.today}, NULL))"


NOW = Source(
    "attendance_sessions", "attendance_statuses", "class_students", "policy", "current_date"
)


def tallied(key: str, marks: str) -> str:
    """SQL for the marks `m` counted for each `key`: `present, absent, late, excused, total`, and
    `on_duty`, those of `excused` that leave on duty excused. Each status is counted by its name:
    one that is forgotten here is part of `total` alone, and a test finds it."""
    return f"""
    SELECT {key}, count(*) AS total,
           count(*) FILTER (WHERE m.status = 'present') AS present,
           count(*) FILTER (WHERE m.status = 'absent') AS absent,
           count(*) FILTER (WHERE m.status = 'late') AS late,
           count(*) FILTER (WHERE m.status = 'excused') AS excused,
           count(*) FILTER (WHERE m.leave_kind = 'on_duty') AS on_duty
    FROM {marks} GROUP BY {key}"""


def by_policy(counts: str) -> str:
    """SQL for what the policy `p` makes of the counts in the relation of that name."""
    each = f"{counts}.present, {counts}.absent, {counts}.late, {counts}.excused, {counts}.on_duty"
    return f"""
    attendance_attended(p, {each.replace(f"{counts}.absent, ", "")}) AS attended,
    attendance_counted(p, {each}) AS counted"""


ONE = "= (SELECT id FROM shown)"
ANY = "= ANY (ARRAY(SELECT id FROM shown))"


def marks_in(source: Source, classes: str) -> str:
    """The marks `m` that count in the one class shown (`ONE`), or all of those (`ANY`): the
    cancelled sessions are few, and looked up a mark at a tenth of what a join costs."""
    return f"""
    {source.marks} m
    WHERE m.class_id {classes} AND m.session_id NOT IN (
        SELECT id FROM {source.sessions} WHERE class_id {classes} AND status = 'cancelled')"""


def marks_of(source: Source, student: str) -> str:
    """The marks `m` of one student in all classes shown, looked for session by session."""
    return f"""
    held h JOIN {source.marks} m
        ON m.class_id = h.class_id AND m.session_id = h.id AND m.student_id = {student}"""


def held(source: Source) -> str:
    """The sessions, not cancelled, of the classes shown: the CTE `held`."""
    return f"""
held AS MATERIALIZED (
    SELECT s.class_id, s.id, s.session_date, s.start_time
    FROM {source.sessions} s
    WHERE s.class_id {ANY} AND s.status <> 'cancelled'
)"""


def counted(source: Source, marks: str) -> str:
    """From `shown`, the classes, to what is counted in them, for `figures`: of each class its
    sessions (`spans`, newest first) and what is left (`remaining`), of each of its students the
    marks (`counts`)."""
    return f"""
{held(source)},
spans AS MATERIALIZED (
    SELECT class_id, count(*)::integer AS sessions,
           daterange(min(session_date), max(session_date), '[]') AS days,
           array_agg(id ORDER BY session_date DESC, start_time DESC NULLS LAST) AS newest_first
    FROM held GROUP BY class_id
),
counts AS MATERIALIZED (
    SELECT t.*, {by_policy("t")}
    FROM ({tallied("m.class_id, m.student_id", marks)}) t CROSS JOIN {source.policy} p
),
{_remaining(source)}"""


# Where a term has no end to speak of, nobody can say what is left of it. Slots and moves are
# taken out of their tables first, since nobody knows beforehand how few days are ahead.
def _remaining(source: Source) -> str:
    return f"""
bounded AS MATERIALIZED (
    SELECT c.id AS class_id, greatest(t.first_day, {source.today}) AS first, t.last_day AS last
    FROM shown c JOIN terms t ON t.id = c.term_id AND t.last_day - t.first_day < {MAX_DAYS}
),
free AS MATERIALIZED (
    SELECT coalesce(range_agg(daterange(first_day, last_day, '[]')), '{{}}') AS days
    FROM holidays WHERE last_day >= {source.today}
),
ahead AS MATERIALIZED (
    SELECT b.class_id, b.first + n AS day
    FROM bounded b CROSS JOIN free CROSS JOIN generate_series(0, b.last - b.first) n
    WHERE NOT free.days @> b.first + n
),
slots AS MATERIALIZED (SELECT * FROM class_schedules WHERE class_id {ANY}),
moves AS MATERIALIZED (SELECT * FROM class_reschedules WHERE class_id {ANY}),
closed AS MATERIALIZED (
    SELECT s.class_id, s.session_date, s.start_time FROM {source.sessions} s
    WHERE s.class_id {ANY} AND s.session_date >= {source.today}
      AND (s.status <> 'open' OR {taken("s", source.marks)})
),
remaining AS MATERIALIZED (
    SELECT b.class_id, count(m.day) AS occurrences
    FROM bounded b LEFT JOIN (
        SELECT m.class_id, m.day FROM ({meetings_on("ahead", "slots", "moves")}) m
        WHERE m.to_date IS NULL AND NOT EXISTS (
            SELECT FROM closed s WHERE s.class_id = m.class_id AND s.session_date = m.day
                                   AND s.start_time = m.start_time)
    ) m USING (class_id)
    GROUP BY b.class_id
)"""


def figures(source: Source) -> str:
    """SQL joins that put, beside each enrolment `e`, a row `n` of numbers by the policy `p`.

    Most students were enrolled all the time and came to the last session, which is all that is
    looked at for them.
    """
    return f"""
    CROSS JOIN {source.policy} p
    LEFT JOIN counts k ON k.class_id = e.class_id AND k.student_id = e.student_id
    LEFT JOIN spans ON spans.class_id = e.class_id
    LEFT JOIN remaining r ON r.class_id = e.class_id
    CROSS JOIN LATERAL (
        SELECT coalesce(k.present, 0) AS present, coalesce(k.absent, 0) AS absent,
               coalesce(k.late, 0) AS late, coalesce(k.excused, 0) AS excused,
               coalesce(k.total, 0) AS total, coalesce(k.counted, 0) AS counted,
               coalesce(k.attended, 0) AS attended,
               {_absent_in_a_row(source)} AS absent_in_a_row,
               {_unmarked(source)} AS unmarked,
               r.occurrences AS remaining
    ) n"""


# Nobody who has another mark than absent in the last session is looked at any further, and
# others from there only back to their first such mark: hence no joins.
def _absent_in_a_row(source: Source) -> str:
    def mark(column: str) -> str:
        return f"""(
            SELECT {column} FROM {source.marks} m
            WHERE m.class_id = e.class_id AND m.session_id = d.id
              AND m.student_id = e.student_id)"""

    return f"""
    CASE WHEN coalesce(k.absent, 0) = 0 OR (e.class_id, e.student_id) IN (
        SELECT m.class_id, m.student_id FROM {source.marks} m
        JOIN spans last ON m.class_id = last.class_id AND m.session_id = last.newest_first[1]
        WHERE m.status <> 'absent'
    ) THEN 0 ELSE (
        SELECT count({mark("m.status")})
        FROM unnest(spans.newest_first[1 : (coalesce((
            SELECT d.place - 1 FROM unnest(spans.newest_first) WITH ORDINALITY d(id, place)
            WHERE {mark("m.status <> 'absent'")}
            ORDER BY d.place LIMIT 1), spans.sessions))]) d(id)
    ) END"""


def _unmarked(source: Source) -> str:
    return f"""
    CASE
        WHEN spans.class_id IS NULL THEN 0
        WHEN e.periods @> spans.days THEN spans.sessions - coalesce(k.total, 0)
        ELSE (
            SELECT count(*) FROM held h
            WHERE h.class_id = e.class_id AND e.periods @> h.session_date AND NOT EXISTS (
                SELECT FROM {source.marks} m
                WHERE m.class_id = h.class_id AND m.session_id = h.id
                  AND m.student_id = e.student_id))
    END"""


# What the API says of `n`.
FIGURES = """
    n.present, n.absent, n.late, n.excused, n.total, n.counted,
    n.attended * 0.01 AS attended,
    attendance_percentage(n.attended, n.counted) AS percentage,
    attendance_standing(p, n.attended, n.counted) AS standing,
    attendance_sessions_needed(p, n.attended, n.counted) AS "sessionsNeeded",
    attendance_can_miss(p, n.attended, n.counted) AS "canMiss",
    CASE WHEN n.remaining IS NOT NULL THEN attendance_percentage(
        n.attended + 100 * n.remaining, n.counted + n.remaining) END AS "bestPossible",
    n.absent_in_a_row AS "absentInARow", n.unmarked"""
