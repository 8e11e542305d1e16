"""The settings of a class: what it is called, whose it is, archiving and restoring it."""

from typing import Any

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import Classroom, classroom_of, co_teacher, share
from tests.conftest import Stage
from tests.support import checksum

pytestmark = pytest.mark.anyio

SCRIPT = "<script>alert(1)</script>"
FIELDS = {"code": "CS301", "name": "Operating Systems", "section": "A", "termId": ""}
NOWHERE = "00000000-0000-4000-8000-000000000000"


def page_of(room: Classroom, rest: str = "") -> str:
    return f"/app/classes/{room.id}/settings{rest}"


async def test_what_a_class_is_called_is_changed(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    days = {"firstDay": "2031-01-06", "lastDay": "2031-05-15"}
    term = (await stage.meera.post("/admin/terms", {"name": "Spring", **days})).json()["id"]
    page = await asha.shown(page_of(room))
    assert 'value="Operating Systems"' in page
    assert f'href="{page_of(room)}" aria-current="page"' in page
    wanted = {
        "code": "CS302",
        "name": "Networks",
        "section": "B",
        "termId": term,
        "ltpPattern": "3-0-2",
        "teacherType": "Lecture",
        "practicalGroup": "P1",
    }
    assert await asha.done(page_of(room), wanted) == page_of(room, "?done=saved")
    assert (await room.document()).items() >= wanted.items()
    page = await asha.shown(page_of(room))
    for value in wanted.values():
        assert f'value="{value}"' in page


async def test_what_others_changed_meanwhile_stays(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    was = {f"was:{name}": value for name, value in FIELDS.items()}
    page = await asha.shown(page_of(room))
    assert all(f'name="{name}" value="{value}"' in page for name, value in was.items())
    await stage.meera.patch(room.path, {"name": "Networks"})
    await asha.done(page_of(room), was | FIELDS | {"section": "B"})
    document = await room.document()
    assert (document["name"], document["section"]) == ("Networks", "B")
    answer = await asha.post(page_of(room), was | FIELDS | {"name": "Compilers", "section": "B"})
    assert answer.status_code == 409
    assert 'id="e-name">It is “Networks” now. Save again to replace that.' in answer.text
    assert (await room.document())["name"] == "Networks"


async def test_what_is_emptied_is_taken_away(stage: Stage, room: Classroom, asha: Browser) -> None:
    days = {"firstDay": "2031-01-06", "lastDay": "2031-05-15"}
    term = (await stage.meera.post("/admin/terms", {"name": "Spring", **days})).json()["id"]
    await stage.asha.patch(room.path, {"termId": term, "ltpPattern": "3-0-2"})
    await asha.done(page_of(room), FIELDS | {"ltpPattern": " "})
    document = await room.document()
    assert (document["termId"], document["ltpPattern"]) == (None, None)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("code", " ", "This must not be blank."),
        ("name", "", "This must not be blank."),
        ("section", "x" * 10_000, "This is too long."),
        ("code", "a\0b", "Control characters are not allowed."),
        ("ltpPattern", "x" * 10_000, "This is too long."),
        ("termId", NOWHERE, "There is no such term."),
        ("termId", "x", "This must be"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    stage: Stage, room: Classroom, asha: Browser, field: str, value: str, sentence: str
) -> None:
    before = await checksum(stage.connection)
    answer = await asha.post(page_of(room), FIELDS | {"teacherType": "Kept", field: value})
    assert answer.status_code == 422
    assert f'id="e-{field}">{sentence}' in answer.text
    assert f"(/{field})" not in answer.text
    assert 'value="Kept"' in answer.text
    assert await checksum(stage.connection) == before


async def test_a_name_that_is_taken_is_refused(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await classroom_of(stage.asha, "CS302", rolls=[])
    answer = await asha.post(page_of(room), FIELDS | {"code": "CS302"})
    assert answer.status_code == 409
    assert "already has a class with this code and section" in answer.text
    assert 'value="CS302"' in answer.text


async def test_a_class_with_sessions_is_archived_and_restored_after_a_question(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await room.open()
    assert f'href="{page_of(room, "/archive")}"' in await asha.shown(page_of(room))
    page = await asha.shown(page_of(room, "/archive"))
    assert "Every session and every mark is kept" in page
    assert (await room.document())["archivedAt"] is None
    assert await asha.done(page_of(room, "/archive")) == page_of(room, "?done=class_archived")
    assert (await room.document())["archivedAt"]
    page = await asha.shown(page_of(room, "?done=class_archived"))
    assert "Everything in it is kept." in page
    assert f'href="{page_of(room, "/restore")}"' in page
    assert "<form" not in page.partition("<main")[2]
    assert "There is nothing to do" in await asha.shown(page_of(room, "/archive"))
    assert (await asha.post(page_of(room), FIELDS)).status_code == 409
    assert "with its whole history" in await asha.shown(page_of(room, "/restore"))
    there = await asha.done(page_of(room, "/restore"))
    assert there == f"/app/classes/{room.id}?done=class_restored"
    assert (await room.document())["archivedAt"] is None
    assert "this class is not archived" in await asha.shown(page_of(room, "/restore"))


async def test_a_class_without_sessions_is_deleted_and_that_is_said_first(
    room: Classroom, asha: Browser
) -> None:
    page = await asha.shown(page_of(room, "/archive"))
    assert "it is deleted for good, with its timetable and the roster of 3 students" in page
    assert await asha.done(page_of(room, "/archive")) == "/app/classes?done=class_removed"
    assert (await asha.get(page_of(room))).status_code == 404
    assert (await asha.post(page_of(room, "/archive"))).status_code == 404


async def test_a_class_that_collides_is_not_restored_and_says_why(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await room.open()
    await stage.asha.delete(room.path)
    await classroom_of(stage.asha, "CS301", rolls=[])
    answer = await asha.post(page_of(room, "/restore"))
    assert answer.status_code == 409
    assert "already has a class with this code and section" in answer.text


async def test_an_administrator_gives_a_class_to_another_teacher(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    assert f'href="{page_of(room, "/owner")}"' in await meera.shown(page_of(room))
    assert "Asha Demo" in await meera.shown(page_of(room, "/owner"))
    fields = {"teacherEmail": stage.bilal.email.upper()}
    there = await meera.done(page_of(room, "/owner"), fields)
    assert there == page_of(room, "?done=reassigned")
    assert "Bilal Demo" in await meera.shown(there)
    assert (await stage.bilal.get(room.path)).json()["myRole"] == "owner"
    assert (await stage.asha.get(room.path)).status_code == 403


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("", "Enter the address of the teacher"),
        ("nobody@x.example", "Nobody with this address has signed in yet."),
        ("x" * 10_000, "Nobody with this address"),
        ("a\0b", "Control characters are not allowed."),
        (SCRIPT, "Nobody with this address"),
    ],
)
async def test_an_owner_whom_nobody_knows_is_refused_beside_the_field(
    stage: Stage, room: Classroom, meera: Browser, email: str, sentence: str
) -> None:
    before = await checksum(stage.connection)
    answer = await meera.post(page_of(room, "/owner"), {"teacherEmail": email})
    assert answer.status_code == 422
    assert f'id="e-teacherEmail">{sentence}' in answer.text
    assert SCRIPT not in answer.text
    assert await checksum(stage.connection) == before


async def test_only_the_owner_and_administrators_have_settings(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await share(room, co_teacher(stage.chitra))
    before = await checksum(stage.connection)
    sent: dict[str, Any] = {"": FIELDS | {"name": "Mine"}, "/archive": {}, "/restore": {}}
    sent |= {"/owner": {"teacherEmail": stage.bilal.email}}
    for person in (stage.chitra, stage.bilal):
        async with browser_of(stage.app, person) as browser:
            for rest, fields in sent.items():
                assert (await browser.get(page_of(room, rest))).status_code == 403
                assert (await browser.post(page_of(room, rest), fields)).status_code == 403
    async with browser_of(stage.app, stage.chitra) as chitra:
        assert "/settings" not in await chitra.shown(f"/app/classes/{room.id}")
    assert "/owner" not in await asha.shown(page_of(room))
    assert (await asha.get(page_of(room, "/owner"))).status_code == 403
    assert (await asha.post(page_of(room, "/owner"), sent["/owner"])).status_code == 403
    assert await checksum(stage.connection) == before


async def test_markup_in_a_name_is_text(room: Classroom, asha: Browser) -> None:
    await asha.done(page_of(room), FIELDS | {"code": "X<b>1", "name": SCRIPT})
    for rest in ("", "/archive", "/restore"):
        page = await asha.shown(page_of(room, rest))
        assert "&lt;script&gt;alert(1)" in page
        assert "X<b>" not in page
