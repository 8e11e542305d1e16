"""`/admin`: the allow-list, users, student records and the audit log, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.errors import Invalid
from app.files.sheets.reading import read_beside
from app.heavy import heavy
from app.queries import MAX_PAGE, check_range, check_text, instant_cursor, text_cursor
from app.request_limits import FILE, limited
from app.routes.admin.import_routes import file_body, require_media
from app.routes.answers import PAGED, READS, WRITES, Cursor, From, Limit, To, answer, problems_of
from app.schemas.admin import (
    AllowedEmail,
    AllowedEmailChange,
    AllowedEmailDraft,
    AuditEntry,
    Merge,
    Merged,
    Named,
    NamesWanted,
    SharedAddress,
    Student,
    StudentChange,
    Upload,
    User,
    UserChange,
)
from app.schemas.imports import Kind
from app.services import audit
from app.services.imports.faculty_import import entries_of
from app.services.people import allow_list, allowed, users
from app.services.students import merging, records, shared_addresses

router = APIRouter(prefix="/admin", tags=["Administration"], route_class=SignedInRoute)

_LISTS = problems_of(401, 403, 422) | PAGED

Search = Annotated[
    str | None,
    Query(max_length=200, description="A part of the text to search for", examples=["demo"]),
]
DryRun = Annotated[bool, Query(alias="dryRun", description="Answer, but change nothing")]


@router.get(
    "/allowed-emails",
    operation_id="listAllowedEmails",
    summary="List who can sign in",
    response_model=list[AllowedEmail],
    responses=_LISTS,
)
async def list_allowed_emails(
    request: Request,
    call: Call,
    query: Search = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """By address. If there are more, the `Link` header has the next page."""
    check_text(query)
    page = await allowed.list_allowed(call.db, call.actor, query, limit, text_cursor(cursor))
    return answer(page, request=request)


@router.post(
    "/allowed-emails",
    operation_id="addAllowedEmail",
    summary="Let an address sign in",
    status_code=201,
    response_model=AllowedEmail,
    responses=WRITES | {200: {"model": AllowedEmail}},
)
async def add_allowed_email(body: AllowedEmailDraft, call: Call) -> Response:
    """An address that is on the list with another role or name is a 409: change it instead."""
    entry, made = await allow_list.add(call.db, call.actor, body)
    return answer(entry, status=201 if made else 200)


@router.post(
    "/uploads/allowed-emails",
    operation_id="uploadAllowedEmails",
    summary="Let the addresses of a file sign in",
    response_model=Upload,
    responses=WRITES,
    openapi_extra=file_body("email,name\ndevika@demo.university.example,Devika Demo\n"),
)
@heavy
@limited(FILE)
async def upload_allowed_emails(request: Request, call: Call, dry_run: DryRun = False) -> Upload:
    """The columns are `email`, `name` and `role`. All lines are imported, or none.

    Addresses on the list get the role and name in the file, if given; new ones without a role
    become teachers. No address is removed.
    """
    require_media(request)
    await call.require_admin()
    try:
        entries = entries_of(await read_beside(Kind.FACULTY, await request.body()))
    except Invalid as refused:
        raise Invalid(refused.detail, code="invalid_csv", flaws=refused.flaws) from None
    done = await allow_list.allow(call.db, entries, call.actor, dry_run=dry_run)
    return Upload(added=done.added, changed=done.changed, unchanged=done.unchanged)


@router.get(
    "/allowed-emails/{id}",
    operation_id="getAllowedEmail",
    summary="Get an entry of the allow-list",
    response_model=AllowedEmail,
    responses=READS,
)
async def get_allowed_email(id: UUID, call: Call) -> Response:
    """One address with its role."""
    return answer(await allowed.get_allowed(call.db, call.actor, id))


@router.patch(
    "/allowed-emails/{id}",
    operation_id="changeAllowedEmail",
    summary="Change role, name or address",
    response_model=AllowedEmail,
    responses=WRITES,
)
async def change_allowed_email(id: UUID, body: AllowedEmailChange, call: Call) -> Response:
    """Takes effect with the person's next request. Demoting the last administrator is a 409."""
    return answer(await allow_list.change(call.db, call.actor, id, body))


@router.delete(
    "/allowed-emails/{id}",
    operation_id="removeAllowedEmail",
    summary="Remove an address from the allow-list",
    status_code=204,
    responses=problems_of(401, 403, 404, 409, 422),
)
async def remove_allowed_email(id: UUID, call: Call) -> Response:
    """The person is refused from the next request on; what they did stays."""
    await allow_list.remove(call.db, call.actor, id)
    return Response(status_code=204)


@router.get(
    "/users",
    operation_id="listUsers",
    summary="List who has signed in",
    response_model=list[User],
    responses=_LISTS,
)
async def list_users(
    request: Request,
    call: Call,
    query: Search = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """By address. `query` is part of address, name, department or employee id."""
    check_text(query)
    page = await users.list_users(call.db, call.actor, query, limit, text_cursor(cursor))
    return answer(page, request=request)


@router.get(
    "/users/{id}",
    operation_id="getUser",
    summary="Get a user",
    response_model=User,
    responses=READS,
)
async def get_user(id: UUID, call: Call) -> Response:
    """One user, with role and last sign-in."""
    return answer(await users.get_user(call.db, call.actor, id))


@router.patch(
    "/users/{id}",
    operation_id="changeUser",
    summary="Disable a user, or set department and employee id",
    response_model=User,
    responses=WRITES,
)
async def change_user(id: UUID, body: UserChange, call: Call) -> Response:
    """A disabled user is refused from the next request on. Disabling the last administrator is a
    409."""
    return answer(await users.change_user(call.db, call.actor, id, body))


@router.get(
    "/students",
    operation_id="findStudents",
    summary="Find students",
    response_model=list[Student],
    responses=_LISTS,
)
async def find_students(
    request: Request,
    call: Call,
    query: Search = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """By roll number. `query` is part of a roll number, a name or an address."""
    check_text(query)
    page = await records.find_students(call.db, call.actor, query, limit, text_cursor(cursor))
    return answer(page, request=request)


@router.get(
    "/shared-addresses",
    operation_id="listSharedAddresses",
    summary="List institution's addresses on several records",
    response_model=list[SharedAddress],
    responses=_LISTS,
)
async def list_shared_addresses(
    request: Request, call: Call, limit: Limit = MAX_PAGE, cursor: Cursor = None
) -> Response:
    """In alphabetical order: each with the records that have it, to correct them or merge them."""
    after = text_cursor(cursor)
    page = await shared_addresses.shared_addresses(call.db, call.actor, limit, after)
    return answer(page, request=request)


@router.get(
    "/students/{id}",
    operation_id="getStudent",
    summary="Get a student's record",
    response_model=Student,
    responses=READS,
)
async def get_student(id: UUID, call: Call) -> Response:
    """One student, with how many classes they are in."""
    return answer(await records.get_student(call.db, call.actor, id))


@router.patch(
    "/students/{id}",
    operation_id="changeStudent",
    summary="Correct a student's record",
    response_model=Student,
    responses=WRITES,
)
async def change_student(id: UUID, body: StudentChange, call: Call) -> Response:
    """Marks and rosters follow a corrected roll number; one already in use is a 409."""
    return answer(await records.change_student(call.db, call.actor, id, body))


@router.post(
    "/students/{id}/merge",
    operation_id="mergeStudents",
    summary="Merge two records of one person",
    response_model=Merged,
    responses=WRITES,
)
async def merge_students(id: UUID, body: Merge, call: Call, dry_run: DryRun = False) -> Response:
    """Rosters, marks and history of the other record move to this one; the other is removed.

    Different marks in the same session are a 409 unless `onClash` says which is kept. Moving marks
    in sessions that are finalised or older than the edit window needs a `reason`.
    """
    return answer(
        await merging.merge(call.db, call.actor, id, body, window=call.window, dry_run=dry_run)
    )


@router.get(
    "/audit",
    operation_id="listAudit",
    summary="Who did what",
    response_model=list[AuditEntry],
    responses=_LISTS,
)
async def list_audit(
    request: Request,
    call: Call,
    actor_id: Annotated[UUID | None, Query(alias="actorId")] = None,
    subject_id: Annotated[UUID | None, Query(alias="subjectId")] = None,
    action: Annotated[str | None, Query(max_length=64, pattern="^[a-z_]+$")] = None,
    first: From = None,
    last: To = None,
    limit: Limit = MAX_PAGE,
    cursor: Cursor = None,
) -> Response:
    """Administrative acts, newest first, with ids only; dates are in the institution's zone."""
    check_range(first, last)
    shown = audit.Filter(actor_id, subject_id, action, first, last)
    after = instant_cursor(cursor)
    page = await audit.list_entries(call.db, call.actor, shown, limit, after)
    return answer(page, request=request)


@router.post(
    "/audit/names",
    operation_id="nameAudited",
    summary="What ids of the audit log are called",
    response_model=list[Named],
    responses=problems_of(400, 401, 403, 413, 415, 422),
)
async def name_audited(body: NamesWanted, call: Call) -> Response:
    """The names of now, in no order. Ids of what is gone are left out."""
    return answer(await audit.names_of(call.db, call.actor, body.ids))
