"""Who may open which page and send which form: one table, each page by the operation it stands on.

Its rights are those of the operation in the table of authorization, and it may cost two statements
more. A page that is missing here fails the suite.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from app.web.frame.assets import router as assets
from app.web.frame.missing import router as missing
from app.web.frame.pages import PageRoute, StudentPage
from app.web.routers import ROUTERS
from tests.browser import browser_of
from tests.classroom import ROLLS
from tests.hostile import spoil
from tests.scene import LEAVE, Scene, scene
from tests.students import KIRAN
from tests.support import checksum
from tests.test_authorization import PEOPLE, SPRING, TABLE
from tests.test_statements import COST

pytestmark = pytest.mark.anyio

__all__ = ["scene"]  # a fixture, used by its name


@dataclass(frozen=True)
class Page:
    """A page or a form with valid fields, the operation whose rights it has, and the others that
    it asks, too."""

    operation: str
    path: str
    fields: dict[str, Any] | None = None
    also: tuple[str, ...] = ()
    # What somebody sees who may: a page, or where the form leads.
    status: int = 200

    def expected(self, person: str) -> int:
        answer = TABLE[self.operation].expected(person)
        if answer < 400:
            return self.status
        return 303 if answer == 401 and self.fields is None else answer

    @property
    def cost(self) -> int:
        return sum(COST[name] for name in (self.operation, *self.also)) + 2


def _form(operation: str, path: str, fields: dict[str, Any], *also: str, status: int = 303) -> Page:
    return Page(operation, path, fields, also, status)


CLASS = "/app/classes/{class}"
SESSION = "/app/sessions/{session}"
TAKE = "/app/take/{session}"
TEACHERS = f"{CLASS}/teachers"
CHITRA = f"{TEACHERS}/{{teacher}}"
SETTINGS = f"{CLASS}/settings"
TIMETABLE = f"{CLASS}/timetable"
PERSON, ACCOUNT = "/app/people/{entry}", "/app/people/users/{user}"
SLOT = {"dayOfWeek": "6", "startTime": "09:00", "endTime": "10:00"}
MOVE = {
    "originalDate": "2025-11-03",
    "rescheduledDate": "2025-11-05",
    "rescheduledStartTime": "15:00",
    "rescheduledEndTime": "16:00",
}
CALENDAR = "/app/calendar"
STUDENTS = "/app/students"
STUDENT = f"{STUDENTS}/{{student}}"
RULES = {
    "threshold": "80",
    "lateWeight": "50",
    "excused": "excluded",
    "onDuty": "present",
    "minimumSessions": "1",
}

PAGES = {
    "GET /app/signed-in": Page("getMe", "/app/signed-in"),
    "GET /app/today": Page("getDay", "/app/today", also=("listQuestions",)),
    "GET /app/questions": Page("listQuestions", "/app/questions"),
    "GET /app/questions/{id}": Page("getQuestion", "/app/questions/{question}"),
    "POST /app/questions/{id}": _form(
        "answerQuestion", "/app/questions/{question}", {"outcome": "absent", "answer": "You left"}
    ),
    "POST /app/take": _form(
        "openSession", "/app/take", {"classId": "{class}", "sessionDate": "2025-10-30"}
    ),
    "GET /app/take/{id}": Page("getSheet", TAKE),
    "POST /app/take/{id}": _form(
        "markStudents",
        TAKE,
        {f"mark:{ROLLS[0]}": "absent", f"was:{ROLLS[0]}": "present"},
        "getSheet",
    ),
    "GET /app/take/{id}/sheet": Page("getSheet", f"{TAKE}/sheet"),
    "GET /app/take/{id}/finalise": Page("getSheet", f"{TAKE}/finalise"),
    "POST /app/take/{id}/finalise": _form("finaliseSession", f"{TAKE}/finalise", {}),
    "GET /app/sessions/{id}": Page(
        "getSession", SESSION, also=("getHistory", "listSessionEvents", "getClass")
    ),
    "POST /app/sessions/{id}/reopen": _form(
        "reopenSession", f"{SESSION}/reopen", {"reason": "One was late"}
    ),
    "POST /app/sessions/{id}/cancel": _form(
        "cancelSession", f"{SESSION}/cancel", {"reason": "The power was out"}
    ),
    "POST /app/sessions/{id}/restore": _form("restoreSession", f"{SESSION}/restore", {}),
    "GET /app/classes": Page("listClasses", "/app/classes", also=("getCalendar",)),
    "GET /app/classes/new": Page("getCalendar", "/app/classes/new"),
    "POST /app/classes/new": _form(
        "createClass", "/app/classes/new", {"code": "N1", "name": "New", "section": "A"}
    ),
    "GET /app/classes/{id}": Page("getClass", CLASS, also=("getClassStats", "getClassTrend")),
    "GET /app/classes/{id}/sheet": Page("getClass", f"{CLASS}/sheet"),
    "GET /app/classes/{id}/register": Page("getRegister", f"{CLASS}/register?format=csv"),
    "GET /app/classes/{id}/roster": Page("getClass", f"{CLASS}/roster"),
    "POST /app/classes/{id}/roster": _form(
        "putRoster", f"{CLASS}/roster", {"rollNo": "23/CS/199", "name": "Zoya N. Demo"}
    ),
    "GET /app/classes/{id}/roster/withdraw": Page(
        "getClass", f"{CLASS}/roster/withdraw?roll={ROLLS[0]}"
    ),
    "POST /app/classes/{id}/roster/withdraw": _form(
        "putRoster", f"{CLASS}/roster/withdraw", {"rollNo": ROLLS[1]}
    ),
    "GET /app/classes/{id}/roster/import": Page("getClass", f"{CLASS}/roster/import"),
    "POST /app/classes/{id}/roster/import": _form(
        "importRoster",
        f"{CLASS}/roster/import",
        {"content": "Um9sbCBObyxOYW1lCjIzL0NTLzE5OSxab3lhIERlbW8K"},
        "getClass",
        status=200,
    ),
    "GET /app/classes/{id}/timetable": Page(
        "listSlots", TIMETABLE, also=("getClass", "listClassOccurrences")
    ),
    "POST /app/classes/{id}/timetable": _form("addSlot", TIMETABLE, SLOT),
    "GET /app/classes/{id}/timetable/slots/{slot_id}": Page(
        "getSlot", f"{TIMETABLE}/slots/{{slot}}"
    ),
    "POST /app/classes/{id}/timetable/slots/{slot_id}": _form(
        "changeSlot", f"{TIMETABLE}/slots/{{slot}}", SLOT
    ),
    "POST /app/classes/{id}/timetable/slots/{slot_id}/remove": _form(
        "removeSlot", f"{TIMETABLE}/slots/{{slot}}/remove", {}
    ),
    "GET /app/classes/{id}/timetable/move": Page(
        "getClass", f"{TIMETABLE}/move?on=2025-11-03&start=09:00"
    ),
    "POST /app/classes/{id}/timetable/move": _form("addReschedule", f"{TIMETABLE}/move", MOVE),
    "POST /app/classes/{id}/timetable/moves/{move_id}/undo": _form(
        "removeReschedule", f"{TIMETABLE}/moves/{{move}}/undo", {}
    ),
    "GET /app/classes/{id}/teachers": Page("listTeachers", TEACHERS, also=("getClass",)),
    "POST /app/classes/{id}/teachers": _form(
        "putTeachers", TEACHERS, {"email": "bilal@demo.university.example", "role": "substitute"}
    ),
    "GET /app/classes/{id}/teachers/{user_id}": Page("putTeachers", CHITRA),
    "POST /app/classes/{id}/teachers/{user_id}": _form(
        "putTeachers", CHITRA, {"role": "substitute", "lastDay": "2031-01-01"}
    ),
    "GET /app/classes/{id}/teachers/{user_id}/remove": Page("putTeachers", f"{CHITRA}/remove"),
    "POST /app/classes/{id}/teachers/{user_id}/remove": _form(
        "putTeachers", f"{CHITRA}/remove", {}
    ),
    "GET /app/classes/{id}/settings": Page(
        "updateClass", SETTINGS, also=("getClass", "getCalendar")
    ),
    "POST /app/classes/{id}/settings": _form(
        "updateClass", SETTINGS, {"code": "CS302", "name": "Renamed", "section": "B"}
    ),
    "GET /app/classes/{id}/settings/owner": Page(
        "listUsers", f"{SETTINGS}/owner", also=("getClass", "listTeachers")
    ),
    "POST /app/classes/{id}/settings/owner": _form(
        "listUsers",
        f"{SETTINGS}/owner",
        {"teacherEmail": "bilal@demo.university.example"},
        "updateClass",
    ),
    "GET /app/classes/{id}/settings/archive": Page("deleteClass", f"{SETTINGS}/archive"),
    "POST /app/classes/{id}/settings/archive": _form("deleteClass", f"{SETTINGS}/archive", {}),
    "GET /app/classes/{id}/settings/restore": Page("restoreClass", f"{SETTINGS}/restore"),
    "POST /app/classes/{id}/settings/restore": _form("restoreClass", f"{SETTINGS}/restore", {}),
    "GET /app/classes/{id}/students/{student_id}": Page(
        "getClassStudent",
        f"{CLASS}/students/{{student}}",
        also=("listClassStudentSessions", "getClass"),
    ),
    "GET /app/overview": Page("getOverview", "/app/overview", also=("getCalendar",)),
    "GET /app/overview/classes": Page(
        "listClassesOfTerm", "/app/overview/classes", also=("getCalendar",)
    ),
    "GET /app/overview/classes.csv": Page("listClassesOfTerm", "/app/overview/classes.csv"),
    "GET /app/missing": Page("listMissingSessions", "/app/missing"),
    "GET /app/missing.csv": Page("listMissingSessions", "/app/missing.csv"),
    "GET /app/below": Page("listDefaulters", "/app/below", also=("getCalendar",)),
    "GET /app/below.csv": Page("listDefaulters", "/app/below.csv"),
    "GET /app/calendar": Page("getCalendar", "/app/calendar"),
    "GET /app/calendar/{kind}/new": Page("listTerms", f"{CALENDAR}/terms/new"),
    "POST /app/calendar/{kind}/new": _form("addTerm", f"{CALENDAR}/terms/new", SPRING),
    "GET /app/calendar/{kind}/{id}": Page("listHolidays", f"{CALENDAR}/holidays/{{holiday}}"),
    "POST /app/calendar/{kind}/{id}": _form("changeTerm", f"{CALENDAR}/terms/{{term}}", SPRING),
    "GET /app/calendar/{kind}/{id}/remove": Page(
        "listTerms", f"{CALENDAR}/terms/{{unused}}/remove", also=("listClasses",) * 2
    ),
    "POST /app/calendar/{kind}/{id}/remove": _form(
        "removeTerm", f"{CALENDAR}/terms/{{unused}}/remove", {}
    ),
    "GET /app/policy": Page("getPolicy", "/app/policy", also=("listAudit",)),
    "GET /app/policy/preview": Page(
        "previewPolicy", f"/app/policy/preview?{urlencode(RULES)}", also=("getPolicy",)
    ),
    "GET /app/policy/preview.csv": Page(
        "previewPolicy", f"/app/policy/preview.csv?{urlencode(RULES)}"
    ),
    "POST /app/policy": _form("setPolicy", "/app/policy", RULES),
    "GET /app/imports": Page("listImports", "/app/imports"),
    # Whoever may send a file is told that there is none.
    "POST /app/imports": _form("listImports", "/app/imports", {"kind": "faculty"}, status=422),
    "GET /app/imports/{id}": Page("getImport", "/app/imports/{import}", also=("listImportRows",)),
    "GET /app/imports/{id}/progress": Page("getImport", "/app/imports/{import}/progress"),
    "GET /app/imports/{id}/rows.csv": Page("downloadImportRows", "/app/imports/{import}/rows.csv"),
    "POST /app/imports/{id}/confirm": _form("confirmImport", "/app/imports/{import}/confirm", {}),
    "POST /app/imports/{id}/discard": _form("discardImport", "/app/imports/{import}/discard", {}),
    "GET /app/leave": Page("listLeaves", "/app/leave"),
    "GET /app/leave.csv": Page("listLeaves", "/app/leave.csv"),
    "GET /app/leave/new": Page("getStudentStats", f"/app/leave/new?rollNo={ROLLS[1]}"),
    "POST /app/leave/new": _form("requestLeave", "/app/leave/new", LEAVE),
    "POST /app/leave/decide": _form(
        "approveLeave",
        "/app/leave/decide",
        {"leave": "{leave}", "decision": "approve"},
        status=200,
    ),
    "GET /app/leave/{id}": Page(
        "getLeave", "/app/leave/{leave}", also=("listAudit", "listLeaveSessions")
    ),
    "POST /app/leave/{id}/approve": _form("approveLeave", "/app/leave/{leave}/approve", {}),
    "POST /app/leave/{id}/reject": _form("rejectLeave", "/app/leave/{leave}/reject", {}),
    "POST /app/leave/{id}/withdraw": _form("withdrawLeave", "/app/leave/{leave}/withdraw", {}),
    "GET /app/people": Page("listAllowedEmails", "/app/people"),
    "GET /app/people.csv": Page("listAllowedEmails", "/app/people.csv"),
    "POST /app/people": _form(
        "addAllowedEmail", "/app/people", {"email": "new@x.example", "role": "teacher"}
    ),
    "GET /app/people/{id}": Page("getAllowedEmail", PERSON),
    "POST /app/people/{id}": _form(
        "changeAllowedEmail", PERSON, {"role": "admin"}, "getAllowedEmail"
    ),
    "GET /app/people/{id}/remove": Page("getAllowedEmail", f"{PERSON}/remove"),
    "POST /app/people/{id}/remove": _form("removeAllowedEmail", f"{PERSON}/remove", {}),
    "GET /app/people/users": Page("listUsers", "/app/people/users"),
    "GET /app/people/users/{id}": Page("getUser", ACCOUNT),
    "POST /app/people/users/{id}": _form("changeUser", ACCOUNT, {"department": "CSE"}),
    "POST /app/people/users/{id}/deactivate": _form("changeUser", f"{ACCOUNT}/deactivate", {}),
    "POST /app/people/users/{id}/activate": _form("changeUser", f"{ACCOUNT}/activate", {}),
    "GET /app/people/import": Page("listAllowedEmails", "/app/people/import"),
    "POST /app/people/import": _form(
        "importFile",
        "/app/people/import",
        {"content": "ZW1haWwKbmV3QHguZXhhbXBsZQo="},
        status=200,
    ),
    "GET /app/audit": Page("listAudit", "/app/audit", also=("nameAudited",)),
    "GET /app/audit.csv": Page("listAudit", "/app/audit.csv", also=("nameAudited",)),
    "GET /app/students": Page("findStudents", STUDENTS),
    "GET /app/students/shared-addresses": Page(
        "listSharedAddresses", f"{STUDENTS}/shared-addresses"
    ),
    "GET /app/students/refused-sign-ins": Page("listAudit", f"{STUDENTS}/refused-sign-ins"),
    "GET /app/students/{id}": Page("getStudent", STUDENT, also=("getStudentStats",)),
    "GET /app/students/{id}/correct": Page("getStudent", f"{STUDENT}/correct"),
    "POST /app/students/{id}/confirm": _form(
        "changeStudent", f"{STUDENT}/confirm", {"dtuEmail": KIRAN}
    ),
    "POST /app/students/{id}/correct": _form(
        "changeStudent", f"{STUDENT}/correct", {"name": "Renamed", "was:name": "Student 101"}
    ),
    "GET /app/students/{id}/merge": Page(
        "mergeStudents",
        f"{STUDENT}/merge?otherId={{other}}",
        also=("getStudent", "getStudent", "getStudentStats"),
    ),
    "POST /app/students/{id}/merge": _form(
        "mergeStudents", f"{STUDENT}/merge", {"otherId": "{other}"}
    ),
    "GET /app/my": Page("getMyAttendance", "/app/my"),
    "GET /app/my/classes/{id}": Page(
        "listMySessions", "/app/my/classes/{class}", also=("getMyAttendance", "listMyQuestions")
    ),
    "POST /app/my/classes/{id}/questions": _form(
        "askMyQuestion",
        "/app/my/classes/{class}/questions",
        {"sessionId": "{late}", "text": "I was there"},
    ),
    "POST /app/my/classes/{id}/questions/{question_id}/withdraw": _form(
        "withdrawMyQuestion", "/app/my/classes/{class}/questions/{question}/withdraw", {}
    ),
    "GET /app/my/leave": Page("listMyLeaves", "/app/my/leave", also=("getMyAttendance",)),
    "POST /app/my/leave": _form(
        "askMyLeave",
        "/app/my/leave",
        {"firstDay": "2025-11-10", "lastDay": "2025-11-11", "kind": "other"},
    ),
    "POST /app/my/leave/{id}/withdraw": _form(
        "withdrawMyLeave", "/app/my/leave/{mine}/withdraw", {}
    ),
}
# The marks of the sheet's module are JSON: tests/test_web_take.py has their rights.
OTHERS = {"POST /app/take/{id}/marks"}


def test_every_page_is_in_the_table() -> None:
    routes = [
        f"{method} {route.path}"
        for router in ROUTERS
        if router not in (assets, missing)
        for route in router.routes
        if isinstance(route, PageRoute | StudentPage)
        for method in route.methods
    ]
    assert {*routes} == PAGES.keys() | OTHERS


async def send(scene: Scene, name: str, page: Page) -> httpx2.Response:
    path = scene.fill(page.path)
    async with browser_of(scene.stage.app, scene.person(name)) as browser:
        if page.fields is None:
            return await browser.get(path)
        return await browser.post(path, scene.fill(page.fields))


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_everybody_is_answered_as_by_the_api(scene: Scene, page: Page) -> None:
    before = await checksum(scene.stage.connection)
    answers = {}
    for person in PEOPLE:
        async with scene.stage.undone():
            answer = await send(scene, person, page)
            answers[person] = answer.status_code
            if page.expected(person) != page.status or page.fields is None:
                assert await checksum(scene.stage.connection) == before, person
    assert answers == {person: page.expected(person) for person in PEOPLE}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
async def test_a_page_costs_two_statements_more_than_the_api(scene: Scene, page: Page) -> None:
    assert scene.stage.pool is not None
    scene.stage.pool.statements.clear()
    async with scene.stage.undone():
        who = "kiran" if TABLE[page.operation].student < 400 else "meera"
        assert (await send(scene, who, page)).status_code == page.status
    assert len(scene.stage.pool.statements) <= page.cost, scene.stage.pool.statements


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("GET")])
async def test_markup_in_names_and_sentences_is_shown_as_text(scene: Scene, name: str) -> None:
    page = PAGES[name]
    await spoil(scene.stage.connection)
    await scene.stage.connection.execute("SET LOCAL ROLE aims_app")
    who = "kiran" if TABLE[page.operation].student < 400 else "meera"
    answer = await send(scene, who, page)
    assert answer.status_code == 200
    if answer.headers["content-type"].startswith("text/html"):
        assert "<img src=x" not in answer.text
