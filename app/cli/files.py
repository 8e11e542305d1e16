"""What commands that read files share: reading the file, and finding who imports it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from app.config import RuleSettings
from app.db import Database, open_database
from app.errors import Conflict
from app.services import health
from app.services.people.allow_list import only_admin, user_of


def content_of(file: Path, most: int) -> bytes:
    """Read the whole file, of at most `most` bytes; on failure, end the command."""
    try:
        with file.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        sys.exit(f"aims: {file} cannot be read: {error.strerror}.")
    if len(content) > most:
        sys.exit(f"aims: {file} is larger than {most // 1024**2} MiB. Divide it into several.")
    return content


@asynccontextmanager
async def database_as_admin(
    rules: RuleSettings, email: str | None
) -> AsyncIterator[tuple[Database, UUID]]:
    """Open the database, which must have this version's tables, and find the administrator with
    this address, or the only one; if there are several or none, end the command."""
    async with open_database(rules.database_url, rules.timezone) as db:
        await health.require_current_schema(db)
        try:
            address = email or await only_admin(db)
        except Conflict as conflict:
            sys.exit(f"aims: {conflict.detail} Add --as ADDRESS.")
        yield db, await user_of(db, address)
