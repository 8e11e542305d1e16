"""Photos of students on the sheet: from hosts that the institution names, and from no others."""

import re
from pathlib import Path

import pytest

from app.config import ConfigError, load_settings
from tests.browser import Browser
from tests.classroom import ROLLS, Classroom
from tests.conftest import Stage
from tests.test_config import GOOD
from tests.test_web_take import opened

pytestmark = pytest.mark.anyio

ORIGINS = ("https://photos.example", "https://cdn.example:8443")
SHOWN = [
    "https://photos.example/23/cs/101.jpg",
    "https://photos.example/?of=101&size=2",
    "https://cdn.example:8443/101.jpg",
    'https://photos.example/"><script>alert(1)</script>.jpg',
]
HIDDEN = [
    "javascript:alert(1)",
    "data:image/svg+xml,<svg/>",
    "//photos.example/101.jpg",
    "/101.jpg",
    "http://photos.example/101.jpg",
    "https://photos.example",
    "https://photos.example@evil.example/101.jpg",
    "https://photos.example:secret@evil.example/101.jpg",
    "https://user@photos.example/101.jpg",
    "https://photos.example:8443/101.jpg",
    "https://photos.example:443/101.jpg",
    "https://cdn.example/101.jpg",
    "https://photos.example.evil.example/101.jpg",
    "https://evil.example/https://photos.example/101.jpg",
    "https://evil.example#https://photos.example/101.jpg",
    "https://photos.example\\@evil.example/101.jpg",
    "https:\\\\photos.example\\101.jpg",
    "https:photos.example/101.jpg",
    "HTTPS://photos.example/101.jpg",
    "https://PHOTOS.example/101.jpg",
    "",
]


def show_photos_from(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, origins: tuple[str, ...] = ORIGINS
) -> None:
    """Set PHOTO_ORIGINS for the rest of the test."""
    settings = stage.app.state.settings.model_copy(update={"photo_origins": origins})
    monkeypatch.setitem(stage.app.state._state, "settings", settings)


async def give_photo(room: Classroom, link: str) -> None:
    """Put the link on the record of the first student."""
    students = [{"rollNo": ROLLS[0], "name": "Student 101", "photoUrl": link}]
    put = await room.teacher.put(f"{room.path}/students?mode=merge", {"students": students})
    assert put.status_code == 200, put.text
    stored = {s["rollNo"]: s["photoUrl"] for s in (await room.document())["students"]}
    assert (stored[ROLLS[0]] or "") == link


def pictures(page: str) -> list[str]:
    return re.findall("<img[^>]*>", page)


@pytest.mark.parametrize("link", SHOWN)
async def test_a_photo_of_a_named_origin_is_shown(
    stage: Stage, room: Classroom, asha: Browser, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    show_photos_from(stage, monkeypatch)
    await give_photo(room, link)
    (picture,) = pictures(await asha.shown(await opened(asha, room)))
    escaped = link.replace("&", "&amp;").replace('"', "&#34;")
    escaped = escaped.replace("<", "&lt;").replace(">", "&gt;")
    assert f'src="{escaped}"' in picture
    for attribute in (
        *('alt=""', 'loading="lazy"', 'referrerpolicy="no-referrer"'),
        *('width="32"', 'height="40"'),
    ):
        assert attribute in picture


@pytest.mark.parametrize("link", HIDDEN)
async def test_a_link_that_leads_elsewhere_or_is_written_otherwise_is_not_shown(
    stage: Stage, room: Classroom, asha: Browser, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    show_photos_from(stage, monkeypatch)
    await give_photo(room, link)
    page = await asha.shown(await opened(asha, room))
    assert pictures(page) == []
    assert page.count('<span class="photo">') == len(ROLLS)
    assert not link or link not in page


async def test_without_the_setting_there_are_no_photos_and_no_room_for_them(
    stage: Stage, room: Classroom, asha: Browser
) -> None:
    await give_photo(room, SHOWN[0])
    page = await asha.shown(await opened(asha, room))
    assert pictures(page) == []
    assert 'class="photo"' not in page


async def test_pages_may_load_pictures_from_exactly_these_origins(
    stage: Stage, room: Classroom, asha: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = await opened(asha, room)
    for origins, allowed in (((), "'self'"), (ORIGINS, f"'self' {' '.join(ORIGINS)}")):
        show_photos_from(stage, monkeypatch, origins)
        for path in (sheet, "/app/today", "/app/sign-in"):
            policy = (await asha.get(path)).headers["content-security-policy"].split("; ")
            assert f"img-src {allowed}" in policy
            assert policy[0] == "default-src 'none'"
            assert [part for part in policy if "example" in part and "img-src" not in part] == []


@pytest.mark.parametrize(
    "origins",
    [
        "photos.students.example",
        "http://photos.example",
        "https://photos.example,*",
        "https://*.example",
        "https://Photos.example",
        "https://photos.example/",
        "https://photos.example/students",
        "https://photos.example:443",
        "https://photos.example:65536",
        "https://user@photos.example",
        "https://photos_1.example",
        "https://[::1]",
        "https://photos.example https://cdn.example",
        "https://photos.example; script-src *",
        '["https://photos.example"]',
    ],
)
def test_a_setting_that_names_no_https_origins_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, origins: str
) -> None:
    start_with(monkeypatch, tmp_path, origins)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    said = str(refused.value)
    assert said.startswith("PHOTO_ORIGINS must be https origins, separated by commas, like")
    assert origins not in said


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    start_with(monkeypatch, tmp_path, ", ".join(ORIGINS))
    assert load_settings().photo_origins == ORIGINS
    start_with(monkeypatch, tmp_path, "")
    assert load_settings().photo_origins == ()


def start_with(monkeypatch: pytest.MonkeyPatch, place: Path, origins: str) -> None:
    """The environment of a start: good settings, and these origins."""
    monkeypatch.chdir(place)
    for name, value in (GOOD | {"PHOTO_ORIGINS": origins}).items():
        monkeypatch.setenv(name, value)
