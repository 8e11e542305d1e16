"""The signed-in person."""

from app.schemas.auth import Role
from app.schemas.words import Answer, Instant, UserId, example


class Me(
    Answer,
    json_schema_extra=example(
        email="asha@demo.university.example",
        name="Asha Demo",
        role="teacher",
        department="Computer Science",
        employeeId="DEMO-17",
        lastLoginAt="2025-10-27T03:28:12.907431Z",
    ),
):
    id: UserId
    email: str
    name: str
    role: Role
    department: str | None
    employee_id: str | None
    last_login_at: Instant | None
    created_at: Instant
