"""A teacher's day."""

from app.schemas.attendance import SessionStatus
from app.schemas.calendar import Moved, OccurrenceState
from app.schemas.stats import Counts
from app.schemas.words import Answer, ClassId, Clock, Date, Instant, SessionId, example


class Somebody(Answer, json_schema_extra=example(name="Asha Demo")):
    """Somebody who works here, by name."""

    name: str


_A_SESSION = {
    "status": "open",
    "version": 1,
    "marked": 60,
    "present": 52,
    "absent": 5,
    "late": 2,
    "excused": 1,
    "unmarked": 0,
    "lastMarkedBy": {"name": "Asha Demo"},
    "lastMarkedAt": "2025-10-20T03:38:52.104117Z",
}


class MeetingSession(Counts, json_schema_extra=example(**_A_SESSION)):
    """The session of a meeting, its `marked` students by status.

    `unmarked` were enrolled on the day and have no mark. `lastMarkedBy` is who changed a mark last,
    also by an import or a decision on leave; null where no mark was ever made.
    """

    session_id: SessionId
    status: SessionStatus
    version: int
    marked: int
    unmarked: int
    started_by: Somebody
    last_marked_by: Somebody | None
    last_marked_at: Instant | None


class Meeting(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        start="09:00",
        end="10:00",
        startsAt="2025-10-20T03:30:00Z",
        endsAt="2025-10-20T04:30:00Z",
        state="taken",
        students=60,
        session=_A_SESSION,
    ),
):
    """A class on that date: an occurrence, or a session that belongs to no slot.

    Of such a session `start` and `end` are null where it has none. Until somebody is marked in it,
    its state goes by the clock like that of an occurrence; without times it lasts all day.
    `students` were enrolled on the date.
    """

    class_id: ClassId
    code: str
    name: str
    section: str
    date: Date
    start: Clock | None
    end: Clock | None
    starts_at: Instant | None
    ends_at: Instant | None
    state: OccurrenceState
    moved_to: Moved | None
    moved_from: Moved | None
    holiday: str | None
    students: int
    session: MeetingSession | None


class MissedMeeting(
    Answer,
    json_schema_extra=example(
        code="CS301", section="A", date="2025-10-17", start="09:00", end="10:00"
    ),
):
    """An occurrence before that date which is over, and for which attendance was not taken."""

    class_id: ClassId
    code: str
    section: str
    date: Date
    start: Clock
    end: Clock


class Day(Answer, json_schema_extra=example(date="2025-10-20")):
    """What somebody teaches on `date`, by start, untimed sessions first.

    `holiday` is the name of the holiday it is. `missing` are the latest 20 at most of the 14 days
    before, newest first.
    """

    date: Date
    holiday: str | None
    meetings: list[Meeting]
    missing: list[MissedMeeting]
