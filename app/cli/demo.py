"""`aims demo`: data to look at, or to measure with."""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from app.cli.people import on_database
from app.config import load_settings
from app.db import Database
from app.demo import bench_data
from app.demo.department import COURSES, TEACHERS
from app.demo.google import sub_of
from app.demo.load import load_department
from app.errors import Conflict
from app.services import health


class Scale(StrEnum):
    DEPARTMENT = "department"
    BENCH = "bench"


def demo(
    scale: Annotated[
        Scale, typer.Option(help="A department to look at, or 480,000 marks to measure with")
    ] = Scale.DEPARTMENT,
) -> None:
    """Fill the database of DATABASE_URL with invented people, classes and attendance.

    Only with DEBUG=true, because demo people may sign in, and only while there are no classes.
    """
    settings = load_settings()
    if not settings.debug:
        sys.exit("aims: demo people are let in only with DEBUG=true.")
    now = datetime.now(settings.zone)
    if scale is Scale.BENCH:
        teacher, steps = "t1@demo.university.example", bench_data.SESSIONS
        _fill(steps, lambda db, step: bench_data.fill(db, now, step))
    else:
        teacher, steps = TEACHERS[0][0], len(COURSES)
        _fill(steps, lambda db, step: load_department(db, now, sub_of, step))
    print(f"Done. ./aims token {teacher} makes a token to look at it with.")


def _fill(steps: int, load: Callable[[Database, Callable[[], None]], Awaitable[None]]) -> None:
    async def work(db: Database) -> None:
        await health.require_current_schema(db)
        if await health.has_classes(db):
            raise Conflict("The database has classes already: demo data needs one without any.")
        with typer.progressbar(length=steps, label="Making demo data") as bar:
            await load(db, lambda: bar.update(1))

    on_database(work)
