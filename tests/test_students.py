"""Students sign in, by the institution's address on their record, and see their own rows."""

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
    assert entry["details"] == {"students": sorted(both)}
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
    set_ = "UPDATE students SET dtu_email = $1 WHERE roll_no = $2"
    await stage.connection.execute(set_, None, ROLLS[0])
    await stage.connection.execute(set_, KIRAN, ROLLS[1])
    assert await refusal(kiran) == (401, "not_signed_in")
    answer = await try_to_sign_in(stage, google)
    assert answer.json()["user"]["name"] == "Student 102"
    assert await stage.count("student_accounts") == 1


async def test_a_teacher_changes_no_address_that_a_student_has_signed_in_with(
    stage: Stage, room: Classroom, google: DemoGoogle
) -> None:
    async def put(person: Person, address: str) -> list[dict[str, str]]:
        students = [{"rollNo": ROLLS[0], "dtuEmail": address}]
        path = f"{room.path}/students?mode=merge"
        return (await person.put(path, {"students": students})).json()["conflicts"]

    assert await put(stage.asha, f"typo@students.{DOMAIN}") == []
    assert await put(stage.asha, KIRAN) == []
    kiran = await signed_in(stage, google)
    conflict = {"rollNo": ROLLS[0], "field": "dtuEmail"}
    assert await put(stage.asha, f"mine@students.{DOMAIN}") == [conflict]
    assert await put(stage.asha, KIRAN) == []
    assert (await kiran.get("/my/attendance")).status_code == 200
    new = f"new@students.{DOMAIN}"
    assert await put(stage.meera, new) == []
    assert await refusal(kiran) == (401, "not_signed_in")
    assert (await try_to_sign_in(stage, google, new)).status_code == 200


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
