"""What the database says no to: an outage, an installation that lacks something, or our mistake."""

import pytest

from app.services.people import accounts
from app.sql import Statement
from tests.classroom import Classroom
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

LACKING = {
    "REVOKE SELECT ON audit_log FROM aims_app": ("database_rights_missing", "table audit_log"),
    "REVOKE INSERT ON audit_log FROM aims_app": ("database_rights_missing", "table audit_log"),
    "ALTER TABLE audit_log RENAME TO audit": ("schema_not_current", '"audit_log"'),
    "ALTER TABLE audit_log RENAME COLUMN details TO more": ("schema_not_current", "details"),
    "ALTER VIEW v_enrolment_attendance RENAME TO v": (
        *("schema_not_current", '"v_enrolment_attendance"'),
    ),
    "REVOKE USAGE ON SCHEMA as_of FROM aims_app": ("database_rights_missing", "schema as_of"),
    "ALTER FUNCTION attendance_below RENAME TO below": ("schema_not_current", "attendance_below"),
}


@pytest.mark.parametrize("change", LACKING)
async def test_a_missing_database_object_is_a_503_and_the_log_names_it(
    stage: Stage, room: Classroom, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    code, named = LACKING[change]
    await stage.connection.execute(f"SET ROLE NONE; {change}; SET ROLE aims_app")
    answers = [
        await stage.meera.get("/admin/audit"),
        await stage.meera.post("/admin/allowed-emails", {"email": "new@demo.university.example"}),
        await stage.asha.get(f"/stats/classes/{room.id}/students"),
        await stage.asha.get(f"/stats/classes/{room.id}/students?asOf=2001-01-01T00:00:00Z"),
    ]
    refused = [answer for answer in answers if answer.is_error]
    assert refused
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (503, code)
        assert "administrator" in answer.json()["detail"]
        assert named not in answer.text
    assert [entry for entry in caplog.messages if named in entry]
    assert "demo.university.example" not in caplog.text


OWN_MISTAKES = {
    "an argument of another type": "SELECT :actor_id::integer AS verdict",
    "an argument too many": "SELECT 'granted' AS verdict",
    "an argument too few": "SELECT :actor_id::uuid, :class_id::uuid",
    "a parameter by number": "SELECT :actor_id::uuid, $2::uuid",
}


@pytest.mark.parametrize("mistake", OWN_MISTAKES)
async def test_a_statement_with_wrong_arguments_is_a_bug_and_not_an_outage(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mistake: str,
) -> None:
    monkeypatch.setattr(accounts, "_ME", Statement(OWN_MISTAKES[mistake]))
    answer = await stage.asha.get("/users/me")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert f"in request {answer.json()['instance']}" in caplog.text
    assert "accounts.py" in caplog.text
    assert str(stage.asha.user_id) not in caplog.text
