"""The allow-list, users, student records and the audit log, as an administrator uses them."""

from typing import Any

import httpx2
import pytest

from app.files.attachments import XLSX
from tests.classroom import ROLLS, Classroom, classroom_of
from tests.conftest import DOMAIN, Stage
from tests.files import xlsx
from tests.support import next_of

pytestmark = pytest.mark.anyio

NEW = f"elif@{DOMAIN}"


async def listed(stage: Stage) -> dict[str, dict[str, Any]]:
    entries = (await stage.meera.get("/admin/allowed-emails")).json()
    return {entry["email"]: entry for entry in entries}


async def upload(stage: Stage, text: str | bytes, **query: str) -> httpx2.Response:
    content = text.encode() if isinstance(text, str) else text
    return await stage.meera.request(
        "POST",
        "/admin/uploads/allowed-emails",
        content=content,
        params=query,
        headers={"Content-Type": "text/csv"},
    )


async def actions(stage: Stage, **query: str) -> list[str]:
    entries = (await stage.meera.get("/admin/audit", params=query)).json()
    return [entry["action"] for entry in entries]


async def test_an_address_is_added_once_and_a_repeat_finds_it(stage: Stage) -> None:
    draft = {"email": f" {NEW} ", "name": "Elif Demo"}
    made = await stage.meera.post("/admin/allowed-emails", draft)
    again = await stage.meera.post("/admin/allowed-emails", draft | {"email": NEW.upper()})
    other = await stage.meera.post("/admin/allowed-emails", draft | {"role": "admin"})
    assert [answer.status_code for answer in (made, again, other)] == [201, 200, 409]
    assert made.json() == again.json() == (await listed(stage))[NEW]
    assert (made.json()["role"], made.json()["name"]) == ("teacher", "Elif Demo")
    assert await actions(stage) == ["email_allowed"]


@pytest.mark.parametrize("email", ["", "elif", "elif@demo", "élif@demo.example", "a b@c.example"])
async def test_something_that_is_not_an_address_is_refused(stage: Stage, email: str) -> None:
    answer = await stage.meera.post("/admin/allowed-emails", {"email": email})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/email"


async def test_a_role_changed_counts_from_the_next_request_on(
    stage: Stage, room: Classroom
) -> None:
    entry = (await listed(stage))[stage.bilal.email]
    path = f"/admin/allowed-emails/{entry['id']}"
    assert (await stage.bilal.get(room.path)).status_code == 403
    assert (await stage.meera.patch(path, {"role": "admin"})).json()["role"] == "admin"
    assert (await stage.bilal.get(room.path)).status_code == 200
    assert (await stage.meera.delete(path)).status_code == 204
    assert (await stage.bilal.get("/users/me")).status_code == 401


async def test_fields_left_out_of_a_change_stay(stage: Stage) -> None:
    entry = (await listed(stage))[stage.asha.email]
    path = f"/admin/allowed-emails/{entry['id']}"
    changed = (await stage.meera.patch(path, {"email": NEW})).json()
    assert (changed["email"], changed["name"], changed["role"]) == (NEW, "Asha Demo", "teacher")
    assert (await stage.meera.patch(path, {"name": None})).json()["name"] is None
    taken = await stage.meera.patch(path, {"email": stage.bilal.email.title()})
    assert (taken.status_code, taken.json()["code"]) == (409, "email_listed")


async def test_the_last_admin_can_be_neither_removed_demoted_nor_disabled(stage: Stage) -> None:
    entry = (await listed(stage))[stage.meera.email]
    path = f"/admin/allowed-emails/{entry['id']}"
    answers = [
        await stage.meera.delete(path),
        await stage.meera.patch(path, {"role": "teacher"}),
        await stage.meera.patch(f"/admin/users/{stage.meera.user_id}", {"disabled": True}),
        await upload(stage, f"email,role\n{stage.meera.email},teacher\n"),
    ]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert {answer.json()["code"] for answer in answers} == {"last_admin"}
    assert (await stage.meera.get("/users/me")).json()["role"] == "admin"


async def test_a_csv_lets_all_of_its_addresses_in(stage: Stage) -> None:
    text = (
        f"\ufeffRole,Email,Name\r\nadmin,{NEW},Elif Demo\r\n,{stage.asha.email},\r\n"
        f"admin,{stage.bilal.email},\r\n"
    )
    rehearsed = await upload(stage, text, dryRun="true")
    assert NEW not in await listed(stage)
    done = await upload(stage, text)
    assert done.json() == rehearsed.json() == {"added": 1, "changed": 1, "unchanged": 1}
    entries = await listed(stage)
    assert (entries[NEW]["role"], entries[NEW]["name"]) == ("admin", "Elif Demo")
    assert entries[stage.bilal.email]["role"] == "admin"
    assert entries[stage.asha.email]["name"] == "Asha Demo"
    assert (await upload(stage, text)).json() == {"added": 0, "changed": 0, "unchanged": 3}


async def test_a_csv_with_bad_lines_names_them_all_and_changes_nothing(stage: Stage) -> None:
    answer = await upload(stage, f"email,role\n{NEW},teacher\nnobody,dean\n")
    assert answer.status_code == 422
    assert [flaw["pointer"] for flaw in answer.json()["errors"]] == ["/rows/3/A", "/rows/3/B"]
    assert answer.json()["detail"].startswith("Nothing was imported. Row 3, column A: ")
    assert answer.json()["code"] == "invalid_csv"
    assert NEW not in await listed(stage)


@pytest.mark.parametrize(
    "content", [b"", b"name\nElif", b"email\n\xff", b'email\n"open', b"email\n" + b"x\n" * 10_001]
)
async def test_a_file_that_is_not_a_csv_is_refused(stage: Stage, content: bytes) -> None:
    assert (await upload(stage, content)).status_code == 422


async def test_a_csv_may_have_names_of_any_script_and_empty_lines(stage: Stage) -> None:
    name = "ശ്രീ\u200dജ\u00a0Demo"
    answer = await upload(stage, f"email,name,role\r\n{NEW},{name},\r\n,,\r\n\r\n , ,\r\n")
    assert answer.json() == {"added": 1, "changed": 0, "unchanged": 0}
    assert (await listed(stage))[NEW]["name"] == name


async def test_a_workbook_of_people_is_read_like_a_csv(stage: Stage) -> None:
    answer = await stage.meera.request(
        "POST",
        "/admin/uploads/allowed-emails",
        content=xlsx([["email", "name"], [NEW, "Elif Demo"]]),
        headers={"Content-Type": XLSX},
    )
    assert answer.json() == {"added": 1, "changed": 0, "unchanged": 0}


async def test_a_csv_needs_its_content_type(stage: Stage) -> None:
    answer = await stage.meera.request(
        "POST", "/admin/uploads/allowed-emails", content=b"email\n", headers={"Content-Type": "a/b"}
    )
    assert answer.status_code == 415


async def test_a_disabled_user_is_refused_until_enabled_again(stage: Stage) -> None:
    path = f"/admin/users/{stage.asha.user_id}"
    first = (await stage.meera.patch(path, {"disabled": True})).json()["disabledAt"]
    again = (await stage.meera.patch(path, {"disabled": True})).json()["disabledAt"]
    assert first is not None
    assert first == again
    assert (await stage.asha.get("/users/me")).status_code == 401
    assert (await stage.meera.patch(path, {"disabled": False})).json()["disabledAt"] is None
    assert (await stage.asha.get("/users/me")).status_code == 200
    assert await actions(stage) == ["user_enabled", "user_disabled", "user_disabled"]


async def test_department_and_employee_id_show_in_the_profile(stage: Stage) -> None:
    path = f"/admin/users/{stage.asha.user_id}"
    await stage.meera.patch(path, {"department": "गणित", "employeeId": "E-17"})
    await stage.meera.patch(path, {"employeeId": None})
    me = (await stage.asha.get("/users/me")).json()
    assert (me["department"], me["employeeId"]) == ("गणित", None)


async def test_users_are_found_whether_or_not_they_may_sign_in(stage: Stage) -> None:
    users = (await stage.meera.get("/admin/users")).json()
    roles = {user["email"].partition("@")[0]: user["role"] for user in users}
    assert roles["ravi"] is None
    assert roles["meera"] == "admin"
    found = (await stage.meera.get("/admin/users", params={"query": "BILAL"})).json()
    assert [user["name"] for user in found] == ["Bilal Demo"]


async def test_each_page_of_a_list_continues_where_the_last_ended(
    stage: Stage, room: Classroom
) -> None:
    await room.enrol(*ROLLS, "23/CS/104", "23/CS/105")
    for path in ("/admin/students", "/admin/users", "/admin/allowed-emails", "/admin/audit"):
        whole = (await stage.meera.get(path)).json()
        paged, following = [], f"{path}?limit=2"
        while following:
            page = await stage.meera.get(following)
            paged += page.json()
            following = next_of(page)
        assert paged == whole
        assert len(whole) > 2


async def student(stage: Stage, query: str) -> dict[str, Any]:
    (found,) = (await stage.meera.get("/admin/students", params={"query": query})).json()
    return found


@pytest.mark.parametrize("query", ["cs/101", "student 101", "ELIF@", "टीना 101"])
async def test_a_student_is_found_by_part_of_roll_name_or_address(
    stage: Stage, room: Classroom, query: str
) -> None:
    entry = {"rollNo": ROLLS[0], "name": "Student 101 टीना 101", "email": f"elif@{DOMAIN}"}
    await stage.asha.put(f"{room.path}/students?mode=merge", {"students": [entry]})
    assert (await student(stage, query))["rollNo"] == ROLLS[0]


@pytest.mark.parametrize("query", ["%", "_", "\\", "nobody"])
async def test_a_search_takes_every_character_as_it_is(
    stage: Stage, room: Classroom, query: str
) -> None:
    assert (await stage.meera.get("/admin/students", params={"query": query})).json() == []


async def test_a_mistyped_roll_number_is_corrected_with_all_its_marks(
    stage: Stage, room: Classroom
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "present"})
    found = await student(stage, ROLLS[0])
    path = f"/admin/students/{found['studentId']}"
    answer = await stage.meera.patch(path, {"rollNo": " 23/CS/199 ", "phone": "+91 00000 00000"})
    assert (answer.json()["rollNo"], answer.json()["name"]) == ("23/CS/199", "Student 101")
    marks = (await stage.asha.get(f"/attendance/sessions/{session}")).json()["statuses"]
    assert [mark["rollNo"] for mark in marks] == ["23/CS/199"]
    assert (await room.mark(session, {"23/cs/199": "late"})).json()["rejected"] == []
    taken = await stage.meera.patch(path, {"rollNo": ROLLS[1].lower()})
    assert (taken.status_code, taken.json()["code"]) == (409, "roll_number_taken")


async def test_giving_a_class_away_and_enrolling_are_in_the_audit_log(
    stage: Stage, room: Classroom
) -> None:
    await room.enrol(*ROLLS[:2])
    await stage.meera.patch(room.path, {"teacherId": str(stage.bilal.user_id)})
    (given,) = (await stage.meera.get(f"/admin/audit?subjectId={room.id}")).json()
    assert given["action"] == "class_reassigned"
    assert given["details"] == {
        "from": str(stage.asha.user_id),
        "to": str(stage.bilal.user_id),
    }
    assert given["actorId"] == str(stage.meera.user_id)
    by_asha = await actions(stage, actorId=str(stage.asha.user_id))
    assert sorted(by_asha) == ["student_enrolled"] * 3 + ["student_withdrawn"]
    assert await actions(stage, action="student_withdrawn") == ["student_withdrawn"]
    assert await actions(stage, to="2020-01-01") == []


async def test_the_audit_log_names_nobody(stage: Stage, room: Classroom) -> None:
    await stage.meera.post("/admin/allowed-emails", {"email": NEW, "name": "Elif Demo"})
    found = await student(stage, ROLLS[0])
    await stage.meera.patch(
        f"/admin/students/{found['studentId']}", {"name": "Uma Secret", "phone": "12345"}
    )
    shown = (await stage.meera.get("/admin/audit")).text
    for secret in (NEW, "Elif", "Uma", "12345", "23/CS"):
        assert secret not in shown


async def test_a_roster_that_changes_nothing_records_nothing(stage: Stage) -> None:
    room = await classroom_of(stage.asha, "CS777", [ROLLS[0]])
    before = await actions(stage)
    await room.enrol(ROLLS[0])
    await room.enrol(ROLLS[0], ROLLS[1], dryRun="true")
    assert await actions(stage) == before


@pytest.mark.parametrize(
    "instant", ["x", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-10-27"]
)
async def test_a_handmade_cursor_of_the_audit_log_is_answered(stage: Stage, instant: str) -> None:
    cursor = f"{instant}~{stage.meera.user_id}"
    answer = await stage.meera.get("/admin/audit", params={"cursor": cursor})
    assert answer.status_code in (200, 422)


async def test_one_entry_and_one_user_are_read_by_their_ids(stage: Stage) -> None:
    for path in ("/admin/allowed-emails", "/admin/users"):
        for each in (await stage.meera.get(path)).json():
            assert (await stage.meera.get(f"{path}/{each['id']}")).json() == each
        gone = await stage.meera.get(f"{path}/b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d")
        assert gone.status_code == 404


async def test_ids_of_the_audit_log_have_names_while_their_things_are_there(
    stage: Stage, room: Classroom
) -> None:
    student_id = (await room.document())["students"][0]["studentId"]
    session = await room.open("2025-10-20")
    added = (await stage.meera.post("/admin/allowed-emails", {"email": NEW})).json()["id"]
    days = {"firstDay": "2025-10-13", "lastDay": "2025-10-24", "kind": "medical"}
    leave = (await stage.meera.post("/leaves", {"rollNo": ROLLS[0], **days})).json()["id"]
    term = {"name": "Autumn", "firstDay": "2025-07-21", "lastDay": "2025-12-05"}
    made = (await stage.meera.post("/admin/terms", term)).json()["id"]
    fair = {"name": "Fair", "firstDay": "2025-10-31"}
    holiday = (await stage.meera.post("/admin/holidays", fair)).json()["id"]
    expected = {
        str(stage.meera.user_id): ("user", "Meera Demo"),
        student_id: ("student", f"{ROLLS[0]} Student 101"),
        room.id: ("class", "CS301 Operating Systems A"),
        session: ("session", "CS301 A 2025-10-20"),
        added: ("allowed_email", NEW),
        leave: ("leave", f"{ROLLS[0]} Student 101"),
        made: ("term", "Autumn"),
        holiday: ("holiday", "Fair"),
    }
    gone = "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"
    answer = await stage.meera.post("/admin/audit/names", {"ids": [*expected, gone]})
    assert {each["id"]: (each["kind"], each["name"]) for each in answer.json()} == expected
