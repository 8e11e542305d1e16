"""Roll numbers that belong to somebody else: an import renames nobody unless told to."""

from typing import Any

import pytest

from app.services.imports.known_names import Likeness, likeness
from tests.classroom import Classroom, classroom_of
from tests.conftest import Stage
from tests.files import csv
from tests.support import checksum
from tests.test_imports import Rows, counts, flaws, imported, send

pytestmark = pytest.mark.anyio

HEADS = ["Roll No", "Name", "Course Code", "Section"]
OF_A: Rows = [HEADS, ["1", "Kabir V. Demo", "CS301", "A"], ["2", "Kavya C. Demo", "CS301", "A"]]
OF_B: Rows = [HEADS, ["1", "Lata J. Demo", "CS302", "A"], ["2", "Mira K. Demo", "CS302", "A"]]


@pytest.fixture
async def rooms(stage: Stage, room: Classroom) -> tuple[Classroom, Classroom]:
    """Two classes of Asha's; in the first, Kabir is number 1 and Kavya number 2."""
    other = await classroom_of(stage.asha, "CS302", [])
    await imported(stage.meera, "students", OF_A)
    return room, other


async def names(room: Classroom) -> dict[str, str]:
    return {s["rollNo"]: s["name"] for s in (await room.document())["students"]}


async def test_roll_numbers_of_another_class_rename_nobody(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    before = await checksum(stage.connection)
    answer = await send(stage.meera, "/admin/import", csv(OF_B), kind="students")
    assert flaws(answer) == [("/rows/2/B", "another_name"), ("/rows/3/B", "another_name")]
    assert "This number is Kabir V. Demo's here." in answer.json()["errors"][0]["detail"]
    assert await checksum(stage.connection) == before
    tried = await imported(stage.meera, "students", OF_B, dryRun="true")
    assert [row["code"] for row in tried["rows"]] == ["another_name"] * 2


async def test_numbers_are_trusted_when_the_caller_says_so(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    done = await imported(stage.meera, "students", OF_B, trustNumbers="true")
    assert counts(done) == (0, 2, 0, 0)
    assert await names(rooms[1]) == {"1": "Lata J. Demo", "2": "Mira K. Demo"}


async def test_names_sorted_out_of_step_with_their_numbers_are_refused(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    swapped = [HEADS, ["1", "Kavya C. Demo", "CS301", "A"], ["2", "Kabir V. Demo", "CS301", "A"]]
    answer = await send(stage.meera, "/admin/import", csv(swapped), kind="students")
    assert [code for _, code in flaws(answer)] == ["another_name"] * 2


async def test_a_corrected_spelling_is_a_change(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    corrected = [HEADS, ["1", "Kabir Varma Demo", "CS301", "A"]]
    assert counts(await imported(stage.meera, "students", corrected)) == (0, 1, 0, 0)
    assert (await names(rooms[0]))["1"] == "Kabir Varma Demo"


async def test_a_teacher_is_not_told_whose_number_it_is(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    own = await classroom_of(stage.bilal, "CS999", [])
    rows: Rows = [["Roll No", "Name"], ["1", "Lata J. Demo"]]
    path = f"{own.path}/students/import"
    answer = await send(stage.bilal, path, csv(rows))
    assert flaws(answer) == [("/rows/2/B", "another_name")]
    assert "Kabir" not in answer.text
    trusted = await send(stage.bilal, path, csv(rows), trustNumbers="true")
    assert (trusted.status_code, await names(rooms[0])) == (200, await names(rooms[0]))
    assert trusted.json()["conflicts"] == [{"sheet": None, "row": 2, "field": "name"}]


GRID: Rows = [
    ["Class", "CS301"],
    ["Section", "A"],
    ["Roll No", "Name", "2025-10-27"],
    ["1", "Lata J. Demo", "P"],
    ["2", "Kavya C. Demo", "A"],
]
LIST: Rows = [
    ["Roll No", "Name", "Course Code", "Section", "Date", "Status"],
    ["1", "Lata J. Demo", "CS301", "A", "2025-10-27", "P"],
]


@pytest.mark.parametrize(("rows", "place"), [(GRID, "/rows/4/B"), (LIST, "/rows/2/B")])
async def test_attendance_under_another_persons_number_marks_nobody(
    stage: Stage, rooms: tuple[Classroom, Classroom], rows: Rows, place: str
) -> None:
    before = await checksum(stage.connection)
    answer = await send(stage.meera, "/admin/import", csv(rows), kind="attendance")
    assert flaws(answer) == [(place, "another_name")]
    assert await checksum(stage.connection) == before
    done = await imported(stage.meera, "attendance", rows, trustNumbers="true")
    assert done["marks"]["created"] == len(rows) - (3 if rows is GRID else 1)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Asha Demo", "DEMO, Asha"),
        ("Asha Demo", "Asha Kumari Demo"),
        ("Anil Demo", "Annil Demo"),
        ("Kabir V. Demo", "Kabir Varma Demo"),
        ("S. K. Demo", "K. S. Demo"),
        ("José Demo", "Jose Demo"),
        ("आशा डेमो", "डेमो आशा"),
        ("", "Asha Demo"),
    ],
)
def test_spellings_of_one_name_count_as_one_person(name: str, other: str) -> None:
    assert likeness(name, other) is likeness(other, name) is Likeness.SAME


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Kabir V. Demo", "Lata J. Demo"),
        ("Anil Demo", "Sunil Demo"),
        ("Ravi Demo", "Rani Demo"),
        ("Sunita Demo", "Anita Demo"),
        ("Kiran Demo", "Karan Demo"),
        ("Priya Demo", "Riya Demo"),
        ("Arjun Demo", "Arun Demo"),
        ("Lata J. Demo", "Jaya L. Demo"),
        ("Kabir Demo", "Demo"),
        ("Asha Demo", "Bilal"),
        ("आशा डेमो", "लता डेमो"),
    ],
)
def test_names_of_two_people_are_told_apart(name: str, other: Any) -> None:
    assert likeness(name, other) is likeness(other, name) is Likeness.OTHER


@pytest.mark.parametrize("kind", ["students", "attendance"])
async def test_a_name_that_differs_by_an_initial_is_accepted_and_noted(
    stage: Stage, rooms: tuple[Classroom, Classroom], kind: str
) -> None:
    line = ["1", "K. V. Demo", "CS301", "A", "2025-10-27", "P"]
    rows = [["Roll No", "Name", "Code", "Section", "Date", "Status"], line]
    done = await imported(stage.meera, kind, rows, dryRun="true")
    assert done["refused"] == 0
    said = "Names with an initial were taken for the same person: row 2 (Kabir V. Demo)."
    assert said in done["notes"]


async def test_repeated_lines_are_harmless_and_contradictory_ones_are_refused(
    stage: Stage, rooms: tuple[Classroom, Classroom]
) -> None:
    twice = [*OF_A, OF_A[1]]
    assert counts(await imported(stage.meera, "students", twice)) == (0, 0, 3, 0)
    marks = [*LIST[:1], [*LIST[1][:1], "Kabir V. Demo", *LIST[1][2:]]]
    done = await imported(stage.meera, "attendance", [*marks, marks[1]])
    assert done["marks"]["created"] == 1
    contradicting = [*marks, [*marks[1][:-1], "A"]]
    answer = await send(stage.meera, "/admin/import", csv(contradicting), kind="attendance")
    assert flaws(answer) == [("/rows/3/F", "contradiction")]
    assert (
        "Row 2 contradicts this one about the same student." in answer.json()["errors"][0]["detail"]
    )
