"""Students sign in, by the institution's address on their record, and see their own rows."""

from typing import Any

import pytest

from app.demo.google import DemoGoogle
from tests.classroom import ROLLS, Classroom
from tests.conftest import DOMAIN, Stage
from tests.students import (
    KIRAN,
    give_address,
    id_of_roll,
    kiran_of,
    let_in,
    signed_in,
    try_to_sign_in,
)
from tests.support import Person

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def students_sign_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    let_in(stage, monkeypatch)


@pytest.fixture
async def kiran(stage: Stage, room: Classroom, google: DemoGoogle) -> Person:
    """The first student of Asha's class."""
    return await kiran_of(stage, google)


async def put(
    person: Person, room: Classroom, address: str, roll: str = ROLLS[0]
) -> list[dict[str, str]]:
    """Give the address by a roster; the values that were kept instead."""
    students = [{"rollNo": roll, "name": "Student 101", "dtuEmail": address}]
    answer = await person.put(f"{room.path}/students?mode=merge", {"students": students})
    assert answer.status_code == 200, answer.text
    conflicts: list[dict[str, str]] = answer.json()["conflicts"]
    return conflicts


async def record_of(stage: Stage, roll: str) -> dict[str, Any]:
    (record,) = (await stage.meera.get("/admin/students", params={"query": roll})).json()
    return {name: record[name] for name in ("dtuEmail", "dtuEmailConfirmed")}


async def refusal(person: Person, path: str = "/my/attendance") -> tuple[int, str]:
    answer = await person.get(path)
    return answer.status_code, answer.json()["code"]


async def test_a_student_signs_in_by_the_address_on_their_record(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    await give_address(stage, ROLLS[0], f" {KIRAN.upper()} ")
    answer = await try_to_sign_in(stage, google)
    assert answer.status_code == 200
    user = answer.json()["user"]
    assert (user["role"], user["email"], user["name"]) == ("student", KIRAN, "Student 101")
    again = await try_to_sign_in(stage, google)
    assert again.json()["user"] == user


async def test_an_address_on_no_record_is_not_allowed(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    answer = await try_to_sign_in(stage, google)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_not_allowed")
    assert await stage.count("student_accounts") == 0


async def test_where_students_do_not_sign_in_no_student_gets_in(
    stage: Stage, kiran: Person, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in(stage, monkeypatch, students=False)
    answer = await try_to_sign_in(stage, google)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_not_allowed")
    assert await refusal(kiran) == (401, "not_signed_in")
    assert await refusal(stage.asha) == (403, "access_denied")


async def test_an_address_on_two_records_lets_nobody_in_and_the_office_learns_of_it(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    await give_address(stage, ROLLS[1], KIRAN)
    assert await refusal(kiran) == (401, "not_signed_in")
    for _ in range(2):
        answer = await try_to_sign_in(stage, google)
        assert (answer.status_code, answer.json()["code"]) == (403, "address_ambiguous")
    entries = await stage.meera.get("/admin/audit?action=student_sign_in_refused")
    (entry,) = entries.json()
    both = [await id_of_roll(stage, roll) for roll in ROLLS[:2]]
    assert entry["details"] == {"students": sorted(both), "code": "address_ambiguous"}
    assert entry["actorId"] is None
    await give_address(stage, ROLLS[1], None)
    assert (await kiran.get("/my/attendance")).status_code == 200


async def test_a_member_of_staff_who_studies_too_signs_in_as_staff(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    await give_address(stage, ROLLS[0], stage.chitra.email)
    answer = await try_to_sign_in(stage, google, stage.chitra.email)
    assert answer.json()["user"]["role"] == "teacher"
    assert await stage.count("student_accounts") == 0


async def test_another_account_on_the_same_address_is_refused(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    answer = await try_to_sign_in(stage, google, sub="somebody-else")
    assert (answer.status_code, answer.json()["code"]) == (403, "account_mismatch")


async def test_a_disabled_account_is_refused_and_its_token_too(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    await stage.connection.execute("UPDATE student_accounts SET disabled_at = now()")
    assert await refusal(kiran) == (401, "not_signed_in")
    answer = await try_to_sign_in(stage, google)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_disabled")
    await give_address(stage, ROLLS[0], f"new@students.{DOMAIN}")
    await give_address(stage, ROLLS[1], KIRAN)
    answer = await try_to_sign_in(stage, google)
    assert (answer.status_code, answer.json()["code"]) == (403, "account_disabled")


async def test_an_address_that_the_office_changes_ends_the_access_until_they_sign_in_again(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    new = f"kiran.k@students.{DOMAIN}"
    await give_address(stage, ROLLS[0], new)
    assert await refusal(kiran) == (401, "not_signed_in")
    assert (await try_to_sign_in(stage, google)).status_code == 403
    again = await signed_in(stage, google, new)
    assert (await again.get("/my/attendance")).status_code == 200
    # Put back, the former account is over all the same: the address may be somebody else's now.
    await give_address(stage, ROLLS[0], KIRAN)
    assert await refusal(kiran) == await refusal(again) == (401, "not_signed_in")
    assert (await try_to_sign_in(stage, google, sub="the-new-one")).status_code == 200


async def test_an_address_that_is_cleared_and_given_again_may_be_somebody_elses(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    await give_address(stage, ROLLS[0], None)
    await give_address(stage, ROLLS[0], KIRAN)
    assert await refusal(kiran) == (401, "not_signed_in")
    assert (await try_to_sign_in(stage, google, sub="the-new-one")).status_code == 200
    assert (await try_to_sign_in(stage, google)).json()["code"] == "account_mismatch"


async def test_an_address_that_comes_to_another_record_takes_its_account_along(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    set_ = "UPDATE students SET dtu_email = $1, confirmed_email = $1 WHERE roll_no = $2"
    await stage.connection.execute(set_, None, ROLLS[0])
    await stage.connection.execute(set_, KIRAN, ROLLS[1])
    assert await refusal(kiran) == (401, "not_signed_in")
    answer = await try_to_sign_in(stage, google)
    assert answer.json()["user"]["name"] == "Student 102"
    assert await stage.count("student_accounts") == 1


async def test_a_teacher_changes_no_address_that_a_student_has_signed_in_with(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    assert await put(stage.asha, room, f"typo@students.{DOMAIN}") == []
    assert await put(stage.asha, room, KIRAN) == []
    kiran = await kiran_of(stage, google)
    conflict = {"rollNo": ROLLS[0], "field": "dtuEmail"}
    assert await put(stage.asha, room, f"mine@students.{DOMAIN}") == [conflict]
    assert await put(stage.asha, room, KIRAN) == []
    assert (await kiran.get("/my/attendance")).status_code == 200
    assert await put(stage.meera, room, f"new@students.{DOMAIN}") == []
    assert await refusal(kiran) == (401, "not_signed_in")


@pytest.mark.parametrize("roll", [ROLLS[0], "23/CS/199"])
@pytest.mark.parametrize("who", ["asha", "meera"])
async def test_no_roster_lets_anybody_in_until_the_office_confirms_the_address(
    stage: Stage, room: Classroom, google: DemoGoogle, who: str, roll: str
) -> None:
    assert await put(getattr(stage, who), room, KIRAN, roll) == []
    assert await record_of(stage, roll) == {"dtuEmail": KIRAN, "dtuEmailConfirmed": False}
    for _ in range(2):
        answer = await try_to_sign_in(stage, google)
        assert (answer.status_code, answer.json()["code"]) == (403, "address_unconfirmed")
    (entry,) = (await stage.meera.get("/admin/audit?action=student_sign_in_refused")).json()
    record = await id_of_roll(stage, roll)
    assert (entry["subjectId"], entry["actorId"]) == (record, None)
    assert entry["details"] == {"students": [record], "code": "address_unconfirmed"}
    await give_address(stage, roll, KIRAN)
    assert await record_of(stage, roll) == {"dtuEmail": KIRAN, "dtuEmailConfirmed": True}
    assert (await try_to_sign_in(stage, google)).status_code == 200


@pytest.mark.parametrize("students", [True, False])
async def test_a_teacher_takes_no_confirmed_address_elsewhere(
    stage: Stage,
    room: Classroom,
    google: DemoGoogle,
    monkeypatch: pytest.MonkeyPatch,
    students: bool,
) -> None:
    """Not even before students sign in: who may see a record is the office's to say, always."""
    let_in(stage, monkeypatch, students=students)
    await give_address(stage, ROLLS[0], KIRAN)
    stranger = f"stranger@students.{DOMAIN}"
    conflict = {"rollNo": ROLLS[0], "field": "dtuEmail"}
    assert await put(stage.asha, room, stranger) == [conflict]
    assert await record_of(stage, ROLLS[0]) == {"dtuEmail": KIRAN, "dtuEmailConfirmed": True}
    # The app of an administrator sends back what it was shown.
    assert await put(stage.meera, room, stranger) == []
    let_in(stage, monkeypatch)
    answer = await try_to_sign_in(stage, google, stranger)
    assert (answer.status_code, answer.json()["code"]) == (403, "address_unconfirmed")
    assert await put(stage.asha, room, KIRAN) == []
    assert (await try_to_sign_in(stage, google)).status_code == 200


async def test_a_teacher_keeps_nobody_out_by_their_address_on_another_record(
    stage: Stage, room: Classroom, kiran: Person, google: DemoGoogle
) -> None:
    assert await put(stage.asha, room, KIRAN, ROLLS[1]) == []
    assert (await kiran.get("/my/attendance")).status_code == 200
    assert (await try_to_sign_in(stage, google)).json()["user"]["name"] == "Student 101"


async def test_access_ends_with_the_confirmation(stage: Stage, kiran: Person) -> None:
    await stage.connection.execute("UPDATE students SET confirmed_email = NULL")
    assert await refusal(kiran) == (401, "not_signed_in")


@pytest.mark.parametrize(("who", "status"), [("asha", 403), ("meera", 200)])
async def test_an_administrators_file_confirms_the_addresses_in_it(
    stage: Stage, room: Classroom, google: DemoGoogle, who: str, status: int
) -> None:
    assert await put(stage.asha, room, KIRAN) == []
    imported = await getattr(stage, who).request(
        "POST",
        f"{room.path}/students/import",
        content=f"Roll No,Name,University Email\n{ROLLS[0]},Student 101,{KIRAN}\n",
        headers={"Content-Type": "text/csv"},
    )
    assert imported.status_code == 200, imported.text
    assert (await try_to_sign_in(stage, google)).status_code == status


async def test_what_a_teacher_entered_stays_unconfirmed_when_records_are_merged(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    await put(stage.asha, room, KIRAN)
    this, other = [await id_of_roll(stage, roll) for roll in (ROLLS[1], ROLLS[0])]
    merged = await stage.meera.post(f"/admin/students/{this}/merge", {"otherId": other})
    assert merged.status_code == 200, merged.text
    assert await record_of(stage, ROLLS[1]) == {"dtuEmail": KIRAN, "dtuEmailConfirmed": False}
    assert (await try_to_sign_in(stage, google)).json()["code"] == "address_unconfirmed"


@pytest.mark.parametrize(
    ("kept", "address", "fate"),
    [
        (0, KIRAN, "kept"),
        (1, None, "moved"),
        (1, KIRAN, "moved"),
        (1, f"new@students.{DOMAIN}", "removed"),
    ],
)
async def test_an_account_goes_with_the_record_that_stays(
    stage: Stage, kiran: Person, kept: int, address: str | None, fate: str
) -> None:
    this, other = [await id_of_roll(stage, ROLLS[n]) for n in (kept, 1 - kept)]
    if kept == 1:
        await stage.connection.execute(
            "UPDATE students SET dtu_email = $1 WHERE id = $2", address, this
        )
    merged = await stage.meera.post(f"/admin/students/{this}/merge", {"otherId": other})
    assert merged.status_code == 200, merged.text
    (entry,) = (await stage.meera.get("/admin/audit?action=students_merged")).json()
    assert entry["details"] == {"other": other, "accounts": [fate]}
    expected = 401 if fate == "removed" else 200
    assert (await kiran.get("/my/attendance")).status_code == expected


async def test_of_two_accounts_the_one_of_the_record_that_stays_remains(
    stage: Stage, kiran: Person, google: DemoGoogle
) -> None:
    second = f"second@students.{DOMAIN}"
    await give_address(stage, ROLLS[1], second)
    other = await signed_in(stage, google, second)
    this, that = [await id_of_roll(stage, roll) for roll in ROLLS[:2]]
    await stage.meera.post(f"/admin/students/{this}/merge", {"otherId": that})
    assert (await kiran.get("/my/attendance")).status_code == 200
    assert await refusal(other) == (401, "not_signed_in")
    (entry,) = (await stage.meera.get("/admin/audit?action=students_merged")).json()
    assert entry["details"]["accounts"] == ["kept", "removed"]
