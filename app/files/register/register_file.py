"""The register as a file of the format that was asked for."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from app.files.attachments import CSV, PDF, XLSX, attachment
from app.files.register import register_csv
from app.schemas.register import Register, RegisterFormat

MEDIA_TYPES = {
    RegisterFormat.CSV: CSV,
    RegisterFormat.XLSX: XLSX,
    RegisterFormat.PDF: PDF,
}

# Laying out a register takes tenths of a second of one core. So many at a time leave the others
# to everybody else; the next wait, and give up when their request does.
_LAYING_OUT = ThreadPoolExecutor(max_workers=2, thread_name_prefix="register")


def header_of(register: Register, format: RegisterFormat) -> dict[str, str]:
    """The header by which the register is saved under a name of its own."""
    name = f"register-{{}}-{register.first}-to-{register.last}.{format}"
    return attachment(register.code, register.section, name=name)


async def written(
    register: Register, format: RegisterFormat, now: datetime, font: Path | None
) -> Iterator[bytes]:
    """The bytes of the file, in parts: a CSV is written as it is read."""
    if format is RegisterFormat.CSV:
        return register_csv.encoded(register, now)
    content = await asyncio.get_running_loop().run_in_executor(
        _LAYING_OUT, _laid_out, register, format, now, font
    )
    return iter([content])


def _laid_out(
    register: Register, format: RegisterFormat, now: datetime, font: Path | None
) -> bytes:
    # What lays out takes 25 MiB and half a second to import, in every process: most never need it.
    from app.files.register import register_pdf, register_xlsx

    if format is RegisterFormat.XLSX:
        return register_xlsx.written(register, now)
    return register_pdf.written(register, now, font)
