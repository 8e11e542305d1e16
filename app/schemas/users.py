"""The signed-in person."""

from app.schemas.auth import SignedInUser
from app.schemas.words import Instant, example


class Me(
    SignedInUser,
    json_schema_extra=example(
        email="asha@demo.university.example",
        name="Asha Demo",
        role="teacher",
        department="Computer Science",
        employeeId="DEMO-17",
        lastLoginAt="2025-10-27T03:28:12.907431Z",
    ),
):
    department: str | None
    employee_id: str | None
    last_login_at: Instant | None
    created_at: Instant
