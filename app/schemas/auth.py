"""Signing in."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, Strict

from app.schemas.words import Answer, Instant, UserId, Words, example


class Role(StrEnum):
    """What the allow-list says of those who work here."""

    TEACHER = "teacher"
    ADMIN = "admin"


class SignedInRole(StrEnum):
    """Who has signed in: somebody who works here, or a student."""

    TEACHER = "teacher"
    ADMIN = "admin"
    STUDENT = "student"


class GoogleSignIn(Words, json_schema_extra=example(idToken="<the ID token from Google>")):
    """`idToken` is the ID token that Google's sign-in gave to the app."""

    id_token: Annotated[str, Strict(), Field(min_length=1, max_length=16_384)]


class SignedInUser(
    Answer, json_schema_extra=example(email="asha@demo.university.example", name="Asha Demo")
):
    """`id` is that of the user, or of a student's account."""

    id: UserId
    email: str
    name: str
    role: SignedInRole


class SignIn(Answer, json_schema_extra=example(token="<the token of this API>")):
    """`token` goes into `Authorization: Bearer <token>` until `expiresAt`."""

    token: str
    expires_at: Instant
    user: SignedInUser
