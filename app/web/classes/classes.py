"""The teacher's classes, and one of them with the attendance of its students and its sessions."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.services.classes import class_service
from app.services.counting import session_stats, student_stats
from app.web.frame.pages import PageRoute, Visit, read

router = APIRouter(prefix="/app/classes", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def list_classes(visit: Visit, archived: bool = False) -> Response:
    classes = read(
        await class_service.list_classes(
            visit.db,
            visit.actor,
            roster=False,
            archived=archived,
            term="all" if archived else "current",
        )
    )
    return visit.page("classes/classes.html", classes=classes, archived=archived)


@router.get("/{id}")
async def show(visit: Visit, id: UUID) -> Response:
    class_ = read(await class_service.get_class(visit.db, visit.actor, id, roster=False))
    students = read(
        await student_stats.of_class(visit.db, visit.actor, id, withdrawn=False, as_of=None)
    )
    sessions = read(await session_stats.of_class(visit.db, visit.actor, id, as_of=None))
    return visit.page(
        "classes/class.html",
        class_=class_,
        students=students,
        sessions=sessions[::-1],
        today=visit.now().date(),
    )
