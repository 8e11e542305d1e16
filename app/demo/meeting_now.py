"""A class that meets while somebody looks at the demo, whatever the hour."""

from datetime import datetime, time, timedelta
from uuid import UUID

from pydantic import TypeAdapter

from app.db import Database
from app.demo.department import ASHA, TEACHERS
from app.demo.google import ISSUER, sub_of
from app.errors import AppError
from app.schemas.calendar import Occurrence, OccurrenceState
from app.schemas.classes import RescheduleDraft
from app.services.access import Actor
from app.services.people import accounts
from app.services.timetable import occurrences, reschedules

_DAYS_AHEAD = 14
_LASTS = timedelta(hours=2)
_LAST_MINUTE = time(23, 59)
_list = TypeAdapter(list[Occurrence])


async def hold_a_class_now(db: Database, now: datetime) -> None:
    """Move one of Asha's next meetings to this hour, unless one of her classes meets already.

    Nothing happens where Asha is not one of the people here.
    """
    try:
        email, name = TEACHERS[ASHA]
        user = await accounts.find_user(db, ISSUER, sub_of(email), email, name)
    except AppError:
        return
    if user is None:
        return
    asha = Actor(user.id, "demo")
    on_today = await _on(db, asha, now, 0)
    if any(each.state is OccurrenceState.IN_PROGRESS for each in on_today):
        return
    for distance in range(_DAYS_AHEAD):
        for occurrence in await _on(db, asha, now, distance):
            if occurrence.state is OccurrenceState.UPCOMING and await _move(
                db, asha, occurrence, now
            ):
                return


async def _on(db: Database, asha: Actor, now: datetime, distance: int) -> list[Occurrence]:
    day = now.date() + timedelta(days=distance)
    return _list.validate_json((await occurrences.on_date(db, asha, day, now)).json)


async def _move(db: Database, asha: Actor, occurrence: Occurrence, now: datetime) -> bool:
    """Whether the occurrence could be moved to now."""
    start = now.replace(minute=now.minute - now.minute % 5, second=0, microsecond=0)
    end = start + _LASTS
    last = end.time() if end.date() == now.date() else _LAST_MINUTE
    draft = RescheduleDraft.model_validate(
        {
            "originalDate": str(occurrence.date),
            "originalStartTime": f"{occurrence.start:%H:%M}",
            "rescheduledDate": str(now.date()),
            "rescheduledStartTime": f"{start:%H:%M}",
            "rescheduledEndTime": f"{last:%H:%M}",
            "reason": "So that a class of the demo meets now",
        }
    )
    try:
        await reschedules.add_reschedule(db, asha, UUID(str(occurrence.class_id)), draft)
    except AppError:
        return False
    return True
