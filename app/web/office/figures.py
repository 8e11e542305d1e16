"""The institution in figures, and where something is missing: for administrators."""

from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response
from pydantic import Field

from app.documents import Document
from app.errors import Invalid
from app.heavy import heavy
from app.queries import check_text, class_cursor, id_cursor, occurrence_cursor, past_range
from app.request_limits import FILE, limited
from app.schemas.words import StoredDate, Words
from app.services.counting import institution_stats
from app.services.timetable.meetings import MAX_DAYS
from app.web.charts import charts
from app.web.charts.charts import Point
from app.web.classes.classes import terms_of
from app.web.frame.lists import Place, download, listed
from app.web.frame.pages import PageRoute, Visit, read
from app.web.frame.templates import STANDINGS

router = APIRouter(prefix="/app", route_class=PageRoute, include_in_schema=False)

_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TermChoice = Annotated[str, Field(pattern=f"^(current|{_UUID})$")]
_PerCent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]

_MISSING_COLUMNS = {
    "date": "Date",
    "start": "Start",
    "end": "End",
    "code": "Course Code",
    "name": "Course Name",
    "section": "Section",
    "teacherName": "Teacher",
    "teacherEmail": "Teacher E-mail",
}
_BELOW_COLUMNS = {
    "rollNo": "Roll No",
    "name": "Name",
    "code": "Course Code",
    "className": "Course Name",
    "section": "Section",
    "counted": "Counted",
    "attended": "Attended",
    "percentage": "Percentage",
    "sessionsNeeded": "Sessions needed in a row",
}


_CLASS_COLUMNS = {
    "code": "Course Code",
    "name": "Course Name",
    "section": "Section",
    "teacherName": "Teacher",
    "department": "Department",
    "students": "Students",
    "sessionsTaken": "Sessions taken",
    "percentage": "Percentage",
}
_STANDINGS = {"ok": "ok", "at_risk": "atRisk", "below": "below", "no_data": "noData"}
# So much of a department's name has room beside its bar.
_NAME = 14
_NO_DEPARTMENT = "No department"


class _OfTerm(Words):
    term: TermChoice = "current"


class _Classes(_OfTerm, Place):
    department: Annotated[str | None, Field(max_length=255)] = None


class _Span(Place):
    from_: Annotated[StoredDate | None, Field(alias="from")] = None
    to: StoredDate | None = None


class _Line(_OfTerm, Place):
    threshold: _PerCent | None = None


@router.get("/overview")
@heavy
async def overview(visit: Visit) -> Response:
    """A term in figures."""
    visit, figures = visit.asked(), None
    try:
        term = visit.filters(_OfTerm).term
        document = await institution_stats.overview(visit.db, visit.actor, term, visit.now())
        figures = read(document)
    except Invalid as refusal:
        visit = visit.refused(refusal)
    return visit.page(
        "office/overview.html",
        figures=figures,
        pictures=_charts(figures) if figures else [],
        terms=await _terms(visit),
        today=visit.now().date(),
    )


@router.get("/overview/classes")
@heavy
async def classes(visit: Visit) -> Response:
    """The classes of a term, or those of a department, with their figures."""
    visit, found, following = await listed(visit.asked(), _Classes, _classes)
    return visit.page(
        "office/classes.html", classes=found, following=following, terms=await _terms(visit)
    )


@router.get("/overview/classes.csv")
@heavy
@limited(FILE)
async def classes_as_csv(visit: Visit) -> Response:
    return await download(visit, "classes.csv", _CLASS_COLUMNS, _Classes, _classes)


@router.get("/missing")
@heavy
async def missing(visit: Visit) -> Response:
    """Meetings that are over and in which nobody took attendance."""
    visit, sessions, following = await listed(visit.asked(), _Span, _missing)
    return visit.page("office/missing.html", sessions=sessions, following=following)


@router.get("/missing.csv")
@heavy
@limited(FILE)
async def missing_as_csv(visit: Visit) -> Response:
    return await download(visit, "missing-sessions.csv", _MISSING_COLUMNS, _Span, _missing)


@router.get("/below")
@heavy
async def below(visit: Visit) -> Response:
    """Who is below the line in a class: that of the policy, or another."""
    visit, students, following = await listed(visit.asked(), _Line, _below)
    return visit.page(
        "office/below.html", students=students, following=following, terms=await _terms(visit)
    )


@router.get("/below.csv")
@heavy
@limited(FILE)
async def below_as_csv(visit: Visit) -> Response:
    return await download(visit, "below-the-line.csv", _BELOW_COLUMNS, _Line, _below)


async def _classes(visit: Visit, asked: _Classes, cursor: str | None, limit: int) -> Document[Any]:
    check_text(asked.department, "department")
    return await institution_stats.classes(
        visit.db, visit.actor, asked.term, asked.department, limit, id_cursor(cursor)
    )


def _charts(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Where students stand, and the attendance of each department."""
    standings = [
        Point(text, figures["standings"][_STANDINGS[word]], kind=word)
        for word, text in STANDINGS.items()
    ]
    named = [(each["department"] or "", each["percentage"]) for each in figures["departments"]]
    departments = [
        Point(
            _short(name or _NO_DEPARTMENT),
            percentage,
            full=name or _NO_DEPARTMENT,
            href=name and f"/app/overview/classes?{urlencode({'department': name})}",
        )
        for name, percentage in named
    ]
    return [
        charts.figure(
            charts.bars,
            "by-standing",
            "Students by standing",
            "A bar for each standing, as long as the number of students who have it. "
            "A student in two classes counts twice.",
            standings,
            heads=("Standing", "Students"),
            unit="",
        ),
        charts.figure(
            charts.bars,
            "by-department",
            "Attendance by department",
            "A bar for each department of the classes' owners, as long as the percentage of "
            "attendance in its classes.",
            departments,
            heads=("Department", "Attendance"),
        ),
    ]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


async def _missing(visit: Visit, span: _Span, cursor: str | None, limit: int) -> Document[Any]:
    now = visit.now()
    first, last = past_range(span.from_, span.to, now.date(), MAX_DAYS)
    after = occurrence_cursor(cursor)
    return await institution_stats.missing_sessions(
        visit.db, visit.actor, first, last, now, limit, after
    )


async def _below(visit: Visit, line: _Line, cursor: str | None, limit: int) -> Document[Any]:
    hundredths = int(line.threshold * 100) if line.threshold is not None else None
    after = class_cursor(cursor)
    return await institution_stats.defaulters(
        visit.db, visit.actor, hundredths, line.term, limit, after
    )


async def _terms(visit: Visit) -> list[tuple[str, str]]:
    """The terms to choose from, the latest first."""
    terms = await terms_of(visit)
    return [("current", "Current term"), *((term["id"], term["name"]) for term in terms)]
