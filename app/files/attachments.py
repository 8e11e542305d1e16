"""How files that the server sends are named and typed."""

import re

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PDF = "application/pdf"


def attachment(code: str, section: str, *, name: str) -> dict[str, str]:
    """The header by which an answer is saved as a file: in `name`, the class takes the place of
    `{}`, as far as every system can spell code and section."""
    class_ = re.sub("[^A-Za-z0-9]+", "-", f"{code}-{section}").strip("-") or "class"
    return {"Content-Disposition": f'attachment; filename="{name.format(class_)}"'}
