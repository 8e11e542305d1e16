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
from app.services.classes.rosters import ENROLLED
from app.services.imports.chunks import chunks
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.conditions import Conditions
from app.services.imports.known_names import may_be_same, stored_names
from app.services.imports.outcomes import Outcomes, Table
from app.services.imports.session_names import Unfound, find_or_make
from app.services.leave.leave_marks import apply_to_sessions
from app.services.sessions.mark_changes import WRITE_MANY, beneath, fields_of, on_leave_in

# So many marks are written by one statement, whole sessions at a time. With more, what PostgreSQL
# compares grows with the square: it cannot know how many rows a CTE has.
CHUNK = 2_000


class Written(NamedTuple):
    """The sessions by their names, and in how many absences that were there leave now shows."""

    sessions: dict[SessionName, UUID]
    excused: int


# $1 to $3 actor, request and reason, $4 the edit window, $5 classes and $6 sessions, $7 roll
# keys, $8 to $11 marks: the places of session and student in those, words and remarks. A mark
# that says what is there already changes nothing, whoever made it and whatever the session's
# state; so does an excuse for who is excused by leave. An absence on a day of leave is excused
# and lies beneath the leave's mark. All of this is the rule of marking by hand, for many sessions.
#
# Each mark is looked up by its whole key, also by a plan made while there were few: `LIMIT` keeps
# the planner from joining by one of its columns.
#
# $12 is the source, if there is one. It changes only marks that an import of it made, and its
# marks count whether or not the enrolment, which stays, has their days.
_MARK = f"""
WITH act AS (SELECT $1::uuid AS actor_id, $2::text AS request_id, $3::text AS reason),
sessions AS MATERIALIZED (
    SELECT n, s.class_id, s.id AS session_id, s.session_date AS day, s.status AS state,
           $3 IS NULL AND s.session_date < current_date - $4::integer AS late
    FROM unnest($5::uuid[], $6::uuid[]) WITH ORDINALITY AS g(class_id, id, n)
    JOIN attendance_sessions s USING (class_id, id)
),
people AS MATERIALIZED (
    SELECT n, st.id AS student_id
    FROM unnest($7::text[]) WITH ORDINALITY AS g(roll_key, n) JOIN students st USING (roll_key)
),
on_leave AS MATERIALIZED ({on_leave_in("sessions")}),
given AS MATERIALIZED (
    SELECT g.place, g.word, g.note, s.class_id, s.session_id, s.state, s.late,
           CASE WHEN m.student_id IS NOT NULL OR EXISTS (
               SELECT FROM class_students e
               WHERE e.class_id = s.class_id AND e.student_id = p.student_id
                 AND ($12::text IS NOT NULL OR {ENROLLED} OR e.periods @> s.day)
           ) THEN p.student_id END AS student_id,
           m.student_id IS NOT NULL AS marked, {fields_of("m")},
           m.version,
           l.leave_id AS on_leave_id, l.leave_kind AS on_leave_kind
    FROM unnest($8::integer[], $9::integer[], $10::text[], $11::text[])
        WITH ORDINALITY AS g(session, person, word, note, place)
    JOIN sessions s ON s.n = g.session
    LEFT JOIN people p ON p.n = g.person
    LEFT JOIN LATERAL (
        SELECT * FROM attendance_statuses m
        WHERE m.class_id = s.class_id AND m.session_id = s.session_id
          AND m.student_id = p.student_id
        LIMIT 1
    ) m ON true
    LEFT JOIN on_leave l ON l.session_id = s.session_id AND l.student_id = p.student_id
),
judged AS MATERIALIZED (
    SELECT given.*, rule.*,
           CASE WHEN student_id IS NULL THEN 'not_enrolled'
                WHEN same AND $12 IS NOT NULL AND source = 'leave' AND word = 'absent'
                THEN 'excused_by_leave'
                WHEN same THEN NULL
                WHEN state <> 'open' THEN 'session_' || state
                WHEN late THEN 'reason_required'
                WHEN $12 IS NOT NULL AND marked AND NOT (source = 'import' AND EXISTS (
                    SELECT FROM attendance_batches b
                    WHERE (b.class_id, b.session_id, b.version)
                        = (given.class_id, given.session_id, given.version)
                      AND starts_with(b.request_id, $12 || '-')))
                THEN 'changed_in_aims'
           END AS refusal
    FROM given
    CROSS JOIN LATERAL (
        SELECT word = 'absent' AND on_leave_id IS NOT NULL AS excused,
               marked AND source = 'leave'
                   AND (word = 'excused' OR (word = 'on_duty' AND leave_kind = 'on_duty'))
                   AS known,
               marked AND (note IS NULL OR note IS NOT DISTINCT FROM remark) AND CASE
                   WHEN $12 IS NOT NULL AND source <> 'import' AND word <> 'absent'
                   THEN status = CASE word WHEN 'on_duty' THEN 'excused' ELSE word END
                   WHEN word = 'on_duty'
                   THEN status = 'excused' AND leave_kind IS NOT DISTINCT FROM 'on_duty'
                   WHEN word = 'excused'
                   THEN status = 'excused' AND (source = 'leave' OR leave_kind IS NULL)
                   WHEN word = 'absent' AND source = 'leave'
                   THEN beneath ->> 'status' IS NOT DISTINCT FROM 'absent'
                   ELSE status = word
               END AS same
    ) rule
),
changes AS MATERIALIZED (
    SELECT class_id, session_id, student_id,
           CASE WHEN excused OR word = 'on_duty' THEN 'excused' ELSE word END AS status,
           false AS recognized_by_ai, NULL::numeric AS similarity_score, note AS remark,
           CASE WHEN excused OR known THEN 'leave' ELSE 'import' END AS source,
           CASE WHEN excused THEN on_leave_id WHEN known THEN leave_id END AS leave_id,
           CASE WHEN excused THEN on_leave_kind WHEN known THEN leave_kind
                WHEN word = 'on_duty' THEN word END AS leave_kind,
           CASE WHEN excused
                THEN {beneath("word", "false", "NULL", "note", "'import'::text")}
                WHEN known THEN beneath END AS beneath
    FROM judged WHERE refusal IS NULL AND NOT same
),
{WRITE_MANY}
SELECT (SELECT array_agg(place) FROM judged WHERE refusal IS NULL AND NOT marked) AS created,
       (SELECT array_agg(place) FROM judged WHERE refusal IS NULL AND marked AND NOT same)
           AS changed,
       (SELECT array_agg(place) FROM judged WHERE refusal IS NULL AND excused AND NOT same)
           AS excused,
       (SELECT array_agg(place) FROM judged WHERE refusal IS NOT NULL) AS refused,
       (SELECT array_agg(status) FROM judged WHERE refusal IS NOT NULL) AS stored,
       (SELECT array_agg(refusal) FROM judged WHERE refusal IS NOT NULL) AS refusals
"""


async def write(
    tx: Transaction,
    actor: Actor,
    batch: Batch,
    classes: Resolved,
    conditions: Conditions,
    told: Outcomes,
    step: Callable[[int], object],
) -> Written:
    """Write the marks by the rules of marking, with source `import`, and tell of each.

    Sessions that are not there are made, those of `batch.sessions` also without a mark. A session
    in which a mark changes gets one new version. `step` is told how many marks are done.
    """
    names = batch.session_names()
    class_ids = {classes[name.class_name] for name in names}
    known_ids = (id for id in class_ids if not isinstance(id, Unresolved))
    await hold_classes(tx, actor, known_ids, to_change=False)
    found, made = await find_or_make(tx, actor, names, classes, conditions.today, told)
    marks = batch.marks
    if not conditions.trust_numbers:
        marks = await _of_whom_they_name(tx, marks, told)
    known = _by_session(marks, found, classes, told)
    for chunk in chunks(known, lambda session: len(session[2]), CHUNK):
        await _write_chunk(tx, actor, conditions, chunk, told)
        step(sum(len(named) for _, _, named in chunk))
    sessions = {name: id for name, id in found.items() if not isinstance(id, Unfound)}
    # What a source says of sessions that were there may be of people enrolled just now.
    newly = list(sessions.values()) if conditions.source else made
    excused, _ = await apply_to_sessions(tx, actor, newly) if newly else (0, 0)
    return Written(sessions, excused)


async def _of_whom_they_name(
    tx: Transaction, marks: list[MarkRow], told: Outcomes
) -> list[MarkRow]:
    """The marks less those of rows whose name is another person's on their number."""
    named = [mark for mark in marks if mark.name]
    stored = await stored_names(tx, (roll_key(mark.roll_no) for mark in named)) if named else {}
    refused: dict[int, str] = {}
    for mark in named:
        key = roll_key(mark.roll_no)
        if mark.row not in refused and not may_be_same(stored.get(key, ""), mark.name or ""):
            refused[mark.row] = key
    for row, key in refused.items():
        told.refuse_other(row, stored[key])
    return [mark for mark in marks if mark.row not in refused]


Named = tuple[UUID, UUID, dict[str, MarkRow]]  # a class, its session, marks by roll key


def _by_session(
    marks: list[MarkRow],
    found: dict[SessionName, UUID | Unfound],
    classes: Resolved,
    told: Outcomes,
) -> list[Named]:
    """The marks of each session. What keeps a row or a session out of it is told once."""
    known: dict[tuple[UUID, UUID], dict[str, MarkRow]] = defaultdict(dict)
    unresolved: set[int] = set()
    unfound: dict[SessionName, list[MarkRow]] = defaultdict(list)
    for name, group in groupby(marks, attrgetter("session")):
        class_id, session = classes[name.class_name], found.get(name)
        if isinstance(class_id, Unresolved):
            for mark in group:
                if mark.row not in unresolved:
                    told.refuse(Table.MARKS, mark.row, "code", class_id.code)
                unresolved.add(mark.row)
        elif session is None or isinstance(session, Unfound):
            unfound[name] += group
        else:
            _add(known[class_id, session], group, told)
    for name, session in found.items():
        if isinstance(session, Unfound):
            told.without(name, unfound[name], session.code)
    return [(*key, named) for key, named in known.items()]


def _add(named: dict[str, MarkRow], marks: Iterable[MarkRow], told: Outcomes) -> None:
    """Add the marks of a session to those that are named already, each student once."""
    for mark in marks:
        first = named.setdefault(roll_key(mark.roll_no), mark)
        if first is mark:
            continue
        if (first.word, first.remark) != (mark.word, mark.remark):
            told.refuse(Table.MARKS, mark.row, mark.column, "contradiction", first.row)
        else:
            # A form that was sent twice.
            told.note(Table.MARKS, mark.row, RowOutcome.UNCHANGED)


async def _write_chunk(
    tx: Transaction, actor: Actor, conditions: Conditions, chunk: list[Named], told: Outcomes
) -> None:
    """Write these marks, and tell of them."""
    marks = [mark for _, _, named in chunk for mark in named.values()]
    keys = [key for _, _, named in chunk for key in named]
    people = {key: place for place, key in enumerate(dict.fromkeys(keys), start=1)}
    done = await tx.row(
        _MARK,
        actor.user_id,
        actor.request_id,
        conditions.reason,
        conditions.window,
        [class_id for class_id, _, _ in chunk],
        [session_id for _, session_id, _ in chunk],
        list(people),
        [n for n, (_, _, named) in enumerate(chunk, start=1) for _ in named],
        [people[key] for key in keys],
        [mark.word for mark in marks],
        [mark.remark for mark in marks],
        conditions.source,
    )
    outcomes = [RowOutcome.UNCHANGED] * len(marks)
    for name in (RowOutcome.CREATED, RowOutcome.CHANGED, RowOutcome.REFUSED):
        for place in done[name] or ():
            outcomes[place - 1] = name
    reasons = dict.fromkeys(done["excused"] or (), ("excused_by_leave", "excused"))
    refusals = zip(done["refusals"] or (), done["stored"] or (), strict=True)
    reasons |= dict(zip(done["refused"] or (), refusals, strict=True))
    for place, (mark, outcome) in enumerate(zip(marks, outcomes, strict=True), start=1):
        told.mark(mark, outcome, *reasons.get(place, ()))
