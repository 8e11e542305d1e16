"""The class of the demo that meets while somebody looks at it."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.db import open_database
from app.demo.google import sub_of
from app.demo.load import load_department
from app.demo.meeting_now import hold_a_class_now

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Kolkata")
TODAY = datetime.now(ZONE).date()
MOVED = """
SELECT rescheduled_start_time, rescheduled_end_time FROM class_reschedules
WHERE rescheduled_date = $1 AND reason = 'So that a class of the demo meets now'
ORDER BY rescheduled_start_time
"""


def at(hour: int, minute: int = 0) -> datetime:
    return datetime.combine(TODAY, time(hour, minute), ZONE)


async def test_a_class_of_ashas_meets_at_any_hour_and_is_moved_only_if_none_does(
    own: asyncpg.Connection, own_database_url: str
) -> None:
    async with open_database(own_database_url, ZONE.key) as db:
        await load_department(db, at(3, 7), sub_of)
        for now in (at(3, 7), at(4, 40), at(23, 57)):
            await hold_a_class_now(db, now)
    assert await own.fetch(MOVED, TODAY) == [
        (time(3, 5), time(5, 5)),
        (time(23, 55), time(23, 59)),
    ]


async def test_where_asha_is_nobody_nothing_happens(
    own: asyncpg.Connection, own_database_url: str
) -> None:
    async with open_database(own_database_url, ZONE.key) as db:
        await hold_a_class_now(db, at(12))
    assert await own.fetch(MOVED, TODAY) == []
