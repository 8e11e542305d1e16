"""The demo has a question of a student, for the page Today."""

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
