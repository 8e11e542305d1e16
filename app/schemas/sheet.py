"""The sheet of a session: what one needs to take attendance."""

from app.schemas.attendance import MarkState, SessionStatus, Status
from app.schemas.leave import LeaveKind
from app.schemas.stats import Percentage, Standing
from app.schemas.words import (
    Answer,
    ClassId,
    Clock,
    Date,
    Instant,
    SessionId,
    StudentId,
    example,
)


class SheetMark(
    MarkState,
    json_schema_extra=example(
        status="present", recognizedByAi=True, similarityScore=92.5, source="ai"
    ),
):
    """The mark of a student in the session."""

    marked_at: Instant


class SheetLeave(Answer, json_schema_extra=example(kind="medical")):
    """Approved leave that covers the session."""

    kind: LeaveKind


class SheetStudent(
    Answer,
    json_schema_extra=example(
        rollNo="23/CS/107",
        name="Kabir V. Demo",
        percentage=83.33,
        standing="ok",
        absentInARow=0,
        previous="present",
    ),
):
    """A student to be marked. `mark` is null for who has none yet.

    `percentage`, `standing` and `absentInARow` are those of the statistics of the class, in which
    this session counts too. `previous` is the status in `previousSession`.
    """

    student_id: StudentId
    roll_no: str
    name: str
    photo_url: str | None
    mark: SheetMark | None
    leave: SheetLeave | None
    percentage: Percentage
    standing: Standing
    absent_in_a_row: int
    previous: Status | None


class PreviousSession(Answer, json_schema_extra=example(startTime="08:00")):
    """The class's session before, on the same date; one without a start is before all others."""

    session_id: SessionId
    start_time: Clock | None


class Sheet(
    Answer,
    json_schema_extra=example(
        code="CS301",
        name="Operating Systems",
        section="A",
        startTime="09:00",
        endTime="10:00",
        status="open",
        version=1,
        editable=True,
        needsReason=False,
    ),
):
    """A session and who can be marked in it, in the order of the roll.

    `editable`: the one who asks can change marks now. `needsReason`: the edit window is over, so
    only an administrator can, with a `reason`.
    """

    session_id: SessionId
    class_id: ClassId
    code: str
    name: str
    section: str
    session_date: Date
    start_time: Clock | None
    end_time: Clock | None
    status: SessionStatus
    version: int
    editable: bool
    needs_reason: bool
    previous_session: PreviousSession | None
    students: list[SheetStudent]
