"""Rosters: replaced or extended, without losing history or overwriting others' data."""

import re
import unicodedata
from typing import Any

import pytest

from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import Stage
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio


async def put(person: Person, room: Classroom, *students: dict[str, Any], query: str = "") -> Any:
    return await person.put(f"{room.path}/students{query}", {"students": list(students)})


async def names(room: Classroom) -> dict[str, str]:
    return {s["rollNo"]: s["name"] for s in (await room.document())["students"]}


async def test_the_list_becomes_the_roster(stage: Stage, room: Classroom) -> None:
    answer = await room.enrol(ROLLS[1], "23/CS/200")
    assert answer["added"] == ["23/CS/200"]
    assert answer["removed"] == [ROLLS[0], ROLLS[2]]
    assert [s["rollNo"] for s in answer["students"]] == [ROLLS[1], "23/CS/200"]
    assert list(await names(room)) == [ROLLS[1], "23/CS/200"]


async def test_merging_only_adds(room: Classroom) -> None:
    answer = await room.enrol("23/CS/200", mode="merge")
    assert (answer["added"], answer["removed"]) == (["23/CS/200"], [])
    assert list(await names(room)) == [*ROLLS, "23/CS/200"]


async def test_a_dry_run_answers_the_same_and_changes_nothing(
    stage: Stage, room: Classroom
) -> None:
    before = await checksum(stage.connection)
    answer = await room.enrol("23/CS/200", dryRun="true")
    assert (answer["added"], answer["removed"]) == (["23/CS/200"], ROLLS)
    assert await checksum(stage.connection) == before


GUESS = {"rollNo": ROLLS[0], "name": "Kiran Demo", "email": "kiran@demo.university.example"}


async def rehearsed(person: Person, room: Classroom, how: str) -> bytes:
    """The answer to a dry run with `GUESS`, sent as a list or as a file."""
    if how == "list":
        answer = await put(person, room, GUESS, query="?mode=merge&dryRun=true")
    else:
        lines = ["Roll No,Name,E-mail", ",".join(GUESS.values())]
        path, text = f"{room.path}/students/import?dryRun=true", "\n".join(lines)
        headers = {"Content-Type": "text/csv"}
        answer = await person.post(path, content=text.encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("how", ["list", "file"])
async def test_a_dry_run_reveals_nothing_about_students_in_no_class_of_the_teacher(
    stage: Stage, room: Classroom, how: str
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [])
    real = f"SELECT id FROM students WHERE roll_no = '{ROLLS[0]}'"
    secret = str(await stage.connection.fetchval(real)).encode()
    answers = {await rehearsed(stage.bilal, other, how)}
    stored = [GUESS, GUESS | {"name": "Somebody Else"}, GUESS | {"email": "else@x.example"}]
    for entry in (*stored, {"rollNo": ROLLS[0].lower(), "phone": "+91 1"}):
        await put(stage.meera, room, entry, query="?mode=merge")
        before = await checksum(stage.connection)
        answers.add(await rehearsed(stage.bilal, other, how))
        assert await checksum(stage.connection) == before
    await stage.connection.execute("UPDATE students SET name = '', email = NULL")
    answers.add(await rehearsed(stage.bilal, other, how))
    assert not any(secret in answer for answer in answers)
    # As for an unknown student, the id differs each time.
    assert len({re.sub(rb'"studentId":"[^"]+"', b"", answer) for answer in answers}) == 1


@pytest.mark.parametrize("how", ["list", "file"])
async def test_a_dry_run_reveals_nothing_new_about_students_who_left_the_class(
    stage: Stage, room: Classroom, how: str
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [])
    await put(stage.bilal, other, GUESS | {"from": str(day(-30))})
    await put(stage.bilal, other)
    answers = set()
    for name in ("Kiran Demo", "Somebody Else"):
        await put(stage.meera, room, GUESS | {"name": name}, query="?mode=merge")
        answers.add(await rehearsed(stage.bilal, other, how))
    assert len(answers) == 1
    again = await put(stage.bilal, other, GUESS | {"from": str(day(-5))}, query="?dryRun=true")
    assert (again.status_code, again.json()["code"]) == (422, "within_earlier_period")


async def test_a_dry_run_compares_with_the_records_of_the_teachers_own_students(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS999", ROLLS[:1])
    await put(stage.meera, room, GUESS | {"phone": "+91 1"}, query="?mode=merge")
    given = {"rollNo": ROLLS[0], "phone": "+91 2"}
    for person in (stage.asha, stage.bilal):
        mine = room if person is stage.asha else other
        seen = (await put(person, mine, given, query="?mode=merge&dryRun=true")).json()
        assert seen["conflicts"] == [{"rollNo": ROLLS[0], "field": "phone"}]
        assert seen["students"][0]["phone"] == "+91 1"
    everything = await put(stage.meera, room, given, query="?mode=merge&dryRun=true")
    assert everything.json()["students"][0]["phone"] == "+91 2"


async def test_sending_the_same_roster_again_changes_nothing(stage: Stage, room: Classroom) -> None:
    before = await checksum(stage.connection)
    answer = await room.enrol(*ROLLS)
    assert (answer["added"], answer["removed"]) == ([], [])
    assert await checksum(stage.connection) == before


async def test_emptying_a_roster_needs_confirmation(stage: Stage, room: Classroom) -> None:
    refused = await put(stage.asha, room)
    assert (refused.status_code, refused.json()["code"]) == (409, "confirmation_needed")
    emptied = await put(stage.asha, room, query="?confirm=true")
    assert emptied.json()["removed"] == ROLLS


async def test_the_last_student_can_be_removed_by_an_empty_list(
    stage: Stage, room: Classroom
) -> None:
    await room.enrol(ROLLS[0])
    assert (await put(stage.asha, room)).json()["removed"] == [ROLLS[0]]


@pytest.mark.parametrize("spelling", [" 23/cs/101 ", "23/Cs/101"])
async def test_roll_numbers_compare_by_key_and_keep_their_first_spelling(
    stage: Stage, room: Classroom, spelling: str
) -> None:
    answer = await put(stage.asha, room, {"rollNo": spelling}, query="?mode=merge")
    assert answer.json()["added"] == []
    assert list(await names(room)) == ROLLS


async def test_composed_and_decomposed_letters_are_the_same_roll_number(
    stage: Stage, room: Classroom
) -> None:
    composed, decomposed = "23/É/1", unicodedata.normalize("NFD", "23/é/1")
    first = await put(stage.asha, room, {"rollNo": composed}, query="?mode=merge")
    assert first.json()["added"] == [composed]
    again = await put(stage.asha, room, {"rollNo": decomposed}, query="?mode=merge")
    assert again.json()["added"] == []
    twice = await put(stage.asha, room, {"rollNo": composed}, {"rollNo": decomposed})
    assert twice.status_code == 422
    assert twice.json()["errors"][0]["pointer"] == "/students/1/rollNo"


@pytest.mark.parametrize("nothing", [{}, {"name": None}, {"name": ""}, {"name": " "}])
async def test_a_blank_never_erases_what_is_stored(
    stage: Stage, room: Classroom, nothing: dict[str, Any]
) -> None:
    await put(stage.asha, room, {"rollNo": ROLLS[0], **nothing}, query="?mode=merge")
    assert (await names(room))[ROLLS[0]] == "Student 101"


async def test_additional_fields_that_the_app_sends_are_ignored(
    stage: Stage, room: Classroom
) -> None:
    answer = await put(stage.asha, room, {"rollNo": "1", "name": "X", "isSelected": True})
    assert answer.status_code == 200


async def test_a_teacher_changes_a_student_who_is_in_no_other_teachers_class(
    stage: Stage, room: Classroom
) -> None:
    answer = await put(
        stage.asha, room, {"rollNo": ROLLS[0], "name": "Renamed Demo"}, query="?mode=merge"
    )
    assert answer.json()["conflicts"] == []
    assert (await names(room))[ROLLS[0]] == "Renamed Demo"


async def test_a_teacher_only_fills_gaps_of_a_student_of_another_teachers_class(
    stage: Stage, room: Classroom
) -> None:
    other = await classroom_of(stage.bilal, "CS999", [])
    answer = await put(
        stage.bilal, other, {"rollNo": ROLLS[0], "name": "Changed", "phone": "+91 1"}
    )
    assert answer.json()["conflicts"] == [{"rollNo": ROLLS[0], "field": "name"}]
    (student,) = answer.json()["students"]
    assert (student["name"], student["phone"]) == ("Student 101", "+91 1")
    mine = await put(stage.asha, room, {"rollNo": ROLLS[0], "phone": "+91 2"}, query="?mode=merge")
    assert mine.json()["conflicts"] == [{"rollNo": ROLLS[0], "field": "phone"}]
    admin = await put(
        stage.meera, room, {"rollNo": ROLLS[0], "phone": "+91 3"}, query="?mode=merge"
    )
    assert admin.json()["conflicts"] == []
    assert admin.json()["students"][0]["phone"] == "+91 3"


async def test_a_removed_student_keeps_their_history_and_leaves_today(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "present", ROLLS[1]: "late"})
    await room.enrol(*ROLLS[1:])
    stats = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()
    assert [s["rollNo"] for s in stats] == ROLLS[1:]
    everybody = await stage.asha.get(f"/stats/classes/{room.id}/students?include=withdrawn")
    assert [s["rollNo"] for s in everybody.json()] == ROLLS
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert [m["rollNo"] for m in marks] == ROLLS[:2]
    await room.enrol(*ROLLS)
    back = (await stage.asha.get(f"/stats/classes/{room.id}/students")).json()[0]
    assert (back["rollNo"], back["present"], back["total"]) == (ROLLS[0], 1, 1)
    assert await stage.count("class_students") == 3


async def test_two_thousand_students_are_accepted_and_one_more_is_refused(
    stage: Stage, room: Classroom
) -> None:
    students = [{"rollNo": f"R{n}", "name": "X"} for n in range(2001)]
    assert (await put(stage.asha, room, *students)).status_code == 422
    taken = await put(stage.asha, room, *students[:2000])
    assert len(taken.json()["students"]) == 2000
