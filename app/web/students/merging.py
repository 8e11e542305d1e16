"""Merging two records of one person: the other one is chosen, then one sees what would happen."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.errors import AppError, Invalid, NotFound
from app.queries import MAX_PAGE
from app.schemas.admin import Merge
from app.services.students import merging
from app.web.frame.forms import validated
from app.web.frame.lists import Search
from app.web.frame.pages import PageRoute, Visit, read
from app.web.students.students import found, standing_of, student_of

router = APIRouter(
    prefix="/app/students/{id}/merge", route_class=PageRoute, include_in_schema=False
)


class _Choice(Search):
    other_id: str | None = None


@router.get("")
async def show(visit: Visit, id: UUID) -> Response:
    """Let the other record be chosen; then show what merging would do."""
    student = await student_of(visit, id)
    visit = visit.asked()
    try:
        choice = visit.filters(_Choice)
        if choice.other_id is not None:
            return await _preview(visit, student, choice.other_id)
        return await _choosing(visit, student, choice)
    except Invalid as refusal:
        return await _choosing(visit.refused(refusal), student, Search())


@router.post("")
async def merge(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    student = await student_of(visit, id)
    try:
        wanted = form.read(Merge)
        await merging.merge(visit.db, visit.actor, id, wanted, window=visit.window, dry_run=False)
    except NotFound:
        raise
    except AppError as refusal:
        return await _again(visit.refused(refusal, form), student, form.get("otherId"))
    return visit.go(f"/app/students/{id}", done="merged")


async def _again(visit: Visit, student: dict[str, Any], other: str) -> Response:
    """The preview with the refusal, or the choice, if what was chosen is none."""
    try:
        return await _preview(visit, student, other)
    except Invalid:
        return await _choosing(visit, student, Search())


async def _choosing(visit: Visit, student: dict[str, Any], search: Search) -> Response:
    students, following = [], None
    if search.query:
        page = await found(visit, search, search.cursor, MAX_PAGE)
        students, following = read(page), visit.following(page)
    others = [each for each in students if each["studentId"] != student["studentId"]]
    return visit.page("students/choose.html", student=student, others=others, following=following)


async def _preview(visit: Visit, student: dict[str, Any], other: str) -> Response:
    """What would happen, as a dry run tells."""
    this_id, tried = UUID(student["studentId"]), validated(Merge, {"otherId": other})
    document = await merging.merge(
        visit.db, visit.actor, this_id, tried, window=visit.window, dry_run=True
    )
    overall = await standing_of(visit, student)
    return visit.page(
        "students/merge.html",
        student=student,
        other=await student_of(visit, tried.other_id),
        merged=read(document),
        classes={each["classId"]: each for each in overall["classes"]} if overall else {},
    )
