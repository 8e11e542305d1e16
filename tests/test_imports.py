"""Imports of rosters, classes, timetables and people from files: all or nothing."""

from typing import Any

import httpx2
import pytest

from tests.classroom import ROLLS, Classroom, classroom_of, day
from tests.conftest import DOMAIN, Stage
from tests.files import csv, xlsx
from tests.support import Person, checksum

pytestmark = pytest.mark.anyio

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Rows = list[list[Any]]


async def send(person: Person, path: str, content: bytes, **query: Any) -> httpx2.Response:
    kind = XLSX if content.startswith(b"PK") else "text/csv"
    return await person.request(
        "POST", path, content=content, params=query, headers={"Content-Type": kind}
    )


async def imported(person: Person, kind: str, rows: Rows, **query: Any) -> dict[str, Any]:
    answer = await send(person, "/admin/import", csv(rows), kind=kind, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(outcome: dict[str, Any]) -> tuple[int, ...]:
    return tuple(outcome[name] for name in ("created", "changed", "unchanged", "refused"))


def flaws(answer: httpx2.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(flaw["pointer"], flaw["code"]) for flaw in answer.json()["errors"]]


ROSTER: Rows = [
    ["University Roll", "Student Name", "Sem", "Fees"],
    [ROLLS[0], "Student 101 Demo", 5, "paid"],
    ["23/CS/200", "Kavya C. Demo", 5, "due"],
]


@pytest.mark.parametrize("write", [csv, xlsx])
async def test_a_teacher_adds_students_from_a_file_and_nobody_is_removed(
    stage: Stage, room: Classroom, write: Any
) -> None:
    path = f"{room.path}/students/import"
    before = await checksum(stage.connection)
    tried = await send(stage.asha, path, write(ROSTER), dryRun="true")
    assert await checksum(stage.connection) == before
    done = await send(stage.asha, path, write(ROSTER))
    assert done.json() == tried.json() | {"dryRun": False}
    assert counts(done.json()) == (1, 1, 0, 0)
    assert done.json()["ignoredColumns"] == ["D"]
    assert [(row["row"], row["outcome"]) for row in done.json()["rows"]] == [
        (2, "changed"),
        (3, "created"),
    ]
    students = {s["rollNo"]: s for s in (await room.document())["students"]}
    assert list(students) == [*ROLLS, "23/CS/200"]
    assert (students[ROLLS[0]]["name"], students[ROLLS[0]]["semester"]) == ("Student 101 Demo", "5")
    after = await checksum(stage.connection)
    assert counts((await send(stage.asha, path, write(ROSTER))).json()) == (0, 0, 2, 0)
    assert await checksum(stage.connection) == after


async def test_a_value_that_other_teachers_rely_on_is_kept_and_reported(
    stage: Stage, room: Classroom
) -> None:
    await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    done = await send(stage.asha, f"{room.path}/students/import", csv(ROSTER))
    assert done.json()["conflicts"] == [{"sheet": None, "row": 2, "field": "name"}]
    names = {s["rollNo"]: s["name"] for s in (await room.document())["students"]}
    assert names[ROLLS[0]] == "Student 101"


async def test_a_roster_with_bad_rows_names_them_all_and_changes_nothing(
    stage: Stage, room: Classroom
) -> None:
    rows: Rows = [
        ["Roll No", "Name", "Code", "Section", "From"],
        ["1", "Kabir", "CS301", "A", day(500)],
        ["", "Nobody", "CS301", "A", ""],
        ["2", "Kavya", "CS302", "", ""],
        ["3", "Lata", "", "B", ""],
        ["4", "Mira", "cs301", "a", ""],
        ["4 ", "Lata", "", "", ""],
    ]
    path = f"{room.path}/students/import"
    before = await checksum(stage.connection)
    other = await classroom_of(stage.bilal, "CS999", [])
    by_id: Rows = [["Roll No", "Class id"], ["1", room.id], ["2", other.id]]
    refused = await send(stage.asha, path, csv(by_id))
    assert flaws(refused) == [("/rows/3", "another_class")]
    before = await checksum(stage.connection)
    refused = await send(stage.asha, path, csv(rows))
    assert flaws(refused) == [
        ("/rows/2/E", "too_far_ahead"),
        ("/rows/3/A", "required"),
        ("/rows/4/C", "another_class"),
        ("/rows/5/C", "another_class"),
        ("/rows/7/A", "contradiction"),
    ]
    detail = refused.json()["detail"]
    assert detail.startswith("Nothing was imported. Row 2, column E: This day is more than")
    assert detail.endswith(" There are 4 more.")
    tried = (await send(stage.asha, path, csv(rows), dryRun="true")).json()
    assert counts(tried) == (1, 0, 0, 5)
    assert [row["row"] for row in tried["rows"]] == [2, 3, 4, 5, 7, 6]
    assert await checksum(stage.connection) == before


async def test_twenty_of_many_refusals_are_shown_and_the_rest_counted(
    stage: Stage, room: Classroom
) -> None:
    rows: Rows = [["Roll No", "Name"], *(["", "Nobody"] for _ in range(2_000))]
    refused = await send(stage.asha, f"{room.path}/students/import", csv(rows))
    assert len(flaws(refused)) == 20
    assert refused.json()["detail"].endswith(" There are 1999 more.")
    tried = await send(stage.asha, f"{room.path}/students/import", csv(rows), dryRun="true")
    assert len(tried.json()["rows"]) == 1_000
    assert tried.json()["moreRows"] == 1_000
    crowd: Rows = [["Roll No"], *([n] for n in range(2_001))]
    refused = await send(stage.asha, f"{room.path}/students/import", csv(crowd))
    assert flaws(refused) == [("/rows/2002/A", "too_many")]


async def test_four_files_create_a_department_and_importing_them_again_changes_nothing(
    stage: Stage,
) -> None:
    term = {"name": "Monsoon 2025", "firstDay": "2025-08-04", "lastDay": "2025-12-05"}
    assert (await stage.meera.post("/admin/terms", term)).status_code == 201
    farah = f"farah@{DOMAIN}"
    files: dict[str, Rows] = {
        "faculty": [["Email Id", "Name", "Role"], [farah, "Farah Demo", "Teacher"]],
        "classes": [
            ["Course Code", "Course Name", "Section", "Faculty Email", "L-T-P Pattern", "Term"],
            ["CS401", "Compilers", "A", farah, "3-0-0", "monsoon 2025"],
            ["CS401", "Compilers", "B", stage.bilal.email, "", ""],
        ],
        "schedules": [
            ["Code", "Section", "Day", "Start", "End"],
            ["CS401", "A", "Monday", "9:00", "10:00"],
            ["cs401", "A", "Wed", "09:00", "10:30 am"],
            ["CS401", "B", "2", "14:00", "3:00 pm"],
        ],
        "students": [
            ["Roll No", "Student Name", "Code", "Section", "Joined"],
            ["23/CS/107", "Kabir V. Demo", "CS401", "A", "04/08/2025"],
            ["23/CS/108", "Kavya C. Demo", "CS401", "A", "2025-08-04"],
            ["23/CS/107", "", "CS401", "B", ""],
        ],
    }
    made = [counts(await imported(stage.meera, kind, rows)) for kind, rows in files.items()]
    assert made == [(1, 0, 0, 0), (2, 0, 0, 0), (3, 0, 0, 0), (3, 0, 0, 0)]
    classes = (await stage.meera.get("/classes", params={"term": "all"})).json()
    first, second = classes
    assert (first["section"], first["ltpPattern"]) == ("A", "3-0-0")
    assert [(slot["dayOfWeek"], slot["end"]) for slot in first["schedule"]] == [
        (1, "10:00"),
        (3, "10:30"),
    ]
    assert [(s["name"], s["enrolledFrom"]) for s in first["students"]] == [
        ("Kabir V. Demo", "2025-08-04"),
        ("Kavya C. Demo", "2025-08-04"),
    ]
    assert second["teacherId"] == str(stage.bilal.user_id)
    before = await checksum(stage.connection)
    again = [counts(await imported(stage.meera, kind, rows)) for kind, rows in files.items()]
    assert again == [(0, 0, n, 0) for n in (1, 2, 3, 3)]
    assert await checksum(stage.connection) == before


async def test_a_file_changes_what_it_states_and_an_empty_cell_erases_nothing(
    stage: Stage, room: Classroom
) -> None:
    slot = {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00"}
    await stage.asha.post(f"{room.path}/schedules", slot)
    await stage.asha.patch(room.path, {"ltpPattern": "3-1-0"})
    move = {"originalDate": "2025-10-27", "rescheduledDate": "2025-10-29"}
    move |= {"rescheduledStartTime": "15:00", "rescheduledEndTime": "16:00"}
    await stage.asha.post(f"{room.path}/reschedules", move)
    classes: Rows = [
        ["Code", "Name", "Section", "Teacher", "LTP"],
        ["CS301", "Systems", "a", stage.asha.email, ""],
    ]
    slots: Rows = [["Code", "Day", "Start", "End"], ["CS301", "Mon", "9:00", "9:50"]]
    assert counts(await imported(stage.meera, "classes", classes)) == (0, 1, 0, 0)
    assert counts(await imported(stage.meera, "schedules", slots)) == (0, 1, 0, 0)
    document = await room.document()
    assert (document["name"], document["section"], document["ltpPattern"]) == (
        *("Systems", "A", "3-1-0"),
    )
    assert [slot["end"] for slot in document["schedule"]] == ["09:50"]
    assert [moved["originalEndTime"] for moved in document["reschedules"]] == ["09:50"]


REFUSED: dict[str, tuple[Rows, list[tuple[str, str]]]] = {
    "faculty": (
        [["Email", "Role"], ["x@y.example", "dean"], ["nobody"], ["a@b.example"], ["A@b.example"]],
        [("/rows/2/B", "invalid_role"), ("/rows/3/A", "invalid_email"), ("/rows/5/A", "repeated")],
    ),
    "classes": (
        [
            ["Code", "Name", "Section", "Teacher", "Term"],
            ["CS1", "One", "A", "ghost@demo.university.example", ""],
            ["CS1", "One", "A", "bilal@demo.university.example", "Winter"],
            ["CS2", "", "A", "bilal@demo.university.example", ""],
            ["CS3", "Three", "A", "bilal@demo.university.example", ""],
            ["cs3", "Three", "A", "bilal@demo.university.example", ""],
        ],
        [
            ("/rows/2/D", "unknown_teacher"),
            ("/rows/3/E", "unknown_term"),
            ("/rows/4/B", "required"),
            ("/rows/6/A", "repeated"),
        ],
    ),
    "schedules": (
        [
            ["Code", "Section", "Day", "Start", "End"],
            ["CS301", "A", "1", "9:00", "10:00"],
            ["CS301", "A", "1", "9:30", "10:30"],
            ["CS301", "A", "2", "10:00", "9:00"],
            ["CS777", "A", "1", "9:00", "10:00"],
            ["CS302", "", "1", "9:00", "10:00"],
            ["CS303", "", "1", "9:00", "10:00"],
        ],
        [
            ("/rows/2/D", "slot_overlaps"),
            ("/rows/3/D", "slot_overlaps"),
            ("/rows/4/E", "ends_before_start"),
            ("/rows/5/A", "unknown_class"),
            ("/rows/6/A", "ambiguous_class"),
            ("/rows/7/A", "class_archived"),
        ],
    ),
    "students": (
        [
            ["Roll No", "Name", "Code", "Section"],
            ["1", "Kabir", "CS301", "A"],
            ["1", "Kavya", "CS302", "A"],
            ["2", "Lata", "", ""],
        ],
        [("/rows/3/B", "contradiction"), ("/rows/4/C", "required")],
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_file_with_bad_rows_names_them_all_and_changes_nothing(
    stage: Stage, room: Classroom, kind: str
) -> None:
    for section in ("A", "B"):
        body = {"code": "CS302", "name": "Networks", "section": section}
        await stage.asha.post("/classes", body)
    old = await classroom_of(stage.asha, "CS303")
    await old.open()
    await stage.asha.delete(old.path)
    rows, expected = REFUSED[kind]
    before = await checksum(stage.connection)
    refused = await send(stage.meera, "/admin/import", csv(rows), kind=kind)
    assert flaws(refused) == expected
    assert refused.json()["code"] == "import_refused"
    assert counts(await imported(stage.meera, kind, rows, dryRun="true"))[3] == len(expected)
    assert await checksum(stage.connection) == before


async def test_a_list_of_people_without_roles_demotes_nobody(stage: Stage) -> None:
    rows: Rows = [["Email", "Role"], [stage.bilal.email, "admin"]]
    await imported(stage.meera, "faculty", rows)
    rows = [["Email", "Name"], [stage.bilal.email, "Bilal the Second"], [f"farah@{DOMAIN}", ""]]
    assert counts(await imported(stage.meera, "faculty", rows)) == (1, 1, 0, 0)
    entries = (await stage.meera.get("/admin/allowed-emails")).json()
    roles = {entry["email"]: (entry["role"], entry["name"]) for entry in entries}
    assert roles[stage.bilal.email] == ("admin", "Bilal the Second")
    assert roles[f"farah@{DOMAIN}"] == ("teacher", None)


async def test_a_file_cannot_demote_the_last_administrator(stage: Stage) -> None:
    content = csv([["Email", "Role"], [stage.meera.email, "teacher"]])
    refused = await send(stage.meera, "/admin/import", content, kind="faculty")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin")


async def test_the_audit_log_records_an_import_and_who_ran_it(
    stage: Stage, room: Classroom
) -> None:
    await imported(stage.meera, "faculty", [["Email"], [f"farah@{DOMAIN}"]])
    await send(stage.asha, f"{room.path}/students/import", csv(ROSTER))
    entries = (await stage.meera.get("/admin/audit")).json()
    assert [(entry["action"], entry["actorId"]) for entry in entries[:2]] == [
        ("student_enrolled", str(stage.asha.user_id)),
        ("email_allowed", str(stage.meera.user_id)),
    ]


async def test_a_file_needs_its_own_content_type_and_may_be_larger_than_json(
    stage: Stage, room: Classroom
) -> None:
    path = f"{room.path}/students/import"
    assert (await stage.asha.post(path, {"students": []})).status_code == 415
    # The content type is checked before access, but the file is read only after both.
    assert (await stage.bilal.post(path, {"students": []})).status_code == 415
    assert (await send(stage.bilal, path, b"PK\x03\x04")).status_code == 403
    large = csv([*ROSTER, *([""] * 40 for _ in range(80_000))])
    assert 2 * 1024**2 < len(large) < 10 * 1024**2
    assert (await send(stage.asha, path, large)).status_code == 200
    refused = await send(stage.nobody, path, b"x" * (10 * 1024**2 + 1))
    assert refused.status_code == 413
    assert "10 MiB" in refused.json()["detail"]
    for wrong in (b"", b"\xff\xfe\x00", b"PK\x03\x04"):
        assert (await send(stage.asha, path, wrong)).json()["code"] == "unreadable_file"


async def test_columns_and_marks_can_be_mapped_in_the_query(stage: Stage, room: Classroom) -> None:
    rows = [["Seat", "2025-08-04", "2025-08-05"], [ROLLS[0], "L", "T"]]
    query = {"kind": "attendance", "classId": room.id, "dryRun": "true"}
    said = {"columns": "roll_no=Seat", "marks": "L=excused;T=late"}
    answer = await send(stage.meera, "/admin/import", csv(rows), **query, **said)
    assert "Marks were read so: L is excused (1), T is late (1)." in answer.json()["notes"]
    refused = await send(stage.meera, "/admin/import", csv(rows), **query, marks="L")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_choice")
    refused = await send(stage.meera, "/admin/import", csv(rows), **query, sheet="A\0")
    assert (refused.status_code, refused.json()["code"]) == (422, "control_character")
