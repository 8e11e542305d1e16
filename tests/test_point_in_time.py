"""Going back to a moment, with the settings of docs/deployment.md and PostgreSQL's own archive."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import localpg
from app.localpg import LocalPostgres
from tests.command_line import Aims
from tests.processes import ROOT
from tests.soundness import digest_of

PAGE = (ROOT / "docs" / "deployment.md").read_text()
ARCHIVE = "/var/backups/wal"
LONGEST_WAIT = 20


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in which the server can write."""
    parent = localpg.home() if os.geteuid() == 0 else None
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    found = Path(tempfile.mkdtemp(prefix="moment-", dir=parent))
    for folder in (found, found / "wal"):
        folder.mkdir(exist_ok=True)
        localpg._give_to_server(folder)
    yield found
    shutil.rmtree(found)


def setting(name: str, place: Path) -> str:
    """The setting as the page has it, with our place for the archive."""
    found = re.search(rf"^{name} = '(.*)'$", PAGE, re.MULTILINE)
    assert found, name
    return f"{name}={found[1].replace(ARCHIVE, str(place / 'wal'))}"


def await_archived(aims: Aims, segment: str) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        ((last, failed),) = aims.rows(
            "SELECT coalesce(last_archived_wal, ''), failed_count FROM pg_stat_archiver"
        )
        assert failed == 0
        if last >= segment:
            return
        assert time.monotonic() < deadline, f"{last} instead of {segment}"
        time.sleep(0.05)


def test_the_database_goes_back_to_any_moment_since_the_base_backup(
    aims: Aims, place: Path
) -> None:
    """Two servers are started, which takes seconds."""
    options = ("wal_level=replica", "archive_mode=on", setting("archive_command", place))
    with LocalPostgres(place / "data", options=options) as server:
        server.create_database("attendance")
        aims = Aims(server.url("attendance"), aims.patch, aims.captured)
        aims.set(DATABASE_URL=aims.database_url)
        aims.must("db upgrade")
        base = [server.program("pg_basebackup"), "--pgdata", str(place / "base")]
        base += ["--dbname", server.url("postgres"), "--checkpoint=fast"]
        subprocess.run(base, check=True, **localpg._as_server_user())
        aims.must("allow asha@demo.university.example --role admin")
        moment = digest_of(aims.database_url)
        ((at,),) = aims.rows("SELECT clock_timestamp()::text")
        aims.must("allow bilal@demo.university.example")
        aims.rows("DELETE FROM policies")
        assert digest_of(aims.database_url) != moment
        ((segment,),) = aims.rows("SELECT pg_walfile_name(pg_switch_wal())")
        await_archived(aims, segment)
    (place / "base" / "recovery.signal").touch()
    localpg._give_to_server(place / "base" / "recovery.signal")
    options = (
        setting("restore_command", place),
        f"recovery_target_time={at}",
        "recovery_target_action=promote",
    )
    with LocalPostgres(place / "base", options=options) as restored:
        url = restored.url("attendance")
        assert digest_of(url) == moment
        aims.set(DATABASE_URL=url)
        assert aims.must("verify").endswith("Everything agrees.\n")
