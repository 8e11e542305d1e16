"""Imports outlive the servers that do them: each is done once, and as a whole."""

import asyncio
import json
import time
import urllib.request
from typing import Any

import asyncpg
import pytest

from app.batch import Batch, FacultyRow
from app.importer import Importer
from app.services.imports.conditions import Conditions
from app.services.imports.runs import doing
from tests.classroom import today
from tests.conftest import Stage, admit
from tests.files import csv
from tests.import_runs import PEOPLE, busy, content_of, ended, preview, start, stored
from tests.processes import Checkout, Server
from tests.test_imports import Rows

__all__ = ["busy"]  # a fixture, used by its name


@pytest.mark.anyio
async def test_a_run_whose_server_is_silent_is_done_by_another_and_not_by_both(
    crowd: Stage,
) -> None:
    db, path = crowd.app.state.database, await start(crowd.meera, "faculty", PEOPLE)
    first = await doing.claim(db)
    assert first
    assert await doing.claim(db) is None
    await crowd.connection.execute("UPDATE import_runs SET heartbeat = now() - interval '16 s'")
    second = await doing.claim(db)
    assert second
    batch = Batch(faculty=[FacultyRow(2, "gita@demo.university.example")])
    conditions = Conditions(today())
    await doing.perform(db, second, batch, conditions, lambda _: None)
    with pytest.raises(doing.Lost):
        await doing.perform(db, first, batch, conditions, lambda _: None)
    assert (await crowd.meera.get(path)).json()["state"] == "done"
    acts = "SELECT count(*) FROM audit_log WHERE action = 'email_allowed'"
    assert await crowd.connection.fetchval(acts) == 1


@pytest.mark.anyio
async def test_many_files_of_one_person_do_not_hold_up_those_of_others(crowd: Stage) -> None:
    db = crowd.app.state.database
    paths = [await start(crowd.meera, "faculty", PEOPLE) for _ in range(3)]
    await crowd.connection.execute("UPDATE allowed_emails SET role = 'admin'")
    paths.insert(1, await start(crowd.asha, "faculty", PEOPLE))
    claimed = [await doing.claim(db) for _ in paths]
    assert [f"/admin/imports/{run.id}" for run in claimed if run] == paths


@pytest.mark.anyio
async def test_a_server_that_had_lost_its_run_writes_nothing(crowd: Stage) -> None:
    db, path = crowd.app.state.database, await start(crowd.meera, "faculty", PEOPLE)
    first = await doing.claim(db)
    assert first
    await crowd.connection.execute("UPDATE import_runs SET claim = gen_random_uuid()")
    batch = Batch(faculty=[FacultyRow(2, "gita@demo.university.example")])
    with pytest.raises(doing.Lost):
        await doing.perform(db, first, batch, Conditions(today()), lambda _: None)
    assert await stored(crowd) == 0
    assert (await crowd.meera.get(path)).json()["state"] == "working"


@pytest.mark.anyio
async def test_a_file_over_which_servers_die_is_given_up(crowd: Stage) -> None:
    path = await start(crowd.meera, "faculty", PEOPLE)
    await crowd.connection.execute(f"UPDATE import_runs SET attempts = {doing.MOST_ATTEMPTS}")
    crowd.app.state.importer = Importer(crowd.app.state.settings)
    crowd.app.state.importer.wake()
    async with crowd.app.state.importer.at_work(crowd.app.state.database):
        run = await ended(crowd.meera, path)
    assert run["state"] == "failed"
    assert await stored(crowd) == 0


@pytest.mark.anyio
async def test_a_server_that_stops_gives_its_run_back_at_once(
    crowd: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = asyncio.Event()

    async def read_for_ever(*_: Any, **__: Any) -> None:
        reading.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr("app.importer.read_beside", read_for_ever)
    path = await start(crowd.meera, "faculty", PEOPLE)
    importer = Importer(crowd.app.state.settings)
    importer.wake()
    async with importer.at_work(crowd.app.state.database):
        await reading.wait()
        assert (await crowd.meera.get(path)).json()["state"] == "working"
    assert (await crowd.meera.get(path)).json()["state"] == "waiting"
    assert await crowd.connection.fetchval("SELECT attempts FROM import_runs") == 0


@pytest.mark.anyio
async def test_what_is_old_is_taken_away(busy: Stage) -> None:
    await busy.connection.execute("DELETE FROM import_runs")
    kept = await preview(busy.meera, "faculty", PEOPLE)
    late = await preview(busy.meera, "faculty", PEOPLE)
    old = await start(busy.meera, "faculty", PEOPLE)
    await ended(busy.meera, old)
    for path, age in ((late, "25 hours"), (old, "31 days")):
        await busy.connection.execute(
            f"UPDATE import_runs SET finished_at = now() - interval '{age}' WHERE id = $1::uuid",
            path.rpartition("/")[2],
        )
    await doing.tidy(busy.app.state.database)
    assert (await busy.meera.get(kept)).json()["state"] == "previewed"
    assert (await busy.meera.get(late)).json()["state"] == "expired"
    assert await content_of(busy, late) is None
    assert (await busy.meera.post(f"{late}/confirm")).status_code == 409
    assert (await busy.meera.get(old)).status_code == 404


# 40,000 marks in 4 classes.
CLASSES, STUDENTS, DAYS = range(4), range(200), range(50)


def post(server: Server, token: str, path: str, rows: Rows) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        csv(rows),
        {"Content-Type": "text/csv", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        done: dict[str, Any] = json.load(answer)
    return done


def furnish(server: Server, token: str, teacher: str) -> None:
    """Classes with their rosters."""
    classes: Rows = [["Code", "Name", "Section", "Teacher Email"]]
    classes += [[f"CS{n}", f"Course {n}", "A", teacher] for n in CLASSES]
    post(server, token, "/admin/import?kind=classes", classes)
    roster: Rows = [["Roll No", "Name", "Code", "Section"]]
    roster += [[f"23/{m}", f"Student {m}", f"CS{n}", "A"] for n in CLASSES for m in STUDENTS]
    post(server, token, "/admin/import?kind=students", roster)


def marks() -> Rows:
    heading: Rows = [["Roll No", "Code", "Section", "Date", "Status"]]
    return heading + [
        [f"23/{m}", f"CS{n}", "A", f"2025-{8 + d // 25:02}-{1 + d % 25:02}", "PA"[m % 2]]
        for n in CLASSES
        for d in DAYS
        for m in STUDENTS
    ]


def await_run(server: Server, token: str, path: str, *, midway: bool) -> None:
    """Wait until the run is done, or in the middle."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        run = json.loads(server.get(path, token)[1])
        if run["state"] == "done" or (midway and 0 < run["done"] < (run["total"] or 0)):
            assert (run["state"] == "working") is midway, run
            return
        assert run["state"] in ("waiting", "working"), run
        time.sleep(0.02)
    raise AssertionError(run)


def await_attempt(url: str, number: int) -> None:
    """Wait until a server has taken up the run so many times: within half a minute."""
    began = time.monotonic()
    while not counted(url, f"import_runs WHERE state = 'working' AND attempts = {number}"):
        assert time.monotonic() - began < 30
        time.sleep(0.1)


def counted(url: str, what: str) -> int:
    async def count() -> int:
        connection = await asyncpg.connect(url)
        found = await connection.fetchval(f"SELECT count(*) FROM {what}")
        await connection.close()
        return int(found)

    return asyncio.run(count())


def test_an_import_outlives_a_killed_and_a_stopped_server_and_is_applied_once(
    installed: Checkout, own_database_url: str
) -> None:
    url, serve = own_database_url, "uvicorn app.main:app --no-access-log --port {port}"
    token = asyncio.run(admit(url, "meera", "admin"))
    with installed.serving(serve) as server:
        furnish(server, token, "meera@demo.university.example")
        run = post(server, token, "/admin/imports?kind=attendance", marks())
        path = f"/admin/imports/{run['id']}"
        await_run(server, token, path, midway=True)
        server.process.kill()
        server.process.wait()
    assert counted(url, "attendance_statuses") == 0
    with installed.serving(serve) as server:
        await_attempt(url, 2)
        await_run(server, token, path, midway=True)
        asked = time.monotonic()
        server.stop()
        assert time.monotonic() - asked < 10
    assert counted(url, "attendance_statuses") == 0
    assert counted(url, "import_runs WHERE state = 'waiting' AND attempts = 1") == 1
    with installed.serving(serve) as server:
        await_attempt(url, 2)
        await_run(server, token, path, midway=False)
    everything = len(CLASSES) * len(DAYS) * len(STUDENTS)
    present = "attendance_statuses WHERE status = 'present' AND version = 1"
    assert counted(url, present) == everything // 2
    assert counted(url, "attendance_statuses WHERE status = 'absent'") == everything // 2
    assert counted(url, "superseded_statuses") == 0
    assert counted(url, "attendance_sessions WHERE version = 1") == len(CLASSES) * len(DAYS)
    rows = "(SELECT jsonb_array_elements(rows) FROM import_runs) r"
    assert counted(url, rows) == everything
    assert counted(url, "import_runs WHERE state = 'done' AND content IS NULL") == 1
