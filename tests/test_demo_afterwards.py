"""What becomes of the demo's attendance afterwards: a question, and sessions opened again."""

import asyncpg
import pytest
from fastapi import FastAPI

from tests.test_demo import department, department_url, signed_in

__all__ = ["department", "department_url"]  # fixtures, used by their names

pytestmark = pytest.mark.anyio


async def test_asha_has_a_question_to_answer(app: FastAPI, department: asyncpg.Connection) -> None:
    async with signed_in(app, department, "asha") as asha:
        (question,) = (await asha.get("/questions?status=open")).json()
        assert (question["code"], question["section"]) == ("CS301", "A")
        assert question["mark"] == question["said"] == "absent"
        given = {"outcome": "declined", "answer": "I called you twice."}
        answered = await asha.post(f"/questions/{question['id']}/answer", given)
        assert answered.status_code == 200


async def test_meera_has_opened_sessions_again_to_correct_a_mark(
    app: FastAPI, department: asyncpg.Connection
) -> None:
    opened = "SELECT DISTINCT session_id FROM session_events WHERE status = 'open'"
    corrected = []
    async with signed_in(app, department, "meera") as meera:
        for event in await department.fetch(opened):
            path = f"/attendance/sessions/{event['session_id']}"
            last, again, first = (await meera.get(f"{path}/events")).json()
            assert (bool(again["reason"]), again["actorName"]) == (True, "Meera Demo")
            assert first["at"] < again["at"] < last["at"]
            newest = (await meera.get(f"{path}/history?limit=1")).json()[0]
            # Who was on leave that day was excused already.
            if again["at"] < newest["changedAt"] < last["at"]:
                corrected.append(newest["to"]["status"])
    assert {*corrected} == {"excused"}
