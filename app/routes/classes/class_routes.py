"""`/classes`: classes, who teaches there and who is enrolled."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.auth.dependencies import Call, SignedInRoute
from app.routes.answers import READS, WRITES, answer, problems_of
from app.schemas.classes import ClassChange, ClassDetails, ClassDraft
from app.schemas.roster import Roster, RosterOutcome
from app.schemas.teachers import ClassTeacher, TeacherList
from app.services.classes import class_service, rosters, teachers

router = APIRouter(prefix="/classes", tags=["Classes"], route_class=SignedInRoute)

WithRoster = Annotated[bool, Query(description="false: no students, but how many there are")]
TermChoice = Annotated[
    str | None,
    Query(
        pattern="^(current|all|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        description="The id of a term, `all`, or `current`: the term of today, else the latest. "
        "Without it `current`, and `all` for archived classes",
    ),
]


class RosterMode(StrEnum):
    REPLACE = "replace"
    MERGE = "merge"


@router.get(
    "",
    operation_id="listClasses",
    summary="List classes",
    response_model=list[ClassDetails],
    response_model_exclude_unset=True,
    responses=problems_of(401, 422),
)
async def list_classes(
    call: Call,
    roster: WithRoster = True,
    archived: Annotated[bool, Query(description="true: the archived ones instead")] = False,
    term: TermChoice = None,
) -> Response:
    """The classes of a teacher, or for an admin all, by code and section.

    Those that belong to no term are shown with the current ones.
    """
    wanted = term or ("all" if archived else "current")
    return answer(
        await class_service.list_classes(
            call.db, call.actor, roster=roster, archived=archived, term=wanted
        )
    )


@router.post(
    "",
    operation_id="createClass",
    summary="Create a class",
    status_code=201,
    response_model=ClassDetails,
    responses=problems_of(400, 401, 403, 409, 413, 415, 422),
)
async def create_class(body: ClassDraft, call: Call) -> Response:
    """A class of one's own; an admin may name another `teacherId`. One code and section may
    be there once a term; without `termId` it is the current term."""
    return answer(await class_service.create_class(call.db, call.actor, body), status=201)


@router.get(
    "/{id}",
    operation_id="getClass",
    summary="Get a class",
    response_model=ClassDetails,
    responses=READS,
)
async def get_class(id: UUID, call: Call, roster: WithRoster = True) -> Response:
    """One class, archived or not."""
    return answer(await class_service.get_class(call.db, call.actor, id, roster=roster))


@router.patch(
    "/{id}",
    operation_id="updateClass",
    summary="Change a class",
    response_model=ClassDetails,
    responses=WRITES,
)
async def update_class(id: UUID, body: ClassChange, call: Call) -> Response:
    """What is left out stays. Giving the class to another teacher is the admins'."""
    return answer(await class_service.update_class(call.db, call.actor, id, body))


@router.delete(
    "/{id}",
    operation_id="deleteClass",
    summary="Delete or archive a class",
    status_code=204,
    responses=problems_of(401, 403, 404, 422),
)
async def delete_class(id: UUID, call: Call) -> Response:
    """A class with any session is archived, so that no mark is ever lost."""
    await class_service.delete_class(call.db, call.actor, id)
    return Response(status_code=204)


@router.post(
    "/{id}/restore",
    operation_id="restoreClass",
    summary="Restore an archived class",
    response_model=ClassDetails,
    responses=problems_of(401, 403, 404, 409, 422),
)
async def restore_class(id: UUID, call: Call) -> Response:
    """Brings it back into the lists, with all its history."""
    return answer(await class_service.restore_class(call.db, call.actor, id))


@router.get(
    "/{id}/teachers",
    operation_id="listTeachers",
    summary="List who teaches in a class",
    response_model=list[ClassTeacher],
    responses=READS,
)
async def list_teachers(id: UUID, call: Call) -> Response:
    """The owner, then co-teachers and substitutes by name, each with their days."""
    return answer(await teachers.list_teachers(call.db, call.actor, id))


@router.put(
    "/{id}/teachers",
    operation_id="putTeachers",
    summary="Replace the co-teachers and substitutes",
    response_model=list[ClassTeacher],
    responses=WRITES,
)
async def put_teachers(id: UUID, body: TeacherList, call: Call) -> Response:
    """On their days they may do what the owner may, except rename, delete, give away or share
    the class. Those not in the list may no more, from the next request on.
    """
    return answer(await teachers.put_teachers(call.db, call.actor, id, body))


@router.put(
    "/{id}/students",
    operation_id="putRoster",
    summary="Replace or extend the roster",
    response_model=RosterOutcome,
    responses=WRITES,
)
async def put_roster(
    id: UUID,
    body: Roster,
    call: Call,
    mode: Annotated[
        RosterMode, Query(description="merge: change only those who are named")
    ] = RosterMode.REPLACE,
    dry_run: Annotated[
        bool, Query(alias="dryRun", description="Answer, but change nothing")
    ] = False,
    confirm: Annotated[bool, Query(description="Needed to empty a roster")] = False,
) -> Response:
    """Students not in the list leave the roster and keep their history.

    `from` of an entry is the first day of the enrolment; `withdrawals` names who leaves with a
    last day of their own. Without them an enrolment begins today, or ended yesterday.
    A stored value that the actor may not change stays, and is named in `conflicts`.
    A teacher's dry run treats students who are in none of their classes as new. Days that show or
    hide leave in sessions that are finalised or older than the edit window take an admin and a
    `reason`.
    """
    return answer(
        await rosters.put_roster(
            call.db,
            call.actor,
            id,
            body,
            window=call.window,
            merge=mode is RosterMode.MERGE,
            dry_run=dry_run,
            confirm=confirm,
        )
    )
