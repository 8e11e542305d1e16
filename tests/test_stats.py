"""The attendance statistics of a class."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.classroom import ROLLS, Classroom, classroom_of
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

STATUSES = ("present", "absent", "late", "excused")
BATCHES = st.dictionaries(st.sampled_from(ROLLS), st.sampled_from(STATUSES))


async def test_marks_are_counted_and_the_percentage_rounded_half_up(
    stage: Stage, room: Classroom
) -> None:
    for day, status in enumerate(("present", "late", "absent"), start=1):
        await room.mark(await room.open(f"2025-10-0{day}"), {ROLLS[0]: status})
    first, second, _ = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert first | {"studentId": None} == {
        "studentId": None,
        "rollNo": ROLLS[0],
        "name": "Student 101",
        "present": 1,
        "absent": 1,
        "late": 1,
        "excused": 0,
        "total": 3,
        "counted": 3,
        "attended": 2,
        "percentage": 66.67,
        "standing": "no_data",
        "sessionsNeeded": 1,
        "canMiss": 0,
        "bestPossible": None,
        "absentInARow": 1,
        "unmarked": 0,
    }
    assert (second["total"], second["percentage"]) == (0, 0)


async def test_a_class_counts_only_its_own_marks(stage: Stage, room: Classroom) -> None:
    other = await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    await other.mark(await other.open(), {ROLLS[0]: "present"})
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert [s["total"] for s in stats] == [0, 0, 0]


async def test_the_view_agrees_with_the_statistics(stage: Stage, room: Classroom) -> None:
    await room.mark(await room.open(), {ROLLS[0]: "present", ROLLS[1]: "absent"})
    await room.enrol(*ROLLS[:2])
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    rows = await stage.connection.fetch(
        "SELECT * FROM v_student_attendance_summary WHERE class_id = $1 ORDER BY roll_no", room.id
    )
    assert [
        {**dict(row), "percentage": float(row["percentage"]), "student_id": str(row["student_id"])}
        for row in rows
    ] == [
        {
            "class_id": rows[0]["class_id"],
            "student_id": s["studentId"],
            "roll_no": s["rollNo"],
            **{key: s[key] for key in ("name", *STATUSES, "total", "percentage")},
        }
        for s in stats
    ]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    marks=st.lists(st.dictionaries(st.sampled_from(ROLLS), st.sampled_from(STATUSES)), max_size=6)
)
async def test_the_numbers_equal_a_plain_recount(stage: Stage, marks: list[dict[str, str]]) -> None:
    room = await classroom_of(stage.asha, f"CS{uuid4()}")
    for day, batch in enumerate(marks, start=1):
        await room.mark(await room.open(f"2025-10-0{day}"), batch)
    answer = await stage.asha.get(f"/stats/classes/{room.id}/students")
    for student in answer.json():
        counts = Counter(batch[student["rollNo"]] for batch in marks if student["rollNo"] in batch)
        assert {status: student[status] for status in STATUSES} == {
            status: counts[status] for status in STATUSES
        }
        assert student["percentage"] == float(percentage(counts))


def percentage(counts: Counter[str]) -> Decimal:
    if not counts.total():
        return Decimal(0)
    exact = Decimal(100 * (counts["present"] + counts["late"])) / counts.total()
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
