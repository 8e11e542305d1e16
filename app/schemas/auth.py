"""Signing in."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, Strict

from app.models.user import Role
from app.schemas.words import Answer, Instant, Words


class GoogleSignIn(Words):
    """`idToken` is the ID token that Google's sign-in gave to the app."""

    id_token: Annotated[str, Strict(), Field(min_length=1, max_length=16_384)]


class SignedInUser(Answer):
    id: UUID
    email: str
    name: str
    role: Role


class SignIn(Answer):
    """`token` goes into `Authorization: Bearer <token>` until `expiresAt`."""

    token: str
    expires_at: Instant
    user: SignedInUser
