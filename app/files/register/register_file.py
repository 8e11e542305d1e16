"""The register as a file of the format that was asked for."""

from datetime import datetime
from pathlib import Path

from app.files.attachments import CSV, PDF, XLSX, attachment
from app.files.register import register_csv
from app.heavy import beside
from app.schemas.register import Register, RegisterFormat

MEDIA_TYPES = {
    RegisterFormat.CSV: CSV,
    RegisterFormat.XLSX: XLSX,
    RegisterFormat.PDF: PDF,
}


def header_of(register: Register, format: RegisterFormat) -> dict[str, str]:
    """The header by which the register is saved under a name of its own."""
    name = f"register-{{}}-{register.first}-to-{register.last}.{format}"
    return attachment(register.code, register.section, name=name)


async def written(
    register: Register, format: RegisterFormat, now: datetime, font: Path | None
) -> bytes:
    """The bytes of the file."""
    return await beside(_written, register, format, now, font)


def _written(register: Register, format: RegisterFormat, now: datetime, font: Path | None) -> bytes:
    if format is RegisterFormat.CSV:
        return b"".join(register_csv.encoded(register, now))
    # What lays out takes 25 MiB and half a second to import, in every process: most never need it.
    from app.files.register import register_pdf, register_xlsx

    if format is RegisterFormat.XLSX:
        return register_xlsx.written(register, now)
    return register_pdf.written(register, now, font)
