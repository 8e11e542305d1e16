"""The file that `aims backup` writes: a tar archive that shows any damage to it.

It holds `database.dump` (PostgreSQL's custom format, for pg_restore), `manifest.json` and
`SHA256SUMS`, which is about the other two, as `sha256sum --check` reads it.
"""

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import Conflict, Invalid

DUMP, MANIFEST, SUMS = "database.dump", "manifest.json", "SHA256SUMS"
REFUSED = "backup_refused"
MOST_MANIFEST_BYTES = 1024**2


class Manifest(BaseModel):
    """What the backup is of. `revision` is the schema's, `rows` counts those of each table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["aims-backup-1"] = "aims-backup-1"
    aims: str
    revision: str
    postgresql: str
    made_at: datetime
    rows: dict[str, int]


@dataclass(frozen=True)
class Backup:
    """A backup that was read and found undamaged; `start` is where its dump begins, in bytes."""

    path: Path
    manifest: Manifest
    start: int


@contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that only its owner can read, and that has its name when it is complete.

    `Conflict` if something has that name, before or afterwards; whatever has it stays.
    """
    if os.path.lexists(path):
        raise _exists(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}.", code=REFUSED) from None
    try:
        with open(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # Taking the name before renaming works on file systems without links, too.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise _exists(path) from None
        os.rename(name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _exists(path: Path) -> Conflict:
    return Conflict(f"{path} is there already, and is never overwritten: give another name.")


class BackupWriter:
    """Writes a dump of unknown length into the archive as it comes, then what describes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sum = sha256()
        file.write(bytes(tarfile.BLOCKSIZE))  # the header, when the length is known

    def add(self, chunk: bytes) -> None:
        """Add the next part of the dump."""
        self._sum.update(chunk)
        self._file.write(chunk)

    def finish(self, manifest: Manifest) -> None:
        """Complete the archive."""
        size = self._file.tell() - tarfile.BLOCKSIZE
        self._file.write(bytes(-size % tarfile.BLOCKSIZE))
        described = manifest.model_dump_json(indent=2).encode()
        sums = f"{self._sum.hexdigest()}  {DUMP}\n{sha256(described).hexdigest()}  {MANIFEST}\n"
        with tarfile.open(fileobj=self._file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, content in ((MANIFEST, described), (SUMS, sums.encode())):
                archive.addfile(_member(name, len(content), manifest), io.BytesIO(content))
        self._file.seek(0)
        self._file.write(_member(DUMP, size, manifest).tobuf(tarfile.GNU_FORMAT))


def _member(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    member.mtime = int(manifest.made_at.timestamp())
    return member


def read_backup(path: Path) -> Backup:
    """Read the whole file; `Invalid` if it is anything but an undamaged backup of AIMS."""
    try:
        with tarfile.open(path, "r:") as archive:
            members = {member.name: member for member in archive.getmembers()}
            if list(members) != [DUMP, MANIFEST, SUMS]:
                raise _refused(path)
            manifest = _content(archive, members[MANIFEST])
            stored = _content(archive, members[SUMS]).decode().split()
            dump: Any = archive.extractfile(members[DUMP])
            found = [file_digest(dump, "sha256").hexdigest(), DUMP]
        if stored != [*found, sha256(manifest).hexdigest(), MANIFEST]:
            raise _refused(path)
        start = members[DUMP].offset_data
        return Backup(path, Manifest.model_validate_json(manifest), start)
    except (tarfile.TarError, EOFError, UnicodeDecodeError, ValidationError):
        raise _refused(path) from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", code=REFUSED) from None


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    if stream is None or member.size > MOST_MANIFEST_BYTES:
        raise tarfile.ReadError
    return stream.read()


def _refused(path: Path) -> Invalid:
    sentence = f"{path} is not a backup that aims backup made, or it is damaged."
    return Invalid(sentence, code=REFUSED)
