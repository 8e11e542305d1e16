"""The signed-in person."""

from app.schemas.auth import SignedInUser
from app.schemas.words import Instant


class Me(SignedInUser):
    department: str | None
    employee_id: str | None
    last_login_at: Instant | None
    created_at: Instant
