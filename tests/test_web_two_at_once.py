"""A record that two administrators have open at once: neither overwrites what the other changed."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, day, share, substitute
from tests.conftest import Stage
from tests.students import KIRAN, give_address, id_of_roll
from tests.support import checksum

pytestmark = pytest.mark.anyio

EVIL = "<script>alert(1)</script>"


@pytest.fixture
async def meera(stage: Stage) -> AsyncIterator[Browser]:
    async with browser_of(stage.app, stage.meera) as browser:
        yield browser


def changed(name: str, was: str, text: str) -> dict[str, str]:
    return {f"was:{name}": was, name: text}


async def test_what_somebody_else_changed_is_shown_before_it_is_replaced(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = f"/app/students/{await id_of_roll(stage, ROLLS[0])}"
    await stage.meera.patch(there.replace("/app", "/admin"), {"phone": f"+91 {EVIL}"})
    before = await checksum(stage.connection)
    fields = changed("phone", "", "+91 1") | changed("semester", "", "5")
    answer = await meera.post(f"{there}/correct", fields)
    assert answer.status_code == 409
    assert await checksum(stage.connection) == before
    now = "+91 &lt;script&gt;alert(1)&lt;/script&gt;"
    assert f'id="e-phone">It is “{now}” now. Save again to replace that.' in answer.text
    assert f'name="was:phone" value="{now}"' in answer.text
    assert 'name="phone" type="text" value="+91 1"' in answer.text
    assert 'name="was:semester" value=""' in answer.text
    await meera.done(f"{there}/correct", fields | changed("phone", f"+91 {EVIL}", "+91 1"))
    stored = (await stage.meera.get(there.replace("/app", "/admin"))).json()
    assert (stored["phone"], stored["semester"]) == ("+91 1", "5")


async def test_an_address_that_changed_after_it_was_shown_is_not_confirmed(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    there = f"/app/students/{await id_of_roll(stage, ROLLS[0])}"
    await stage.connection.execute(
        "UPDATE students SET dtu_email = $1 WHERE roll_no = $2", "stranger@x.example", ROLLS[0]
    )
    assert 'value="stranger@x.example"' in await meera.shown(there)
    await give_address(stage, ROLLS[0], KIRAN)
    answer = await meera.post(f"{there}/confirm", {"dtuEmail": "stranger@x.example"})
    assert answer.status_code == 409
    assert "Look at it again before you confirm." in answer.text
    stored = (await stage.meera.get(there.replace("/app", "/admin"))).json()
    assert (stored["dtuEmail"], stored["dtuEmailConfirmed"]) == (KIRAN, True)


async def test_days_of_a_substitute_that_somebody_else_has_set_stay(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    await share(room, substitute(stage.esha, until=3))
    there = f"/app/classes/{room.id}/teachers/{stage.esha.user_id}"
    shown = re.findall(r'name="was:(\w+)" value="([^"]*)"', await meera.shown(there))
    was = {f"was:{name}": value for name, value in shown}
    before = dict(shown)
    assert before["lastDay"] == str(day(3))
    await share(room, substitute(stage.esha, until=9))
    stale = was | before | {"firstDay": str(day(1))}
    assert await meera.done(there, stale) == f"/app/classes/{room.id}/teachers?done=saved"
    page = await meera.shown(there)
    assert f'name="was:lastDay" value="{day(9)}"' in page
    assert f'name="was:firstDay" value="{day(1)}"' in page
    answer = await meera.post(there, stale | {"firstDay": str(day(2))})
    assert answer.status_code == 409
