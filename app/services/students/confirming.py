"""Confirming the institution's addresses by which students sign in."""

from collections.abc import Iterable

from app.db import Transaction
from app.services.access import STAFF, Actor
from app.sql import Statement

_CONFIRM = Statement(
    STAFF,
    """
given AS (SELECT * FROM unnest(:roll_keys::text[], :addresses::text[]) AS g(roll_key, address))""",
    """
UPDATE students s SET confirmed_email = s.dtu_email
FROM given
WHERE s.roll_key = given.roll_key AND lower(btrim(s.dtu_email)) = lower(btrim(given.address))
  AND s.confirmed_email IS DISTINCT FROM s.dtu_email
  AND EXISTS (SELECT FROM staff WHERE role = 'admin')
""",
)


async def confirm_addresses(
    tx: Transaction, actor: Actor, addresses: Iterable[tuple[str, str]]
) -> None:
    """Confirm these addresses by roll key, where they are stored, if the actor is an administrator.

    The students are locked. Of anybody else nothing is confirmed.
    """
    pairs = list(addresses)
    if not pairs:
        return
    await tx.execute(
        _CONFIRM,
        actor_id=actor.user_id,
        roll_keys=[key for key, _ in pairs],
        addresses=[address for _, address in pairs],
    )
