"""Acts on a whole session: finalise, reopen, cancel, restore, mark the unmarked."""

from app.schemas.attendance import AnyCaseStatus, SessionStatus
from app.schemas.words import Answer, Instant, Reason, UserId, Words, example


class Unmarked(Words, json_schema_extra=example(status="absent")):
    """The mark for everybody who has none yet."""

    status: AnyCaseStatus
    reason: Reason | None = None


class Explained(Words):
    """An optional reason. Administrators have to give one outside the edit window."""

    reason: Reason | None = None


class Reasoned(Words, json_schema_extra=example(reason="The power was out.")):
    """A reason, kept in the history of the session."""

    reason: Reason


class SessionEvent(
    Answer,
    json_schema_extra=example(
        status="cancelled",
        reason="The power was out.",
        actorName="Asha Demo",
        requestId="0b6f3a52-2f5e-4c8e-9a55-6a1f0f3b9d10",
    ),
):
    """A change of a session's status, to `status`: finalised, cancelled, or open again."""

    status: SessionStatus
    reason: str | None
    actor_id: UserId
    actor_name: str | None
    at: Instant
    request_id: str
