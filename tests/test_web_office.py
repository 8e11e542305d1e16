"""The office's pages: a term in figures, what is missing, and who is below the line."""

import pytest

from tests.browser import Browser, browser_of
from tests.classroom import ROLLS, Classroom, classroom_of, day, today
from tests.conftest import Stage

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ROLLS
EVIL = "<script>alert(1)</script>"


async def met(stage: Stage, room: Classroom) -> None:
    """Let the class meet on all days of the last and of this week, but take no attendance."""
    for weekday in range(1, 8):
        slot = {"dayOfWeek": weekday, "startTime": "00:00", "endTime": "00:01"}
        await stage.asha.post(f"{room.path}/schedules", slot)


async def absent(room: Classroom, roll: str, times: int) -> None:
    """Sessions in which that student was absent and the others present."""
    for distance in range(times):
        session = await room.open(day(-1 - distance), startTime="09:00")
        await room.mark(session, dict.fromkeys(ROLLS, "present") | {roll: "absent"})


@pytest.mark.parametrize(
    "path",
    ["/app/overview", "/app/missing", "/app/below", "/app/missing.csv", "/app/below.csv"],
)
async def test_figures_are_for_administrators(stage: Stage, asha: Browser, path: str) -> None:
    assert (await asha.get(path)).status_code == 403
    async with browser_of(stage.app) as nobody:
        assert (await nobody.get(path)).status_code == 303


async def test_a_term_is_shown_in_figures(stage: Stage, room: Classroom, meera: Browser) -> None:
    term = {"name": f"Monsoon {EVIL}", "firstDay": str(day(-30)), "lastDay": str(day(30))}
    made = (await stage.meera.post("/admin/terms", term)).json()
    await absent(room, FIRST, 5)
    page = await meera.shown("/app/overview")
    assert "Monsoon &lt;script&gt;" in page
    assert "<dt>Sessions taken</dt><dd>5</dd>" in page
    assert "<dt>Attendance</dt><dd>66.67 %</dd>" in page
    page = await meera.shown(f"/app/overview?term={made['id']}")
    assert f'value="{made["id"]}" selected' in page
    assert "<dt>Classes</dt><dd>0</dd>" in page
    assert "There are no classes in this term yet" in page


@pytest.mark.parametrize("term", ["x", "%00", "b7a1d2c3-6e4f-4a5b-8c9d-0e1f2a3b4c5d"])
async def test_a_term_that_nobody_knows_is_named_beside_its_choice(
    meera: Browser, term: str
) -> None:
    for path in ("/app/overview", "/app/below"):
        answer = await meera.get(f"{path}?term={term}")
        assert answer.status_code == 422
        assert 'aria-describedby="e-term"' in answer.text


async def test_missing_sessions_are_listed_between_dates(
    stage: Stage, room: Classroom, meera: Browser
) -> None:
    assert "Nothing is missing" in await meera.shown("/app/missing")
    await met(stage, room)
    page = await meera.shown(f"/app/missing?from={day(-3)}&to={day(-2)}")
    assert "2 missing" in page
    assert stage.asha.email in page
    assert f'href="/app/classes/{room.id}"' in page
    assert page.count('action="/app/take"') == 2
    everything = await meera.shown("/app/missing?from=&to=")
    assert "missing" in everything
    file = await meera.get(f"/app/missing.csv?from={day(-3)}&to={day(-2)}")
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.startswith("\ufeffDate,Start,End,Course Code")
    assert file.text.count("CS301") == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=x", "from"), ("to=2025-13-01", "to"), ("from=2025-02-01&to=2025-01-01", "from")],
)
async def test_a_mistake_in_a_filter_is_named_beside_it(
    meera: Browser, query: str, field: str
) -> None:
    answer = await meera.get(f"/app/missing?{query}")
    assert answer.status_code == 422
    assert f'aria-describedby="e-{field}"' in answer.text
    assert (await meera.get(f"/app/missing.csv?{query}")).status_code == 422


async def test_who_is_below_the_line_is_listed_in_pages_and_as_a_file(
    stage: Stage, room: Classroom, meera: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nobody is below this line" in await meera.shown("/app/below")
    other = await classroom_of(stage.asha, "CS302")
    for each in (room, other):
        await absent(each, FIRST, 5)
    student = (await room.document())["students"][0]["studentId"]
    await stage.meera.patch(f"/admin/students/{student}", {"name": f"={EVIL}"})
    page = await meera.shown("/app/below")
    assert "2 below the line" in page
    assert f'href="/app/classes/{room.id}/students/{student}"' in page
    assert "=&lt;script&gt;" in page
    assert "Nobody is below" in await meera.shown("/app/below?threshold=0&term=current")
    monkeypatch.setattr("app.web.frame.lists.MAX_PAGE", 1)
    page = await meera.shown("/app/below")
    following = page.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "CS302" in await meera.shown(following)
    monkeypatch.setattr("app.web.frame.lists.AT_ONCE", 1)
    file = (await meera.get("/app/below.csv")).text.splitlines()
    assert len(file) == 3
    assert file[1].startswith(f"{FIRST},'={EVIL},CS301")


@pytest.mark.parametrize("threshold", ["-1", "101", "75.123", "x", "1e9"])
async def test_a_line_that_is_none_is_refused(meera: Browser, threshold: str) -> None:
    answer = await meera.get(f"/app/below?threshold={threshold}")
    assert answer.status_code == 422
    assert 'aria-describedby="e-threshold"' in answer.text
    assert f'value="{threshold}"' in answer.text


async def test_a_cursor_that_is_none_is_refused(meera: Browser) -> None:
    for path in ("/app/missing", "/app/below"):
        assert (await meera.get(f"{path}?cursor=%00{today()}")).status_code == 422


async def test_the_overview_leads_to_the_classes_of_a_department(
    stage: Stage, meera: Browser
) -> None:
    await classroom_of(stage.asha, "CS301")
    await classroom_of(stage.bilal, "CS200")
    name = "Electrical & Electronics Engineering"
    await stage.meera.patch(f"/admin/users/{stage.asha.user_id}", {"department": name})
    page = await meera.shown("/app/overview")
    link = "/app/overview/classes?department=Electrical+%26+Electronics+Engineering"
    assert f'<a href="{link}">Electrical &amp; Electronics Engineering</a>' in page
    assert "Electrical &amp; …" in page
    assert '<th scope="row">No department</th>' in page
    page = await meera.shown(link)
    assert "1 class</caption>" in page
    assert "CS301" in page
    assert "CS200" not in page
    assert "CS301" in (await meera.get(link.replace("classes?", "classes.csv?"))).text
    assert "There are no such classes." in await meera.shown("/app/overview/classes?department=X")
