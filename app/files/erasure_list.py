"""The list of who was erased, kept outside the database, beside its backups.

Each line is a JSON object with `student_id`, `erased_at` and `reason`: no name and no number.
"""

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import Invalid


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    student_id: UUID
    erased_at: datetime
    reason: str


def read_list(path: Path) -> list[Line]:
    """The lines of the list; `Invalid` if it cannot be read, or is something else."""
    try:
        texts = path.read_text("utf-8").splitlines()
        return [Line.model_validate_json(text) for text in texts if text.strip()]
    except OSError as error:
        raise _refusal(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, ValidationError):
        raise _refusal(f"{path} is not a list of erasures.") from None


def append(path: Path, lines: Iterable[Line]) -> None:
    """Add the lines to the list, which is created if it is not there, and is on the disk then."""
    text = "".join(f"{line.model_dump_json()}\n" for line in lines)
    try:
        handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        with open(handle, "ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _refusal(f"{path} cannot be written: {error.strerror}.") from None


def _refusal(sentence: str) -> Invalid:
    return Invalid(sentence, code="erasures_refused")
