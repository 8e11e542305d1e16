"""The register: its files match the API cell by cell."""

import asyncio
import csv
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from pypdf import PageObject, PdfReader
from python_calamine import CalamineWorkbook

from app.files.register import register_file, register_pdf
from app.files.register.register_words import (
    LETTERS,
    PREAMBLE,
    STUDENT_COLUMNS,
    TOTAL_COLUMNS,
    unguarded,
)
from app.routes.attendance import register_routes
from app.schemas.register import RegisterFormat
from app.services.counting.registers import Bounds
from tests.classroom import ROLLS, Classroom, asked_leave, classroom_of, decide
from tests.conftest import Stage
from tests.support import Person

pytestmark = pytest.mark.anyio

TERM = {"name": "Monsoon 2025", "firstDay": "2025-08-04", "lastDay": "2025-08-29"}
ANJALI, FORMULA, LATE, LEFT, LONG = "23/CS/101", "23/CS/102", "23/CS/103", "@23-104", "23/CS/105"
NAMES = {
    ANJALI: "अंजलि शर्मा",
    FORMULA: "=cmd|' /C calc'!A0",
    LATE: "Lata J. Demo",
    LEFT: '\'=HYPERLINK("https://x.example") {nb}',
    LONG: "Doña " + "Very Long " * 19 + "Demo",
}
HEADINGS = ["2025-08-04 09:00", "2025-08-06", "2025-08-11 09:00", "2025-08-18 09:00"]
# Worked out by hand, under these headings. A roll number that begins with @ sorts after digits.
GRID = {
    ANJALI: ["P", "E", "OD", "P"],
    FORMULA: ["A", "P", "L", "P"],
    LATE: ["-", "-", "-", "P"],
    LONG: ["L", "P", "", "A"],
    LEFT: ["P", "A", "P", "-"],
}
STATUSES = {letter: word for word, letter in LETTERS.items()} | {"OD": "excused"}
FIGURES = ("present", "absent", "late", "excused", "counted", "attended", "percentage")


@pytest.fixture
async def month(stage: Stage) -> Classroom:
    """A month of Asha's class with everything that a register has to show."""
    term = (await stage.meera.post("/admin/terms", TERM)).json()["id"]
    room = await classroom_of(stage.asha, rolls=[])
    await stage.asha.patch(room.path, {"termId": term, "name": "Operating Systems (प्रथम)"})
    days = {LATE: "2025-08-13"}
    students = [
        {"rollNo": roll, "name": name, "from": days.get(roll, "2025-08-04")}
        for roll, name in NAMES.items()
    ]
    assert (await stage.asha.put(f"{room.path}/students", {"students": students})).is_success
    untimed = {ANJALI: "absent", FORMULA: "present", LEFT: "absent", LONG: "present"}
    await held(room, "2025-08-06", untimed)
    nine = {"startTime": "09:00"}
    first = {ANJALI: "present", FORMULA: "absent", LEFT: "present", LONG: "late"}
    await held(room, "2025-08-04", first, **nine)
    duty = await held(room, "2025-08-11", {FORMULA: "late", LEFT: "present"}, **nine)
    cancelled = await held(room, "2025-08-12", dict.fromkeys(NAMES, "absent"), **nine)
    reason = {"reason": "The road was under water."}
    await stage.asha.post(f"/attendance/sessions/{cancelled}/cancel", reason)
    last = {ANJALI: "present", FORMULA: "present", LATE: "present", LONG: "absent"}
    await held(room, "2025-08-18", last, **nine)
    ill = {"firstDay": "2025-08-05", "lastDay": "2025-08-06", "kind": "medical"}
    for leave in (ill, {"sessionIds": [duty], "kind": "on_duty"}):
        asked = await asked_leave(stage.asha, ANJALI, classId=room.id, **leave)
        await decide(stage.asha, asked, "approve")
    leaves = {"students": [], "withdrawals": [{"rollNo": LEFT, "lastDay": "2025-08-10"}]}
    assert (await stage.asha.put(f"{room.path}/students?mode=merge", leaves)).is_success
    return room


async def held(room: Classroom, day: str, marks: dict[str, str], **more: Any) -> str:
    session = await room.open(day, **more)
    assert (await room.mark(session, marks)).is_success
    return session


async def sessions_of(room: Classroom) -> list[dict[str, Any]]:
    """The sessions that count, in chronological order."""
    listed = (await room.teacher.get(f"/attendance/sessions?classId={room.id}")).json()
    return [session for session in listed[::-1] if session["status"] != "cancelled"]


async def figures_of(room: Classroom) -> dict[str, list[float]]:
    """The statistics of each student, including those who left."""
    answer = await room.teacher.get(f"/stats/classes/{room.id}/students?include=withdrawn")
    return {s["rollNo"]: [s[figure] for figure in FIGURES] for s in answer.json()}


async def fetched(person: Person, room: Classroom, format: str, query: str = "") -> httpx2.Response:
    answer = await person.get(f"{room.path}/register?format={format}{query}")
    assert answer.status_code == 200, answer.text
    return answer


@dataclass
class Read:
    """A register read back: by label, by heading, and by roll number."""

    about: dict[str, str]
    headings: list[str]
    names: dict[str, str]
    marks: dict[str, list[str]]
    figures: dict[str, list[float]]


def read(rows: list[list[Any]]) -> Read:
    """Parse the rows of a CSV or a sheet."""
    about, (empty, headings, *students) = rows[: len(PREAMBLE)], rows[len(PREAMBLE) :]
    assert not any(empty)
    assert headings[:2] == list(STUDENT_COLUMNS)
    assert headings[-7:] == list(TOTAL_COLUMNS)
    return Read(
        {label: value for label, value, *_ in about},
        headings[2:-7],
        {row[0]: row[1] for row in students},
        {row[0]: row[2:-7] for row in students},
        {row[0]: [float(cell) for cell in row[-7:]] for row in students},
    )


def read_csv(content: bytes) -> Read:
    rows = csv.reader(StringIO(content.decode("utf-8-sig"), newline=""))
    return read([[unguarded(cell) for cell in row] for row in rows])


def read_xlsx(content: bytes) -> Read:
    sheet = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(0)
    found = read(sheet.to_python(skip_empty_area=False))
    for figures in found.figures.values():
        figures[-1] = round(100 * figures[-1], 2)
    return found


def lines_of(page: PageObject) -> Iterator[list[tuple[float, str]]]:
    """The unrotated texts on the page, line by line, each with its x position."""
    found: dict[float, list[tuple[float, str]]] = {}

    def see(text: str, cm: list[float], tm: list[float], _: Any, __: Any) -> None:
        if text.strip() and not cm[1] and not tm[1]:
            found.setdefault(round(tm[5]), []).append((tm[4], text.strip()))

    page.extract_text(visitor_text=see)
    for height in sorted(found, reverse=True):
        yield sorted(found[height])


async def test_csv_and_xlsx_match_the_api_cell_by_cell(month: Classroom) -> None:
    sessions, figures = await sessions_of(month), await figures_of(month)
    in_csv = read_csv((await fetched(month.teacher, month, "csv")).content)
    in_xlsx = read_xlsx((await fetched(month.teacher, month, "xlsx")).content)
    for found in (in_csv, in_xlsx):
        assert found.headings == HEADINGS
        assert found.names == NAMES
        assert (found.marks, list(found.marks)) == (GRID, list(GRID))
        assert found.figures == figures
    for place, session in enumerate(sessions):
        said = {mark["rollNo"]: mark["status"] for mark in session["statuses"]}
        letters = {roll: row[place] for roll, row in in_csv.marks.items()}
        assert said == {roll: STATUSES[mark] for roll, mark in letters.items() if mark in STATUSES}


async def test_the_preamble_names_the_class_the_period_and_the_author(
    stage: Stage, month: Classroom
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    for format, reading in (("csv", read_csv), ("xlsx", read_xlsx)):
        about = reading((await fetched(stage.meera, month, format)).content).about
        at, _, who = about.pop("Generated").partition(" by ")
        assert before <= datetime.fromisoformat(at) <= datetime.now(UTC)
        assert who == "Meera Demo"
        assert about == {
            "Class": "CS301",
            "Name": "Operating Systems (प्रथम)",
            "Section": "A",
            "Teacher": f"Asha Demo <{stage.asha.email}>",
            "Term": "Monsoon 2025",
            "Period": "2025-08-04 to 2025-08-29",
            "Class id": month.id,
        }


async def test_pdf_matches_the_api_cell_by_cell(month: Classroom) -> None:
    figures = await figures_of(month)
    (page,) = PdfReader(BytesIO((await fetched(month.teacher, month, "pdf")).content)).pages
    lines = [[text for _, text in line] for line in lines_of(page)]
    places = {line[0][1]: line for line in lines_of(page)}
    columns = [x for x, text in places[FORMULA] if text in LETTERS.values()]
    for roll, letters in GRID.items():
        shown = [f"{figure:g}" for figure in figures[roll][:-1]] + [f"{figures[roll][-1]:.2f}"]
        line = places[roll]
        assert [text for _, text in line[-7:]] == shown
        for column, letter in zip(columns, letters, strict=True):
            near = [text for x, text in line[2:-7] if abs(x - column) < 8]
            assert near == ([letter] if letter else [])
    assert [line for line in lines if "Present or late" in line] == [
        ["Present or late", "3", "2", "2", "3"]
    ]
    text = page.extract_text()
    for said in (f"Asha Demo <{month.teacher.email}>", "Monsoon 2025", "by Asha Demo"):
        assert said in text
    for said in ("2025-08-04 to 2025-08-29", "Page 1 of 1", "5 students, 4 sessions", "below 75 %"):
        assert said in text
    assert "अंजलि" in text
    assert "{nb}" in text


@pytest.mark.parametrize("format", ["csv", "xlsx", "pdf"])
async def test_a_file_has_a_type_and_a_name_and_is_not_cached(
    month: Classroom, format: str
) -> None:
    answer = await fetched(month.teacher, month, format)
    kinds = {
        "csv": ("text/csv; charset=utf-8", b"\xef\xbb\xbfClass,CS301\r\n"),
        "xlsx": (register_file.MEDIA_TYPES[RegisterFormat.XLSX], b"PK"),
        "pdf": ("application/pdf", b"%PDF-"),
    }
    kind, begins = kinds[format]
    assert answer.headers["content-type"] == kind
    assert answer.content.startswith(begins)
    name = f"register-CS301-A-2025-08-04-to-2025-08-29.{format}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"


async def test_a_part_of_the_term_has_its_own_sessions_students_and_figures(
    month: Classroom,
) -> None:
    query = "&from=2025-08-12&to=2025-08-29"
    found = read_csv((await fetched(month.teacher, month, "csv", query)).content)
    assert found.about["Period"] == "2025-08-12 to 2025-08-29"
    assert found.headings == HEADINGS[-1:]
    # Students who left earlier are not in it; the others have the figures of this part only.
    assert found.marks == {ANJALI: ["P"], FORMULA: ["P"], LATE: ["P"], LONG: ["A"]}
    assert found.figures[LONG] == [0, 1, 0, 0, 1, 0, 0]
    assert found.figures[ANJALI] == [1, 0, 0, 0, 1, 1, 100]
    # Nor are students who joined later; but anyone with a mark is, enrolled or not.
    query = "&from=2025-08-11&to=2025-08-11"
    day = read_csv((await fetched(month.teacher, month, "csv", query)).content)
    assert day.marks == {ANJALI: ["OD"], FORMULA: ["L"], LONG: [""], LEFT: ["P"]}
    early = read_csv((await fetched(month.teacher, month, "csv", "&to=2025-08-06")).content)
    assert early.headings == HEADINGS[:2]
    assert LATE not in early.names
    assert early.figures[LEFT] == [1, 1, 0, 0, 2, 1, 50]


@pytest.mark.parametrize(
    "policy",
    [
        {"onDuty": "excluded", "excused": "present", "lateWeight": 50},
        {"onDuty": "absent", "excused": "excluded", "lateWeight": 25},
    ],
)
async def test_the_figures_follow_the_policy(
    stage: Stage, month: Classroom, policy: dict[str, Any]
) -> None:
    rules = {"threshold": 6667, "minimumSessions": 1} | policy
    assert (await stage.meera.put("/admin/policy", rules)).is_success
    figures = await figures_of(month)
    for format, reading in (("csv", read_csv), ("xlsx", read_xlsx)):
        assert reading((await fetched(stage.asha, month, format)).content).figures == figures


async def test_sessions_outside_the_term_are_in_the_whole_register(month: Classroom) -> None:
    await held(month, "2025-09-02", {ANJALI: "present"})
    await held(month, "2025-09-02", {ANJALI: "absent"}, startTime="00:00")
    whole = await fetched(month.teacher, month, "xlsx")
    found = read_xlsx(whole.content)
    assert found.about["Period"] == "2025-08-04 to 2025-09-02"
    assert found.headings == [*HEADINGS, "2025-09-02", "2025-09-02 00:00"]
    assert found.figures == await figures_of(month)


@pytest.mark.parametrize("format", ["xlsx", "pdf"])
async def test_a_printable_register_stays_within_the_term(month: Classroom, format: str) -> None:
    for query in ("from=2025-08-03", "to=2025-08-30", "from=2025-01-01&to=2025-12-31"):
        path = f"{month.path}/register?{query}"
        refused = await month.teacher.get(f"{path}&format={format}")
        assert (refused.status_code, refused.json()["code"]) == (422, "beyond_term")
        assert (await month.teacher.get(path)).status_code == 200


async def test_more_than_fits_is_refused_in_a_sentence(
    month: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bounds in (Bounds(3, 1000, True), Bounds(10, 49, True)):
        monkeypatch.setattr(register_routes, "PRINTED", bounds)
        refused = await month.teacher.get(f"{month.path}/register?format=pdf")
        assert (refused.status_code, refused.json()["code"]) == (422, "register_too_large")
        assert f"at most {bounds.sessions} sessions" in refused.json()["detail"]
    monkeypatch.setattr(register_routes, "LISTED", Bounds(10, 49, False))
    assert "at most 49 cells" in (await month.teacher.get(f"{month.path}/register")).text
    monkeypatch.setattr(register_routes, "PRINTED", Bounds(4, 50, True))
    assert (await month.teacher.get(f"{month.path}/register?format=pdf")).is_success


async def test_students_without_sessions_count_too(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cells, status in ((len(ROLLS) * 10, 200), (len(ROLLS) * 10 - 1, 422)):
        monkeypatch.setattr(register_routes, "LISTED", Bounds(10, cells, False))
        assert (await room.teacher.get(f"{room.path}/register")).status_code == status


@pytest.mark.parametrize("format", ["csv", "xlsx", "pdf"])
async def test_a_class_without_a_term_sessions_or_students_has_a_register(
    stage: Stage, format: str
) -> None:
    room = await classroom_of(stage.asha, f"अ{uuid4()}", rolls=[])
    answer = await fetched(stage.asha, room, format)
    assert 'filename="register-' in answer.headers["content-disposition"]
    await room.enrol("23/CS/101")
    assert await fetched(stage.asha, room, format)
    far = await fetched(stage.asha, room, format, "&from=0001-01-02&to=9999-12-30")
    assert far.content


async def test_a_student_who_joins_after_the_last_session_is_in_todays_register(
    month: Classroom,
) -> None:
    await month.enrol("23/CS/999", mode="merge")
    whole = read_csv((await fetched(month.teacher, month, "csv")).content)
    assert whole.marks["23/CS/999"] == ["-"] * 4
    then = read_csv((await fetched(month.teacher, month, "csv", "&to=2025-08-29")).content)
    assert "23/CS/999" not in then.names


async def test_laying_out_does_not_block_the_server_and_runs_one_at_a_time(
    month: Classroom, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, go_on = threading.Semaphore(0), threading.Event()
    written = register_pdf.written

    def slow(*said: Any) -> bytes:
        running.release()
        assert go_on.wait(10)
        return written(*said)

    monkeypatch.setattr(register_pdf, "written", slow)
    asked = []
    for n, person in enumerate((month.teacher, stage.meera)):
        asked.append(asyncio.create_task(fetched(person, month, "pdf")))
        assert await asyncio.to_thread(running.acquire, timeout=0.2 if n else 10) == (not n)
    assert (await month.teacher.get("/users/me")).status_code == 200
    go_on.set()
    answers = await asyncio.gather(*asked)
    assert [answer.content[:5] for answer in answers] == [b"%PDF-"] * 2
