"""`/classes`: classes, their teachers and their rosters."""

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

WithRoster = Annotated[bool, Query(description="false: the number of students instead of a list")]
TermChoice = Annotated[
    str | None,
    Query(
        pattern="^(current|all|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        description="The id of a term, `all`, or `current`: the term of today, else the latest. "
        "Default: `current`, or `all` for archived classes",
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
    responses=problems_of(401, 403, 422),
)
async def list_classes(
    call: Call,
    roster: WithRoster = True,
    archived: Annotated[bool, Query(description="true: the archived ones instead")] = False,
    term: TermChoice = None,
) -> Response:
    """A teacher sees their own classes, an admin all, by code and section.

    Classes without a term are included in the current ones.
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
    """A class of your own; an admin can give another `teacherId`. A teacher can have a code and
    section once per term; `termId` defaults to the current term."""
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
    """Fields left out stay as they are. Only admins can give the class to another teacher."""
    return answer(await class_service.update_class(call.db, call.actor, id, body))


@router.delete(
    "/{id}",
    operation_id="deleteClass",
    summary="Delete or archive a class",
    status_code=204,
    responses=problems_of(401, 403, 404, 422),
)
async def delete_class(id: UUID, call: Call) -> Response:
    """A class that has sessions is archived instead, so that no mark is lost."""
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
    """On their days they can do what the owner can, except rename, delete, reassign or share the
    class. Teachers not in the list lose access from the next request on.
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

    `from` of an entry is the first day of the enrolment (default: today); `withdrawals` lists
    students who leave, with their last day (default: yesterday).
    A stored value that the actor is not allowed to change stays, and is listed in `conflicts`.
    A teacher's dry run treats students who are in none of their classes as new. If new days show
    or hide leave in sessions that are finalised or older than the edit window, an admin has to do
    it and give a `reason`.
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
