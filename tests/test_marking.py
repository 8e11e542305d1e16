"""Marking students: whole marks, whole batches, versions."""

import pytest

from tests.classroom import ROLLS, Classroom

pytestmark = pytest.mark.anyio


async def test_a_batch_is_merged_into_the_session(room: Classroom) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "present", ROLLS[1]: "absent"})
    answer = (await room.mark(session, {ROLLS[1]: "LATE"})).json()
    assert [(m["rollNo"], m["status"]) for m in answer["statuses"]] == [
        (ROLLS[0], "present"),
        (ROLLS[1], "late"),
    ]
    assert answer["version"] == 2
    assert answer["rejected"] == []
