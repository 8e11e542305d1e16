"""Students who sign in, as the tests let them: for real, through the stand-in for Google."""

from typing import Any

import httpx2
import pytest

from app.demo.google import DemoGoogle
from tests.classroom import ROLLS
from tests.conftest import DOMAIN, Stage
from tests.support import Person

KIRAN = f"kiran@students.{DOMAIN}"


def let_in(stage: Stage, monkeypatch: pytest.MonkeyPatch, *, students: bool = True) -> None:
    """Whether students may sign in, for the rest of the test."""
    settings = stage.app.state.settings.model_copy(
        update={"student_sign_in": students, "google_hosted_domains": [f"students.{DOMAIN}"]}
    )
    monkeypatch.setitem(stage.app.state._state, "settings", settings)


async def id_of_roll(stage: Stage, roll: str) -> str:
    (student,) = (await stage.meera.get("/admin/students", params={"query": roll})).json()
    return str(student["studentId"])


async def give_address(stage: Stage, roll: str, address: str | None) -> None:
    """The office writes the address on the record."""
    path = f"/admin/students/{await id_of_roll(stage, roll)}"
    changed = await stage.meera.patch(path, {"dtuEmail": address})
    assert changed.status_code == 200, changed.text


async def try_to_sign_in(
    stage: Stage, google: DemoGoogle, address: str = KIRAN, **claims: Any
) -> httpx2.Response:
    token = google.signer.sign(address, **claims)
    return await stage.nobody.post("/auth/google", {"idToken": token})


async def signed_in(stage: Stage, google: DemoGoogle, address: str = KIRAN) -> Person:
    """The student with that address."""
    answer = await try_to_sign_in(stage, google, address)
    assert answer.status_code == 200, answer.text
    return Person(stage.asha.client, answer.json()["token"], email=address)


async def kiran_of(stage: Stage, google: DemoGoogle, roll: str = ROLLS[0]) -> Person:
    """The student of that roll number, who has signed in."""
    await give_address(stage, roll, KIRAN)
    return await signed_in(stage, google)
