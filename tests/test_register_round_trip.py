"""A register is read back without loss, as CSV and as XLSX."""

from csv import reader
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.files.register.register_words import PREAMBLE
from app.files.sheets.table import read_table
from tests.classroom import Classroom, asked_leave, classroom_of, decide
from tests.conftest import Stage
from tests.fuzz import examples
from tests.support import checksum
from tests.test_imports import counts, send

pytestmark = pytest.mark.anyio

ROLLS = ["23/CS/107", "=1+1", "@9", "'=x", "007", "१०७"]
FIRST, LEFT, JOINED, LAST = "2025-08-01", "2025-08-05", "2025-08-06", "2025-08-07"
DAYS = st.integers(1, 7).map(lambda day: f"2025-08-{day:02}")
STARTS = st.sampled_from([None, "09:00", "14:30"])
LETTERS = ("present", "absent", "late", "excused", None)
SESSIONS = st.dictionaries(
    st.tuples(DAYS, STARTS),
    st.tuples(
        st.lists(st.sampled_from(LETTERS), min_size=len(ROLLS), max_size=len(ROLLS)),
        st.sampled_from(["open", "open", "finalise", "cancel"]),
    ),
    min_size=1,
    max_size=6,
)


async def enrol(room: Classroom) -> None:
    """Make the same enrolments in each class: one student left, one joined later."""
    students = [
        {"rollNo": roll, "name": f"-{roll}, Demo", "from": JOINED if roll == "007" else FIRST}
        for roll in ROLLS
    ]
    leaves = [{"rollNo": ROLLS[0], "lastDay": LEFT}]
    for body in ({"students": students}, {"students": [], "withdrawals": leaves}):
        answer = await room.teacher.put(f"{room.path}/students?mode=merge", body)
        assert answer.status_code == 200, answer.text


async def live_through(stage: Stage, room: Classroom, sessions: dict[Any, Any]) -> None:
    """Create leave, sessions and marks; finalise or cancel some of the sessions."""
    for roll, kind in ((ROLLS[1], "medical"), (ROLLS[2], "on_duty")):
        days = {"firstDay": "2025-08-02", "lastDay": "2025-08-04", "kind": kind}
        asked = await asked_leave(stage.asha, roll, classId=room.id, **days)
        await decide(stage.asha, asked, "approve")
    for (day, start), (letters, act) in sessions.items():
        session = await room.open(day, **({"startTime": start} if start else {}))
        given = {roll: word for roll, word in zip(ROLLS, letters, strict=True) if word}
        await room.mark(session, given)
        if act != "open":
            body = {"reason": "Rain."}
            await stage.asha.post(f"/attendance/sessions/{session}/{act}", body)


async def register(room: Classroom, format: str) -> bytes:
    query = {"format": format, "from": FIRST, "to": LAST}
    answer = await room.teacher.get(f"{room.path}/register", params=query)
    assert answer.status_code == 200, answer.text
    return answer.content


def grid(content: bytes) -> list[list[str]]:
    """Everything below the preamble: headings, students, marks and totals."""
    return [row.cells for row in read_table(content).rows if row.number > len(PREAMBLE)]


@examples(5)
@given(sessions=SESSIONS)
async def test_a_register_is_read_back_unchanged(stage: Stage, sessions: dict[Any, Any]) -> None:
    number = await stage.count("classes")
    room = await classroom_of(stage.asha, f"CS{number}", rolls=[])
    await enrol(room)
    await live_through(stage, room, sessions)
    for format in ("csv", "xlsx"):
        content = await register(room, format)
        before = await checksum(stage.connection)
        again = await send(stage.meera, "/admin/import", content, kind="attendance")
        assert again.status_code == 200, again.text
        assert counts(again.json())[:2] == (0, 0)
        assert again.json()["ignoredColumns"] == []
        assert await checksum(stage.connection) == before

        copy = await classroom_of(stage.asha, f"CS{number}-{format}", rolls=[])
        await enrol(copy)
        query = {"kind": "attendance", "classId": copy.id}
        copied = await send(stage.meera, "/admin/import", content, **query)
        assert copied.status_code == 200, copied.text
        assert grid(await register(copy, format)) == grid(content)
        text = (await register(copy, "csv")).decode("utf-8-sig")
        assert len(list(reader(StringIO(text)))) == len(PREAMBLE) + 2 + len(ROLLS)
