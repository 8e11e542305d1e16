"""Who has signed in, or why they may not."""

from dataclasses import dataclass
from uuid import UUID

from app.errors import AccessDenied
from app.schemas.auth import SignedInRole


@dataclass(frozen=True)
class SignedIn:
    """`id` is what a token names: the id of the user, or of the student's account."""

    id: UUID
    email: str
    name: str
    role: SignedInRole


def not_allowed() -> AccessDenied:
    return AccessDenied(
        "This account is not on the list of people who may use AIMS. Ask your administrator.",
        code="account_not_allowed",
    )


def disabled() -> AccessDenied:
    return AccessDenied(
        "This account has been disabled. Ask your administrator.", code="account_disabled"
    )


def bound_elsewhere() -> AccessDenied:
    return AccessDenied(
        "This address already belongs to another account here. Ask your administrator.",
        code="account_mismatch",
    )
