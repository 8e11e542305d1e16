"""The sessions that a leave covers."""

from app.schemas.attendance import SessionStatus, Status
from app.schemas.leave import LeaveKind
from app.schemas.stats import Attended
from app.schemas.words import Answer, ClassId, Clock, Date, SessionId, example


class LeaveMark(Answer, json_schema_extra=example(mark="absent", counted=True, attended=0)):
    """The student's mark in a session, null if there is none. `counted`: whether it counts by the
    policy, and `attended` for how much of a session."""

    mark: Status | None
    leave_kind: LeaveKind | None
    counted: bool
    attended: Attended


class LeaveSession(
    Answer,
    json_schema_extra=example(
        code="CS301",
        section="A",
        date="2025-10-20",
        start="09:00",
        end="10:00",
        status="open",
        withLeave={"mark": "excused", "leaveKind": "medical", "counted": False},
        withoutLeave={"mark": "absent", "leaveKind": None, "counted": True, "attended": 0},
    ),
):
    """A session on the days of a leave: the student's mark if the leave is approved, and if not.

    One of the two is what is stored. The same twice: the leave does not change this session.
    """

    session_id: SessionId
    class_id: ClassId
    code: str
    section: str
    date: Date
    start: Clock | None
    end: Clock | None
    status: SessionStatus
    with_leave: LeaveMark
    without_leave: LeaveMark
