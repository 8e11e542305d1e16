"""`/classes/{id}/register`: the register of a class as a file."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from app.auth.dependencies import Call, SignedInRoute
from app.files.attachments import CSV
from app.files.register import register_file
from app.files.register.register_file import MEDIA_TYPES
from app.heavy import heavy
from app.queries import check_range
from app.routes.answers import READS
from app.schemas.register import Register, RegisterFormat
from app.schemas.words import StoredDate
from app.services.counting import registers
from app.services.counting.registers import LISTED, PRINTED

router = APIRouter(tags=["Attendance"], route_class=SignedInRoute)

_CSV = {"type": "string", "example": "Class,CS301\r\n...\r\nRoll No,Name,2025-10-20 09:00,...\r\n"}
_FILE = {"type": "string", "format": "binary", "example": "..."}

From = Annotated[
    StoredDate | None, Query(alias="from", description="First date; default: the term's first")
]
To = Annotated[
    StoredDate | None, Query(alias="to", description="Last date; default: the term's last")
]


@router.get(
    "/classes/{id}/register",
    operation_id="getRegister",
    summary="Get the register of a class, as a file",
    response_class=Response,
    responses=READS
    | {
        200: {
            "description": "The file",
            "headers": {"Content-Disposition": {}},
            "content": {
                kind: {"schema": _CSV if kind == CSV else _FILE} for kind in MEDIA_TYPES.values()
            },
        }
    },
)
@heavy
async def get_register(
    id: UUID,
    call: Call,
    request: Request,
    first: From = None,
    last: To = None,
    format: Annotated[RegisterFormat, Query(description="File format")] = RegisterFormat.CSV,
) -> Response:
    """A row for each student, a column for each session that was not cancelled, and the totals of
    these sessions by the policy.

    For a class without a term, the dates default to those of its first and last session. XLSX and
    PDF are limited to the term, 300 sessions and 60,000 cells; CSV to 250,000 cells. A student
    counts for ten cells at least.
    """
    check_range(first, last)
    now = call.now()
    bounds = LISTED if format is RegisterFormat.CSV else PRINTED
    document = await registers.register(call.db, call.actor, id, first, last, bounds)
    register = Register.model_validate_json(document.json)
    headers = register_file.header_of(register, format)
    font = request.app.state.settings.register_font
    content = await register_file.written(register, format, now, font)
    return Response(content, 200, headers, MEDIA_TYPES[format])
