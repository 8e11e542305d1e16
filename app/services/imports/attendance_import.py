"""Past attendance from a file: marks of many sessions at once."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.batch import MarkRow, SessionName
from app.db import Transaction
from app.schemas.imports import MarkCounts, RowOutcome
from app.schemas.words import roll_key
from app.services.access import Actor, hold_classes
from app.services.classes.rosters import ENROLLED
from app.services.imports.chunks import chunks
from app.services.imports.class_names import Resolved, Unresolved
from app.services.imports.known_names import may_be_same, stored_names
from app.services.imports.report import Report
from app.services.imports.session_names import Unfound, find_or_make
from app.services.sessions.mark_changes import WRITE_MANY, beneath, fields_of, on_leave_in

# So many marks are written by one statement, whole sessions at a time. With more, what PostgreSQL
# compares grows with the square: it cannot know how many rows a CTE has.
CHUNK = 2_000


@dataclass(frozen=True)
class Terms:
    """Under which terms marks are changed: `today` of the institution, its edit window in days
    (None: for ever), the reason that is given for changing them later, and whether numbers are
    trusted where the names beside them are other people's."""

    today: date
    window: int | None = None
    reason: str | None = None
    trust_numbers: bool = False


# $1 to $3 actor, request and reason, $4 the edit window, $5 classes and $6 sessions, $7 roll
# keys, $8 to $11 marks: the places of session and student in those, words and remarks. A mark
# that says what is there already changes nothing, whoever made it and whatever the session's
# state; so does an excuse for who is excused by leave. An absence on a day of leave is excused
# and lies beneath the leave's mark. All of this is the rule of marking by hand, for many sessions.
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
           CASE WHEN e.student_id IS NOT NULL
                 AND ({ENROLLED} OR e.periods @> s.day OR m.student_id IS NOT NULL)
                THEN p.student_id END AS student_id,
           m.student_id IS NOT NULL AS marked, {fields_of("m")},
           l.leave_id AS on_leave_id, l.leave_kind AS on_leave_kind
    FROM unnest($8::integer[], $9::integer[], $10::text[], $11::text[])
        WITH ORDINALITY AS g(session, person, word, note, place)
    JOIN sessions s ON s.n = g.session
    LEFT JOIN people p ON p.n = g.person
    LEFT JOIN class_students e ON e.class_id = s.class_id AND e.student_id = p.student_id
    LEFT JOIN attendance_statuses m
        ON m.class_id = s.class_id AND m.session_id = s.session_id
       AND m.student_id = p.student_id
    LEFT JOIN on_leave l ON l.session_id = s.session_id AND l.student_id = p.student_id
),
judged AS MATERIALIZED (
    SELECT given.*, rule.*,
           CASE WHEN student_id IS NULL THEN 'not_enrolled'
                WHEN same THEN NULL
                WHEN state <> 'open' THEN 'session_' || state
                WHEN late THEN 'reason_required'
           END AS refusal
    FROM given
    CROSS JOIN LATERAL (
        SELECT word = 'absent' AND on_leave_id IS NOT NULL AS excused,
               marked AND source = 'leave'
                   AND (word = 'excused' OR (word = 'on_duty' AND leave_kind = 'on_duty'))
                   AS known,
               marked AND (note IS NULL OR note IS NOT DISTINCT FROM remark) AND CASE
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
       (SELECT array_agg(place) FROM judged WHERE refusal IS NOT NULL) AS refused,
       (SELECT array_agg(refusal) FROM judged WHERE refusal IS NOT NULL) AS refusals
"""


async def write(
    tx: Transaction,
    actor: Actor,
    sessions: list[SessionName],
    marks: list[MarkRow],
    classes: Resolved,
    terms: Terms,
    report: Report,
    step: Callable[[int], object],
) -> None:
    """Write the marks by the rules of marking, with source `import`, and tell of each row.

    Sessions that are not there are made, those of `sessions` also without a mark. A session in
    which a mark changes gets one new version. `step` is told how many marks are done.
    """
    names = dict.fromkeys((*sessions, *(mark.session for mark in marks)))
    class_ids = {classes[name.class_name] for name in names}
    known_ids = (id for id in class_ids if not isinstance(id, Unresolved))
    await hold_classes(tx, actor, known_ids, to_change=False)
    found, made = await find_or_make(tx, actor, names, classes, terms.today)
    if not terms.trust_numbers:
        marks = await _of_whom_they_name(tx, marks, report)
    known = _by_session(marks, found, classes, report)
    counts: Counter[RowOutcome] = Counter()
    for chunk in chunks(known, lambda session: len(session[2]), CHUNK):
        counts += await _write_chunk(tx, actor, terms, chunk, report)
        step(sum(len(named) for _, _, named in chunk))
    report.marks = MarkCounts(
        sessions=made,
        created=counts[RowOutcome.CREATED],
        changed=counts[RowOutcome.CHANGED],
        unchanged=counts[RowOutcome.UNCHANGED],
    )


async def _of_whom_they_name(
    tx: Transaction, marks: list[MarkRow], report: Report
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
        report.refuse_other(row, stored[key])
    return [mark for mark in marks if mark.row not in refused]


Named = tuple[UUID, UUID, dict[str, MarkRow]]  # a class, its session, marks by roll key


def _by_session(
    marks: list[MarkRow],
    found: dict[SessionName, UUID | Unfound],
    classes: Resolved,
    report: Report,
) -> list[Named]:
    """The marks of each session. What keeps a row or a session out of it is told once."""
    known: dict[tuple[UUID, UUID], dict[str, MarkRow]] = defaultdict(dict)
    told: set[int | SessionName] = set()
    for mark in marks:
        class_id, session = classes[mark.session.class_name], found.get(mark.session)
        if isinstance(class_id, Unresolved):
            if mark.row not in told:
                report.refuse(mark.row, "code", class_id.code)
            told.add(mark.row)
        elif session is None or isinstance(session, Unfound):
            if session and mark.session not in told:
                report.refuse(mark.row, mark.column, session.code)
            told.add(mark.session)
        else:
            named = known[class_id, session]
            first = named.setdefault(roll_key(mark.roll_no), mark)
            if (first.word, first.remark) != (mark.word, mark.remark):
                report.refuse(mark.row, mark.column, "contradiction", first.row)
            elif first is not mark:
                report.note(mark.row, RowOutcome.UNCHANGED)  # a form that was sent twice
    return [(*key, named) for key, named in known.items()]


async def _write_chunk(
    tx: Transaction, actor: Actor, terms: Terms, chunk: list[Named], report: Report
) -> Counter[RowOutcome]:
    """Write these marks, tell of them, and give how many of each outcome there are."""
    marks = [mark for _, _, named in chunk for mark in named.values()]
    keys = [key for _, _, named in chunk for key in named]
    people = {key: place for place, key in enumerate(dict.fromkeys(keys), start=1)}
    done = await tx.row(
        _MARK,
        actor.user_id,
        actor.request_id,
        terms.reason,
        terms.window,
        [class_id for class_id, _, _ in chunk],
        [session_id for _, session_id, _ in chunk],
        list(people),
        [n for n, (_, _, named) in enumerate(chunk, start=1) for _ in named],
        [people[key] for key in keys],
        [mark.word for mark in marks],
        [mark.remark for mark in marks],
    )
    outcomes = [RowOutcome.UNCHANGED] * len(marks)
    for name in (RowOutcome.CREATED, RowOutcome.CHANGED, RowOutcome.REFUSED):
        for place in done[name] or ():
            outcomes[place - 1] = name
    for mark, outcome in zip(marks, outcomes, strict=True):
        report.note(mark.row, outcome)
    for place, code in zip(done["refused"] or (), done["refusals"] or (), strict=True):
        report.refuse(marks[place - 1].row, marks[place - 1].column, code)
    return Counter(outcomes)
