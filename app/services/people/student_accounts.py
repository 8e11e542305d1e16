"""Signing in as a student: by the institution's address on a record of theirs.

Only an address that an administrator has confirmed lets anybody in: teachers fill in addresses, and
must not decide who sees a record.
"""

import asyncpg

from app.db import Database, Transaction
from app.errors import AccessDenied
from app.schemas.auth import SignedInRole
from app.services.audit import RECORDED
from app.services.people import accounts
from app.services.people.signed_in import SignedIn, bound_elsewhere, disabled, not_allowed
from app.sql import Statement

# Sign-ins of one student wait for each other, and for changes of the record.
_LOCK = Statement(
    """
locked AS (
    SELECT id, lower(btrim(confirmed_email)) IS NOT DISTINCT FROM lower(btrim(:email)) AS confirmed
    FROM students WHERE lower(btrim(dtu_email)) = lower(btrim(:email))
    ORDER BY roll_key COLLATE "C" FOR NO KEY UPDATE
)""",
    """
SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE confirmed), '{}') AS confirmed,
       coalesce(array_agg(id ORDER BY id) FILTER (WHERE NOT confirmed), '{}') AS unconfirmed
FROM locked
""",
)

# The office learns of an address once a day, however often somebody tries.
_REPORT = Statement(
    """
acts AS (
    SELECT 'student_sign_in_refused' AS action, 'student' AS subject,
           (:student_ids::uuid[])[1] AS subject_id,
           jsonb_build_object('students', :student_ids, 'code', :code::text) AS details
    WHERE NOT EXISTS (
        SELECT FROM audit_log l
        WHERE l.subject_id = (:student_ids)[1] AND l.action = 'student_sign_in_refused'
          AND l.details ->> 'code' = :code AND l.at >= current_date)
)""",
    RECORDED,
    "SELECT",
)

# The address has moved to another record, and the account moves with it.
_LEAVE_OTHERS = Statement("""
DELETE FROM student_accounts
WHERE issuer = :issuer AND subject = :subject AND student_id <> :student_id AND disabled_at IS NULL
""")

# Bound once, only the same subject gets in with the same address. With another address on the
# record it is the office that has said who the student is now.
_BIND = Statement(
    """
bound AS (
    INSERT INTO student_accounts AS a (student_id, issuer, subject, email, last_login_at)
    SELECT :student_id, :issuer, :subject, btrim(:email), now()
    WHERE NOT EXISTS (
        SELECT FROM student_accounts
        WHERE issuer = :issuer AND subject = :subject AND student_id <> :student_id)
    ON CONFLICT (student_id) DO UPDATE
    SET issuer = excluded.issuer, subject = excluded.subject, email = excluded.email,
        last_login_at = excluded.last_login_at
    WHERE a.disabled_at IS NULL
      AND ((a.issuer, a.subject) = (excluded.issuer, excluded.subject)
           OR lower(btrim(a.email)) <> lower(btrim(excluded.email)))
    RETURNING a.id
)""",
    """
SELECT (SELECT id FROM bound) AS id, coalesce(nullif(s.name, ''), :name) AS name, EXISTS (
    SELECT FROM student_accounts
    WHERE disabled_at IS NOT NULL
      AND (student_id = :student_id OR (issuer, subject) = (:issuer, :subject))) AS disabled
FROM students s WHERE s.id = :student_id
""",
)


async def sign_in(
    db: Database,
    issuer: str,
    subject: str,
    email: str,
    name: str,
    *,
    students: bool,
    request_id: str,
) -> SignedIn:
    """The user behind a verified account, or else, with `students`, the student of that address.

    `AccessDenied` for neither, and where the address is on several records or not confirmed: an
    entry of the audit log then names these.
    """
    user = await accounts.find_user(db, issuer, subject, email, name)
    if user is not None:
        return user
    if not students:
        raise not_allowed()
    async with db.transaction() as tx:
        found = await tx.row(_LOCK, email=email)
        if len(found["confirmed"]) == 1:
            who = {"issuer": issuer, "subject": subject, "student_id": found["confirmed"][0]}
            return await _bind(tx, who, email, name or email)
        refusal = _refusal(found)
        ids = found["confirmed"] or found["unconfirmed"]
        if ids:
            reported = {"student_ids": ids, "code": refusal.code}
            await tx.execute(_REPORT, **reported, actor_id=None, request_id=request_id)
    raise refusal


def _refusal(found: asyncpg.Record) -> AccessDenied:
    if found["confirmed"]:
        return _ambiguous()
    return _unconfirmed() if found["unconfirmed"] else not_allowed()


async def _bind(tx: Transaction, who: dict[str, object], email: str, name: str) -> SignedIn:
    await tx.execute(_LEAVE_OTHERS, **who)
    row = await tx.row(_BIND, **who, email=email, name=name)
    if row["id"] is None:
        raise disabled() if row["disabled"] else bound_elsewhere()
    return SignedIn(row["id"], email, row["name"], SignedInRole.STUDENT)


def _ambiguous() -> AccessDenied:
    return AccessDenied(
        "This address is on the records of several students. "
        "Ask your institution's office to correct it.",
        code="address_ambiguous",
    )


def _unconfirmed() -> AccessDenied:
    return AccessDenied(
        "Your institution's office has not confirmed this address yet. Ask it to.",
        code="address_unconfirmed",
    )
