"""Does the imports that people asked for, beside the requests: one at a time in each process.

Whichever process took a file wakes up for it. Otherwise each looks every few seconds for a run
that waits, or whose server has died. There is nothing else to start, and nothing is lost when a
server stops: its transaction is rolled back, and the run is taken up by the next that looks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from app import logs
from app.config import RuleSettings
from app.db import Database
from app.errors import AccessDenied, AppError, NotSignedIn, Unavailable
from app.files.sheets.choices import choices_of
from app.files.sheets.reading import read_beside
from app.logs import logger
from app.schemas.import_runs import RunState
from app.services.imports.conditions import Conditions
from app.services.imports.runs import doing
from app.services.imports.runs.doing import Claimed

FIRST_LOOK_SECONDS = 2
LOOK_SECONDS = 10
BEAT_SECONDS = 1
TIDY_SECONDS = 3600
# How long a stopping server waits for the database to take a run back.
GIVE_BACK_SECONDS = 3

_REMOVED = AccessDenied(
    "Whoever asked for this is no longer an administrator. Nothing was changed."
)
_INTERRUPTED = AppError(
    "This was tried several times, and each time the server was interrupted or the classes were "
    "in use. Nothing was changed. Please try again later."
)
_CRASHED = AppError("Something went wrong on our side. Nothing was changed. Please try again.")


class _Progress:
    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None

    def step(self, number: int) -> None:
        self.done += number


class Importer:
    """The imports of this process, by the institution's rules."""

    def __init__(self, rules: RuleSettings) -> None:
        self._rules = rules
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work now: something was asked for."""
        self._woken.set()

    @asynccontextmanager
    async def at_work(self, db: Database) -> AsyncIterator[None]:
        """Work while the block runs. What is not finished at its end is given back."""
        task = asyncio.create_task(self._work(db))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self, db: Database) -> None:
        tidied, pause = -float(TIDY_SECONDS), FIRST_LOOK_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)
            pause = LOOK_SECONDS
            self._woken.clear()
            now = asyncio.get_running_loop().time()
            try:
                if now - tidied >= TIDY_SECONDS:
                    await doing.tidy(db)
                    tidied = now
                while await self._do_one(db):
                    pass
            except AppError:
                # The database is away, or not set up yet: requests say so.
                continue
            except Exception as error:
                logger.error("%s between imports\n%s", type(error).__name__, logs.places(error))

    async def _do_one(self, db: Database) -> bool:
        """Do the next run, if there is one; whether to look for another at once."""
        run = await doing.claim(db)
        if run is None:
            return False
        progress = _Progress()
        beat = asyncio.create_task(_beat(db, run, progress))
        try:
            await self._do(db, run, progress)
        except doing.Lost:
            logger.warning("Another server has taken up import %s.", run.id)
        except Unavailable:
            # Somebody held a lock for too long, or the database is away: later.
            await doing.give_back(db, run, unspent=False)
            return False
        except asyncio.CancelledError:
            with suppress(AppError, TimeoutError):
                async with asyncio.timeout(GIVE_BACK_SECONDS):
                    await doing.give_back(db, run, unspent=True)
            raise
        finally:
            beat.cancel()
        return True

    async def _do(self, db: Database, run: Claimed, progress: _Progress) -> None:
        """Perform the run, or end it with the reason why it cannot be."""
        if run.attempts > doing.MOST_ATTEMPTS:
            await doing.refuse(db, run, RunState.FAILED, _INTERRUPTED)
            return
        try:
            await self._perform(db, run, progress)
        except (doing.Lost, Unavailable):
            raise
        except (NotSignedIn, AccessDenied):
            await doing.refuse(db, run, RunState.FAILED, _REMOVED)
        except AppError as refusal:
            await doing.refuse(db, run, RunState.REFUSED, refusal)
        except Exception as error:
            logger.error("%s in import %s\n%s", type(error).__name__, run.id, logs.places(error))
            await doing.refuse(db, run, RunState.FAILED, _CRASHED)

    async def _perform(self, db: Database, run: Claimed, progress: _Progress) -> None:
        options = run.options
        in_class = options.class_id is not None
        batch = await read_beside(run.kind, run.content, choices_of(options), in_class=in_class)
        progress.total = doing.size_of(batch)
        conditions = Conditions(
            datetime.now(self._rules.zone).date(),
            self._rules.edit_window_days,
            options.reason,
            options.trust_numbers,
        )
        await doing.perform(db, run, batch, conditions, progress.step)


async def _beat(db: Database, run: Claimed, progress: _Progress) -> None:
    """Say now and then that the run is alive, and how far it is."""
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with suppress(AppError):
            await doing.tell(db, run, progress.done, progress.total)
