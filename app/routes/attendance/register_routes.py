"""`/classes/{id}/register`: the register of a class as a file."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.auth.dependencies import Call, SignedInRoute
from app.files.register import register_csv
from app.routes.answers import CSV, READS, XLSX, attachment, check_range
from app.schemas.register import Register, RegisterFormat
from app.schemas.words import StoredDate
from app.services.counting import registers
from app.services.counting.registers import LISTED, PRINTED

router = APIRouter(tags=["Attendance"], route_class=SignedInRoute)

_MEDIA_TYPES = {
    RegisterFormat.CSV: CSV,
    RegisterFormat.XLSX: XLSX,
    RegisterFormat.PDF: "application/pdf",
}
_CSV = {"type": "string", "example": "Class,CS301\r\n...\r\nRoll No,Name,2025-10-20 09:00,...\r\n"}
_FILE = {"type": "string", "format": "binary", "example": "..."}

# Laying out a register keeps one core busy for tenths of a second. Limiting how many run at a time
# leaves the other cores free; further ones wait, and are dropped when their request is.
_LAYING_OUT = ThreadPoolExecutor(max_workers=2, thread_name_prefix="register")

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
                kind: {"schema": _CSV if kind == CSV else _FILE} for kind in _MEDIA_TYPES.values()
            },
        }
    },
)
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
    PDF are limited to the term, 300 sessions and 60,000 marks; CSV to 250,000 marks.
    """
    check_range(first, last)
    now = call.now()
    bounds = LISTED if format is RegisterFormat.CSV else PRINTED
    document = await registers.register(call.db, call.actor, id, first, last, bounds)
    register = Register.model_validate_json(document.json)
    name = f"register-{{}}-{register.first}-to-{register.last}.{format}"
    headers = attachment(register.code, register.section, name=name)
    kind = _MEDIA_TYPES[format]
    if format is RegisterFormat.CSV:
        return StreamingResponse(register_csv.encoded(register, now), 200, headers, kind)
    font = request.app.state.settings.register_font
    content = await asyncio.get_running_loop().run_in_executor(
        _LAYING_OUT, _laid_out, register, format, now, font
    )
    return Response(content, 200, headers, kind)


def _laid_out(
    register: Register, format: RegisterFormat, now: datetime, font: Path | None
) -> bytes:
    # These modules take 25 MiB and half a second to import, and most processes never need them.
    from app.files.register import register_pdf, register_xlsx

    if format is RegisterFormat.XLSX:
        return register_xlsx.written(register, now)
    return register_pdf.written(register, now, font)
