"""One class: where its students stand, its meetings and sessions, and its register as files."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.files.register import register_file
from app.heavy import heavy
from app.schemas.register import Register, RegisterFormat
from app.services.classes import class_service
from app.services.counting import registers, session_stats, student_stats
from app.services.counting.registers import LISTED, PRINTED
from app.services.timetable import occurrences
from app.web.charts import charts
from app.web.classes import figures
from app.web.frame.pages import PageRoute, Visit, read
from app.web.today.today import STATES

router = APIRouter(prefix="/app/classes/{id}", route_class=PageRoute, include_in_schema=False)

_BACK, _AHEAD = timedelta(days=7), timedelta(days=7)
_PLANNED = timedelta(days=28)
_LATEST = 10
# So many columns of a blank sheet fit beside names on paper.
_BLANK_COLUMNS = 8


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    class_ = await the_class(visit, id)
    students = read(
        await student_stats.of_class(visit.db, visit.actor, id, withdrawn=False, as_of=None)
    )
    sessions = read(await session_stats.of_class(visit.db, visit.actor, id, as_of=None))
    today = visit.now().date()
    return visit.page(
        "classes/class.html",
        class_=class_,
        students=students,
        meetings=await meetings_of(visit, id, today - _BACK, today + _AHEAD),
        takes_until=takes_until(visit, class_),
        latest=sessions[: -_LATEST - 1 : -1],
        states=STATES,
        pictures=_pictures(sessions, students) if sessions else [],
    )


@router.get("/sheet")
async def blank_sheet(visit: Visit, id: UUID) -> Response:
    """A sheet to mark by hand, with a column for each of the next meetings."""
    class_ = await the_class(visit, id, roster=True)
    today = visit.now().date()
    planned = await meetings_of(visit, id, today, today + _PLANNED)
    ahead = [meeting for meeting in planned if meeting["state"] in ("in_progress", "upcoming")]
    return visit.page(
        "classes/sheet.html",
        class_=class_,
        meetings=ahead[:_BLANK_COLUMNS],
        empty=range(max(0, _BLANK_COLUMNS - len(ahead))),
    )


@router.get("/register")
@heavy
async def register(visit: Visit, id: UUID, format: RegisterFormat) -> Response:
    bounds = LISTED if format is RegisterFormat.CSV else PRINTED
    document = await registers.register(visit.db, visit.actor, id, None, None, bounds)
    content = Register.model_validate_json(document.json)
    file = await register_file.written(content, format, visit.now(), visit.settings.register_font)
    headers = register_file.header_of(content, format)
    return Response(file, 200, headers, register_file.MEDIA_TYPES[format])


async def the_class(visit: Visit, id: UUID, *, roster: bool = False) -> dict[str, Any]:
    """The class as the API has it: with its students, or with how many it has."""
    found: dict[str, Any] = read(
        await class_service.get_class(visit.db, visit.actor, id, roster=roster)
    )
    return found


async def meetings_of(visit: Visit, id: UUID, first: date, last: date) -> list[dict[str, Any]]:
    """When the class meets from the one day to the other, both included."""
    found: list[dict[str, Any]] = read(
        await occurrences.of_class(visit.db, visit.actor, id, first, last, visit.now())
    )
    return found


def takes_until(visit: Visit, class_: dict[str, Any]) -> str:
    """The last day for which attendance can be taken; empty for an archived class."""
    return "" if class_["archivedAt"] else str(visit.now().date() + timedelta(days=1))


def _pictures(
    sessions: list[dict[str, Any]], students: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The charts of the class."""
    return [
        charts.figure(
            charts.columns,
            "by-session",
            "Attendance by session",
            f"A column for each of {len(sessions)} sessions, oldest first, as high as the "
            "percentage of students who attended it.",
            figures.by_session(sessions),
            heads=("Session", "Attendance"),
        ),
        charts.figure(
            charts.columns,
            "by-weekday",
            "Attendance by weekday",
            "A column for each weekday, as high as the average of its sessions.",
            figures.by_weekday(sessions),
            heads=("Weekday", "Average of its sessions"),
        ),
        charts.figure(
            charts.bars,
            "by-standing",
            "Students by standing",
            "A bar for each standing, as long as the number of students who have it.",
            figures.by_standing(students),
            heads=("Standing", "Students"),
            unit="",
        ),
    ]
