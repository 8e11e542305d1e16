"""Attendance from a file or another system: marks of many sessions at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from app.batch import Batch, MarkRow, SessionName
from app.db import Transaction
from app.schemas.imports import RowOutcome
from app.schemas.words import roll_key
from app.services.access import Actor, hold_classes
from app.services.imports.addresses import with_roll_numbers
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.conditions import Conditions
from app.services.imports.grouping import grouped_by_size
from app.services.imports.known_names import refuse_others
from app.services.imports.outcomes import Outcomes, Table
from app.services.imports.session_names import Unfound, find_or_make
from app.services.sessions.leave_shown import Scope, settle
from app.services.sessions.mark_changes import ON_LEAVE, SHOWN, WRITTEN
from app.services.sessions.session_lock import Change
from app.sql import Statement

# One statement writes up to this many marks, in whole sessions. With more, PostgreSQL's work grows
# quadratically, since it cannot know how many rows a CTE has.
MARKS_A_STATEMENT = 2_000


class _Fate(NamedTuple):
    """What becomes of a mark: the columns of `_JUDGE`."""

    students: UUID | None
    stored: str | None
    same: bool
    codes: str | None

    @property
    def outcome(self) -> RowOutcome:
        if self.codes:
            return RowOutcome.REFUSED
        if self.same:
            return RowOutcome.UNCHANGED
        return RowOutcome.CHANGED if self.stored else RowOutcome.CREATED


class Written(NamedTuple):
    """The sessions by name, and how many absences in them are now excused by leave."""

    sessions: dict[SessionName, UUID]
    excused: int


# What becomes of each mark. `:sessions` and `:people` are the positions of its session and its
# student in the arrays before. A mark equal to the stored one changes nothing, no matter who made
# that one and in which state the session is; neither does an excuse for a student on leave.
#
# With `:source`, only marks made by an import of that source change, and marks are accepted even on
# days outside the enrolment. Each mark is looked up by its whole key, even with a plan made while
# the table was small: `LIMIT` keeps the planner from joining on one of the columns. Enrolments and
# batches are looked up only if the result depends on them, which is rare in a repeated import.
_JUDGE = Statement(
    """
held AS MATERIALIZED (
    SELECT n, s.class_id, s.id AS session_id, s.session_date AS day, s.status AS state,
           :reason::text IS NULL AND s.session_date < current_date - :window::integer AS late
    FROM unnest(:class_ids::uuid[], :session_ids::uuid[]) WITH ORDINALITY AS g(class_id, id, n)
    JOIN attendance_sessions s USING (class_id, id)
),
students_named AS MATERIALIZED (
    SELECT n, st.id AS student_id
    FROM unnest(:roll_keys::text[]) WITH ORDINALITY AS g(roll_key, n)
    JOIN students st USING (roll_key)
),
given AS MATERIALIZED (
    SELECT place, word, h.*, p.student_id, m.status AS stored, m.leave_id, m.source, m.version,
           coalesce(note = m.remark, note IS NULL) AND CASE
               WHEN :source::text IS NOT NULL AND m.source <> 'import' AND word <> 'absent'
               THEN m.status = replace(word, 'on_duty', 'excused')
               WHEN word = 'on_duty' THEN coalesce(m.leave_kind = 'on_duty', false)
               WHEN word = 'excused'
               THEN m.status = word AND (m.leave_id IS NOT NULL OR m.leave_kind IS NULL)
               WHEN m.leave_id IS NOT NULL THEN coalesce(m.said_status = word, false)
               ELSE m.status = word
           END AS same
    FROM unnest(:sessions::integer[], :people::integer[], :words::text[], :notes::text[])
        WITH ORDINALITY AS g(session, person, word, note, place)
    JOIN held h ON h.n = g.session
    LEFT JOIN students_named p ON p.n = g.person
    LEFT JOIN LATERAL (
        SELECT * FROM attendance_statuses m
        WHERE m.class_id = h.class_id AND m.session_id = h.session_id
          AND m.student_id = p.student_id
        LIMIT 1
    ) m ON true
),
judged AS MATERIALIZED (
    SELECT place, student_id, stored, coalesce(same, false) AS same, CASE
        WHEN stored IS NULL AND NOT EXISTS (
            SELECT FROM class_students e
            WHERE e.class_id = g.class_id AND e.student_id = g.student_id
              AND (:source IS NOT NULL OR on_roster(e.periods) OR e.periods @> g.day)
        ) THEN 'not_enrolled'
        WHEN same AND :source IS NOT NULL AND leave_id IS NOT NULL AND word = 'absent'
        THEN 'excused_by_leave'
        WHEN same THEN NULL
        WHEN state <> 'open' THEN 'session_' || state
        WHEN late THEN 'reason_required'
        WHEN :source IS NOT NULL AND stored IS NOT NULL AND NOT (source = 'import' AND EXISTS (
            SELECT FROM attendance_batches b
            WHERE b.class_id = g.class_id AND b.session_id = g.session_id
              AND b.version = g.version AND starts_with(b.request_id, :source || '-')
        )) THEN 'changed_in_aims'
    END AS code
    FROM given g
)""",
    """
SELECT array_agg(stored ORDER BY place) AS stored, array_agg(same ORDER BY place) AS same,
       array_agg(code ORDER BY place) AS codes,
       array_agg(CASE WHEN NOT same AND code IS NULL THEN student_id END ORDER BY place)
           AS students
FROM judged
""",
)

# The rule of marking by hand, for many sessions: an excuse for a student already excused by leave
# keeps the mark that the leave hides.
_MARK = Statement(
    """
given AS MATERIALIZED (
    SELECT g.*, m.leave_id IS NOT NULL AND (
               word = 'excused' OR (word = 'on_duty' AND m.leave_kind = 'on_duty')) AS known,
           m.said_status, m.said_score, m.said_remark, m.said_source
    FROM unnest(:class_ids::uuid[], :session_ids::uuid[], :students::uuid[], :words::text[],
                :notes::text[]) AS g(class_id, session_id, student_id, word, note)
    LEFT JOIN LATERAL (
        SELECT * FROM attendance_statuses m
        WHERE m.class_id = g.class_id AND m.session_id = g.session_id
          AND m.student_id = g.student_id
        LIMIT 1
    ) m ON true
),
sessions AS MATERIALIZED (
    SELECT g.class_id, g.session_id, s.session_date AS day
    FROM (SELECT DISTINCT class_id, session_id FROM given) g
    CROSS JOIN LATERAL (
        SELECT session_date FROM attendance_sessions s
        WHERE s.class_id = g.class_id AND s.id = g.session_id
        LIMIT 1
    ) s
),
enrolments AS MATERIALIZED (
    SELECT e.* FROM (SELECT DISTINCT class_id, student_id FROM given) g
    JOIN class_students e USING (class_id, student_id)
)""",
    ON_LEAVE,
    """
said AS MATERIALIZED (
    SELECT class_id, session_id, student_id, mark.* FROM given CROSS JOIN LATERAL (
        SELECT replace(word, 'on_duty', 'excused') AS status, false AS recognized_by_ai,
               NULL::numeric AS similarity_score, note AS remark, 'import' AS source,
               CASE word WHEN 'on_duty' THEN word END AS leave_kind, note
        WHERE NOT known
        UNION ALL
        SELECT said_status, coalesce(said_source = 'ai', false), said_score, said_remark,
               said_source, NULL, note
        WHERE known
    ) mark
)""",
    SHOWN,
    "changes AS MATERIALIZED (SELECT * FROM shown)",
    WRITTEN,
    "SELECT array_agg(session_id) AS sessions, array_agg(student_id) AS students FROM changes"
    " WHERE said_source = 'import'",
)


async def write(
    tx: Transaction,
    actor: Actor,
    batch: Batch,
    classes: Resolved,
    conditions: Conditions,
    report: Outcomes,
    step: Callable[[int], object],
) -> Written:
    """Write the marks by the rules of marking, with source `import`, and report each.

    Missing sessions are created, those of `batch.sessions` even without marks. A session in which
    a mark changes gets one new version. `step` is called with how many more marks are done.
    """
    names = batch.session_names()
    class_ids = {classes[name.class_name] for name in names}
    known_ids = [id for id in class_ids if not isinstance(id, Unresolved)]
    await hold_classes(tx, actor, known_ids, to_change=False)
    found, made = await find_or_make(tx, actor, names, classes, conditions.today, report)
    marks = batch.marks
    if batch.by_address:
        marks = await with_roll_numbers(tx, marks, classes, report)
    if not conditions.trust_numbers:
        named = ((mark.row, roll_key(mark.roll_no), mark.name) for mark in marks if mark.name)
        refused = await refuse_others(tx, named, report)
        marks = [mark for mark in marks if mark.row not in refused]
    known = _by_session(marks, found, classes, report)
    for group in grouped_by_size(known, lambda session: len(session[2]), MARKS_A_STATEMENT):
        await _write_sessions(tx, actor, conditions, group, report)
        step(sum(len(named) for _, _, named in group))
    sessions = {name: id for name, id in found.items() if not isinstance(id, Unfound)}
    # A source may have marks in existing sessions for students who were enrolled just now.
    newly = list(sessions.values()) if conditions.source else made
    return Written(sessions, await _excuse(tx, actor, known_ids, newly) if newly else 0)


# Asked first, since a statement that can write costs more, and few students are on leave.
_WITH_LEAVE = Statement("""
SELECT array_agg(DISTINCT l.student_id) AS students
FROM class_students e
JOIN leaves l ON l.student_id = e.student_id AND l.status = 'approved'
WHERE e.class_id = ANY(:class_ids::uuid[])
""")


async def _excuse(
    tx: Transaction, actor: Actor, class_ids: list[UUID], session_ids: list[UUID]
) -> int:
    """Apply leave to the open ones of these sessions; return how many absences it excuses."""
    students = (await tx.row(_WITH_LEAVE, class_ids=class_ids))["students"]
    if not students:
        return 0
    scope = Scope(class_ids, students, session_ids, open_alone=True)
    return (await settle(tx, actor, scope, Change(), role="admin")).absent


Named = tuple[UUID, UUID, dict[str, MarkRow]]  # a class, its session, marks by roll key


def _by_session(
    marks: list[MarkRow],
    found: dict[SessionName, UUID | Unfound],
    classes: Resolved,
    report: Outcomes,
) -> list[Named]:
    """Group the marks by session, and report once each row or session that is left out."""
    known: dict[tuple[UUID, UUID], dict[str, MarkRow]] = defaultdict(dict)
    unresolved: set[int] = set()
    unfound: dict[SessionName, list[MarkRow]] = defaultdict(list)
    for name, group in groupby(marks, attrgetter("session")):
        class_id, session = classes[name.class_name], found.get(name)
        if isinstance(class_id, Unresolved):
            for mark in group:
                if mark.row not in unresolved:
                    report.refuse(Table.MARKS, mark.row, "code", class_id.code)
                unresolved.add(mark.row)
        elif session is None or isinstance(session, Unfound):
            unfound[name] += group
        else:
            _add(known[class_id, session], group, report)
    for name, session in found.items():
        if isinstance(session, Unfound):
            report.without(name, unfound[name], session.code)
    return [(*key, named) for key, named in known.items()]


def _add(named: dict[str, MarkRow], marks: Iterable[MarkRow], report: Outcomes) -> None:
    """Add the marks to those of the session, each student once."""
    for mark in marks:
        first = named.setdefault(roll_key(mark.roll_no), mark)
        if first is mark:
            continue
        if (first.word, first.remark) != (mark.word, mark.remark):
            report.refuse(Table.MARKS, mark.row, mark.column, "contradiction", first.row)
        else:
            # A form that was submitted twice.
            report.note(Table.MARKS, mark.row, RowOutcome.UNCHANGED)


async def _write_sessions(
    tx: Transaction, actor: Actor, conditions: Conditions, group: list[Named], report: Outcomes
) -> None:
    """Write these marks, and report them."""
    marks = [mark for _, _, named in group for mark in named.values()]
    keys = [key for _, _, named in group for key in named]
    people = {key: place for place, key in enumerate(dict.fromkeys(keys), start=1)}
    judged = await tx.row(
        _JUDGE,
        class_ids=[class_id for class_id, _, _ in group],
        session_ids=[session_id for _, session_id, _ in group],
        roll_keys=list(people),
        sessions=[n for n, (_, _, named) in enumerate(group, start=1) for _ in named],
        people=[people[key] for key in keys],
        words=[mark.word for mark in marks],
        notes=[mark.remark for mark in marks],
        reason=conditions.reason,
        window=conditions.window,
        source=conditions.source,
    )
    fates = [
        _Fate(*columns) for columns in zip(*(judged[name] for name in _Fate._fields), strict=True)
    ]
    new = [place for place, fate in enumerate(fates) if not fate.codes and not fate.same]
    sessions = [(class_id, id) for class_id, id, named in group for _ in named]
    hidden: set[tuple[UUID, UUID]] = set()
    if new:
        written = await tx.row(
            _MARK,
            class_ids=[sessions[place][0] for place in new],
            session_ids=[sessions[place][1] for place in new],
            students=[fates[place].students for place in new],
            words=[marks[place].word for place in new],
            notes=[marks[place].remark for place in new],
            actor_id=actor.user_id,
            request_id=actor.request_id,
            reason=conditions.reason,
        )
        hidden = set(zip(written["sessions"] or (), written["students"] or (), strict=True))
    for mark, (_, session_id), fate in zip(marks, sessions, fates, strict=True):
        if hidden and (session_id, fate.students) in hidden:
            report.mark(mark, fate.outcome, "excused_by_leave", "excused")
        elif fate.codes:
            report.mark(mark, fate.outcome, fate.codes, fate.stored)
        else:
            report.mark(mark, fate.outcome)
