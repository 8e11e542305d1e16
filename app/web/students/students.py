"""The records of students, for administrators: finding one, its classes, and correcting it."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.documents import Document
from app.errors import AppError, NotFound
from app.queries import MAX_PAGE, check_text, instant_cursor, text_cursor
from app.schemas.admin import StudentChange
from app.schemas.roster import STUDENT_FIELDS, json_name
from app.schemas.words import Text, Words
from app.services import audit
from app.services.counting import student_stats
from app.services.students import records, shared_addresses
from app.web.frame.edits import edits, require_unchanged
from app.web.frame.forms import Form, validated
from app.web.frame.lists import Place, Search, listed
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/students", route_class=PageRoute, include_in_schema=False)

_REFUSED = audit.Filter(action="student_sign_in_refused")
# These are never without a value; the others can be cleared.
_KEPT = {"rollNo", "name"}
_FIELDS = [json_name(field) for field in ("roll_no", *STUDENT_FIELDS)]


class _Confirmed(Words):
    dtu_email: Text


@router.get("")
async def show(visit: Visit) -> Response:
    visit, students, following = await listed(visit.asked(), Search, found)
    return visit.page("students/students.html", students=students, following=following)


@router.get("/refused-sign-ins")
async def refused_sign_ins(visit: Visit) -> Response:
    """When somebody was not let in for the sake of the address on their record."""
    cursor = visit.asked().filters(Place).cursor
    after = instant_cursor(cursor)
    page = await audit.list_entries(visit.db, visit.actor, _REFUSED, MAX_PAGE, after)
    return visit.page(
        "students/refused.html", entries=read(page), following=visit.following(page), cursor=cursor
    )


@router.get("/shared-addresses")
async def show_shared_addresses(visit: Visit) -> Response:
    """The institution's addresses that are on several records."""
    visit, addresses, following = await listed(visit.asked(), Place, _shared)
    return visit.page("students/shared.html", addresses=addresses, following=following)


@router.get("/{id}")
async def show_student(visit: Visit, id: UUID) -> Response:
    return await _student(visit, id)


@router.get("/{id}/correct")
async def show_fields(visit: Visit, id: UUID) -> Response:
    return visit.page("students/correct.html", student=await student_of(visit, id))


@router.post("/{id}/correct")
async def correct(visit: Visit, id: UUID) -> Response:
    form = await visit.read_form()
    student = await student_of(visit, id)
    try:
        given = _corrected(form, student)
        if given:
            wanted = validated(StudentChange, given)
            await records.change_student(visit.db, visit.actor, id, wanted)
    except AppError as refusal:
        return visit.refused(refusal, form).page("students/correct.html", student=student)
    return visit.go(f"/app/students/{id}", done="saved")


@router.post("/{id}/confirm")
async def confirm(visit: Visit, id: UUID) -> Response:
    """Confirm the address that the page showed, so that the student can sign in with it."""
    form = await visit.read_form()
    try:
        shown = StudentChange(dtu_email=form.read(_Confirmed).dtu_email)
        require_unchanged({"dtuEmail": form.get("dtuEmail")}, await student_of(visit, id))
        await records.change_student(visit.db, visit.actor, id, shown)
    except AppError as refusal:
        return await _student(visit.refused(refusal, form), id)
    return visit.go(f"/app/students/{id}", done="address_confirmed")


async def found(visit: Visit, search: Search, cursor: str | None, limit: int) -> Document[Any]:
    """The records with a part of a roll number, a name or an address: `limit` after the cursor."""
    check_text(search.query)
    after = text_cursor(cursor)
    return await records.find_students(visit.db, visit.actor, search.query, limit, after)


async def _shared(visit: Visit, _: Place, cursor: str | None, limit: int) -> Document[Any]:
    after = text_cursor(cursor)
    return await shared_addresses.shared_addresses(visit.db, visit.actor, limit, after)


async def _student(visit: Visit, id: UUID) -> Response:
    student = await student_of(visit, id)
    overall = await standing_of(visit, student)
    return visit.page("students/student.html", student=student, overall=overall)


async def student_of(visit: Visit, id: UUID) -> dict[str, Any]:
    """The record as the API has it."""
    student: dict[str, Any] = read(await records.get_student(visit.db, visit.actor, id))
    return student


async def standing_of(visit: Visit, student: dict[str, Any]) -> dict[str, Any] | None:
    """Where the student stands in each class, those they have left among them; None without any."""
    try:
        document = await student_stats.of_student(
            visit.db, visit.actor, student["rollNo"], withdrawn=True, as_of=None
        )
    except NotFound:
        return None
    overall: dict[str, Any] = read(document)
    return overall


def _corrected(form: Form, student: dict[str, Any]) -> dict[str, str | None]:
    """What was changed in the form, as the API has it."""
    given = edits(form, student, _FIELDS)
    return {name: text or (text if name in _KEPT else None) for name, text in given.items()}
