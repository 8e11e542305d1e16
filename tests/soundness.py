"""What `aims verify` would say of the database of a test."""

from app.db import Database
from app.services.verifying import verify
from tests.conftest import Stage


async def disagreements(db: Database) -> list[str]:
    """Where the database disagrees with itself."""
    verdicts = await verify.verify(db, await verify.parts_of(db))
    return [f"{verdict.holds} {place}" for verdict in verdicts for place in verdict.places]


async def assert_sound(stage: Stage) -> None:
    assert await disagreements(stage.app.state.database) == []
