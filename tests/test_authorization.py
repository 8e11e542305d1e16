"""Who may do what: one table, route x person, from which the tests are made.

A route that is missing here fails the suite.
"""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.classroom import (
    ROLLS,
    today,
)
from tests.scene import LEAVE, MOVE, Case, Scene, scene
from tests.support import ROUTES, checksum

__all__ = ["scene"]  # a fixture, used by its name

pytestmark = pytest.mark.anyio

STAFF = ("asha", "chitra", "esha", "bilal", "divya", "meera")
PEOPLE = ("nobody", *STAFF, "ravi", "omar", "kiran")


def _of_class(method: str, rest: str, status: int, body: Any = None) -> Case:
    return Case(method, "/classes/{class}" + rest, status, 403, status, body)


def _of_owners(method: str, rest: str, status: int, body: Any = None) -> Case:
    return replace(_of_class(method, rest, status, body), owners=True)


def _of_session(method: str, rest: str, body: Any = None) -> Case:
    return Case(method, "/attendance/sessions/{session}" + rest, 200, 403, 200, body)


def _of_admins(method: str, path: str, status: int, body: Any = None) -> Case:
    return Case(method, "/admin" + path, 403, 403, status, body)


def _of_students(method: str, path: str, status: int, body: Any = None) -> Case:
    return Case(method, "/my" + path, 403, 403, 403, body, student=status)


SLOT = {"dayOfWeek": 6, "startTime": "09:00", "endTime": "10:00"}
SPRING = {"name": "Spring 2026", "firstDay": "2026-01-05", "lastDay": "2026-05-15"}
MARKS = {"updates": [{"rollNo": ROLLS[0], "status": "absent"}]}

POLICY = {
    "threshold": 8000,
    "lateWeight": 50,
    "excused": "excluded",
    "onDuty": "present",
    "minimumSessions": 1,
}
QUESTION = {"classId": "{class}", "sessionId": "{late}", "text": "I was there"}
ANSWER = {"outcome": "changed", "status": "absent", "answer": "You left"}

MY_LEAVE = {name: value for name, value in LEAVE.items() if name != "rollNo"}

TABLE = {
    "getMe": Case("GET", "/users/me", 200, 200, 200),
    "getMyAttendance": _of_students("GET", "/attendance", 200),
    "listMySessions": _of_students("GET", "/sessions?classId={class}", 200),
    "listMyQuestions": _of_students("GET", "/questions", 200),
    "askMyQuestion": _of_students("POST", "/questions", 201, QUESTION),
    "withdrawMyQuestion": _of_students("POST", "/questions/{question}/withdraw", 200),
    "listMyLeaves": _of_students("GET", "/leaves", 200),
    "askMyLeave": _of_students("POST", "/leaves", 201, MY_LEAVE),
    "withdrawMyLeave": _of_students("POST", "/leaves/{mine}/withdraw", 200),
    "listQuestions": Case("GET", "/questions", 200, 200, 200),
    "getQuestion": Case("GET", "/questions/{question}", 200, 403, 200),
    "answerQuestion": Case("POST", "/questions/{question}/answer", 200, 403, 200, ANSWER),
    "listClasses": Case("GET", "/classes", 200, 200, 200),
    "createClass": Case(
        "POST", "/classes", 201, 201, 201, {"code": "N1", "name": "New", "section": "A"}
    ),
    "getClass": _of_class("GET", "", 200),
    "updateClass": _of_owners("PATCH", "", 200, {"name": "Renamed"}),
    "deleteClass": _of_owners("DELETE", "", 204),
    "restoreClass": _of_owners("POST", "/restore", 200),
    "listTeachers": _of_class("GET", "/teachers", 200),
    "putTeachers": _of_owners("PUT", "/teachers", 200, {"teachers": []}),
    "importRoster": _of_class("POST", "/students/import", 200),
    "putRoster": _of_class("PUT", "/students?confirm=true", 200, {"students": []}),
    "listSlots": _of_class("GET", "/schedules", 200),
    "addSlot": _of_class("POST", "/schedules", 201, SLOT),
    "getSlot": _of_class("GET", "/schedules/{slot}", 200),
    "changeSlot": _of_class("PATCH", "/schedules/{slot}", 200, {"endTime": "10:30"}),
    "removeSlot": _of_class("DELETE", "/schedules/{slot}", 204),
    "listReschedules": _of_class("GET", "/reschedules", 200),
    "addReschedule": _of_class("POST", "/reschedules", 201, MOVE),
    "getReschedule": _of_class("GET", "/reschedules/{move}", 200),
    "replaceReschedule": _of_class("PUT", "/reschedules/{move}", 200, MOVE),
    "removeReschedule": _of_class("DELETE", "/reschedules/{move}", 204),
    "listOccurrences": Case("GET", "/occurrences?date=2025-10-20", 200, 200, 200),
    "getDay": Case("GET", "/my/day?date=2025-10-20", 200, 200, 200),
    "listClassOccurrences": _of_class("GET", "/occurrences?from=2025-10-20&to=2025-10-30", 200),
    "getClassCalendar": _of_class("GET", "/calendar.ics", 200),
    "getCalendar": Case("GET", "/calendar?from=2025-10-20", 200, 200, 200),
    "getRegister": _of_class("GET", "/register?format=pdf&from=2025-10-01&to=2025-10-31", 200),
    "listTerms": _of_admins("GET", "/terms", 200),
    "addTerm": _of_admins("POST", "/terms", 201, SPRING),
    "changeTerm": _of_admins("PATCH", "/terms/{term}", 200, {"name": "Renamed"}),
    "removeTerm": _of_admins("DELETE", "/terms/{unused}", 204),
    "listHolidays": _of_admins("GET", "/holidays", 200),
    "addHoliday": _of_admins("POST", "/holidays", 201, {"name": "Fair", "firstDay": "2025-11-03"}),
    "changeHoliday": _of_admins("PATCH", "/holidays/{holiday}", 200, {"lastDay": "2025-11-01"}),
    "removeHoliday": _of_admins("DELETE", "/holidays/{holiday}", 204),
    "openSession": Case(
        "POST",
        "/attendance/sessions",
        200,
        403,
        200,
        {"classId": "{class}", "sessionDate": "2025-10-30"},
    ),
    "listSessions": Case("GET", "/attendance/sessions?classId={class}", 200, 403, 200),
    "getSession": Case("GET", "/attendance/sessions/{session}", 200, 403, 200),
    "getSheet": _of_session("GET", "/sheet"),
    "markStudents": Case("PUT", "/attendance/sessions/{session}/statuses", 200, 403, 200, MARKS),
    "finaliseSession": _of_session("POST", "/finalise", {}),
    "reopenSession": _of_session("POST", "/reopen", {"reason": "One was late"}),
    "cancelSession": _of_session("POST", "/cancel", {"reason": "The power was out"}),
    "restoreSession": _of_session("POST", "/restore", {}),
    "markUnmarked": _of_session("POST", "/mark-unmarked", {"status": "absent"}),
    "listSessionEvents": _of_session("GET", "/events"),
    "listLeaves": Case("GET", "/leaves", 200, 200, 200),
    "requestLeave": Case("POST", "/leaves", 201, 403, 201, LEAVE),
    "getLeave": Case("GET", "/leaves/{leave}", 200, 403, 200),
    "listLeaveSessions": Case("GET", "/leaves/{leave}/sessions", 200, 403, 200),
    "approveLeave": Case("POST", "/leaves/{leave}/approve", 200, 403, 200),
    "rejectLeave": Case("POST", "/leaves/{leave}/reject", 200, 403, 200),
    "withdrawLeave": Case("POST", "/leaves/{leave}/withdraw", 200, 403, 200),
    "getHistory": Case("GET", "/attendance/sessions/{session}/history", 200, 403, 200),
    "listAllowedEmails": _of_admins("GET", "/allowed-emails", 200),
    "addAllowedEmail": _of_admins("POST", "/allowed-emails", 201, {"email": "new@x.example"}),
    "uploadAllowedEmails": _of_admins("POST", "/uploads/allowed-emails", 200),
    "importFile": _of_admins("POST", "/import?kind=faculty", 200),
    "getAllowedEmail": _of_admins("GET", "/allowed-emails/{entry}", 200),
    "startImport": _of_admins("POST", "/imports?kind=faculty", 202),
    "listImports": _of_admins("GET", "/imports", 200),
    "getImport": _of_admins("GET", "/imports/{import}", 200),
    "listImportRows": _of_admins("GET", "/imports/{import}/rows", 200),
    "downloadImportRows": _of_admins("GET", "/imports/{import}/rows.csv", 200),
    "confirmImport": _of_admins("POST", "/imports/{import}/confirm", 202),
    "discardImport": _of_admins("DELETE", "/imports/{import}", 204),
    "changeAllowedEmail": _of_admins("PATCH", "/allowed-emails/{entry}", 200, {"name": "A"}),
    "removeAllowedEmail": _of_admins("DELETE", "/allowed-emails/{entry}", 204),
    "listUsers": _of_admins("GET", "/users", 200),
    "getUser": _of_admins("GET", "/users/{user}", 200),
    "changeUser": _of_admins("PATCH", "/users/{user}", 200, {"department": "CSE"}),
    "listSharedAddresses": _of_admins("GET", "/shared-addresses", 200),
    "findStudents": _of_admins("GET", "/students", 200),
    "getStudent": _of_admins("GET", "/students/{student}", 200),
    "changeStudent": _of_admins("PATCH", "/students/{student}", 200, {"name": "Renamed"}),
    "mergeStudents": _of_admins("POST", "/students/{student}/merge", 200, {"otherId": "{other}"}),
    "getPolicy": Case("GET", "/admin/policy", 200, 200, 200),
    "setPolicy": _of_admins("PUT", "/policy", 200, POLICY),
    "previewPolicy": _of_admins("POST", "/policy/preview", 200, POLICY),
    "listAudit": _of_admins("GET", "/audit", 200),
    "nameAudited": _of_admins("POST", "/audit/names", 200, {"ids": ["{class}"]}),
    "getClassStats": Case("GET", "/stats/classes/{class}/students", 200, 403, 200),
    "getClassTrend": Case("GET", "/stats/classes/{class}/sessions", 200, 403, 200),
    "getClassStudent": Case("GET", "/stats/classes/{class}/students/{student}", 200, 403, 200),
    "listClassStudentSessions": Case(
        "GET", "/stats/classes/{class}/students/{student}/sessions", 200, 403, 200
    ),
    "getStudentStats": Case("GET", f"/stats/students?rollNo={ROLLS[1]}", 200, 404, 200),
    "getOverview": Case("GET", "/stats/overview", 403, 403, 200),
    "listClassesOfTerm": Case("GET", "/stats/classes", 403, 403, 200),
    "listDefaulters": Case("GET", "/stats/defaulters", 403, 403, 200),
    "listMissingSessions": Case("GET", "/stats/missing-sessions", 403, 403, 200),
}
PUBLIC = {"signIn", "getHealth", "getLiveness", "getReadiness"}


def test_every_route_is_in_the_table() -> None:
    assert {route.operation_id for route in ROUTES} == TABLE.keys() | PUBLIC


@pytest.mark.parametrize("operation", TABLE)
async def test_everybody_gets_the_answer_in_the_table(scene: Scene, operation: str) -> None:
    """Everybody asks in turn, and finds everything as it was before anybody did."""
    case = TABLE[operation]
    before = await checksum(scene.stage.connection)
    answers = {}
    for person in PEOPLE:
        async with scene.stage.undone():
            answers[person] = await scene.ask(scene.person(person), case)
            if answers[person] >= 400:
                assert await checksum(scene.stage.connection) == before, person
    assert answers == {person: case.expected(person) for person in PEOPLE}


async def test_a_role_that_is_not_staff_inherits_nothing(scene: Scene) -> None:
    """Bilal gets a role that nothing knows yet."""
    stage = scene.stage
    await stage.connection.execute(f"""
        SET LOCAL ROLE {await stage.connection.fetchval("SELECT session_user")};
        ALTER TABLE allowed_emails DROP CONSTRAINT ck_allowed_emails_ck_allowed_emails_role;
        UPDATE allowed_emails SET role = 'guest' WHERE email = '{stage.bilal.email}';
        SET LOCAL ROLE aims_app;
    """)
    before = await checksum(stage.connection)
    answers = {}
    for operation, case in TABLE.items():
        async with stage.undone():
            answers[operation] = await scene.ask(stage.bilal, case)
            assert await checksum(stage.connection) == before, operation
    assert answers == {operation: case.expected("no_staff") for operation, case in TABLE.items()}


READS = [name for name, case in TABLE.items() if case.method == "GET"]


@pytest.mark.parametrize("operation", READS)
async def test_head_answers_like_get_without_the_body(scene: Scene, operation: str) -> None:
    path = scene.fill(TABLE[operation].path)
    for person in (scene.stage.asha, scene.stage.bilal, scene.kiran, scene.stage.nobody):
        get = await person.get(path, headers={"X-Request-ID": "the-same"})
        head = await person.client.head(path, headers=get.request.headers)
        assert (head.status_code, head.headers) == (get.status_code, get.headers)
        assert head.content == b""


async def test_what_does_not_exist_is_a_404_for_everybody(scene: Scene) -> None:
    scene.ids = {name: str(uuid4()) for name in scene.ids}
    for operation, case in TABLE.items():
        if "{" in case.path:
            granted = scene.granted(case)
            answers = [await scene.ask(who, case) for who in (scene.stage.bilal, granted)]
            hidden = case.path.startswith(("/admin", "/my"))
            assert answers == [403 if hidden else 404, 404], operation


async def test_a_malformed_body_does_not_come_before_authentication(scene: Scene) -> None:
    stage = scene.stage
    broken = {"content": b"{nonsense", "headers": {"Content-Type": "application/json"}}
    invalid = {"json": {"unknown": 1}}
    signed_out = [(stage.nobody, broken), (stage.nobody, invalid), (stage.ravi, invalid)]
    signed_in = [(stage.bilal, broken), (stage.bilal, invalid)]
    for operation, case in TABLE.items():
        if case.body is not None:
            path = scene.fill(case.path)
            answers = [
                (await person.request(case.method, path, **body)).status_code
                for person, body in signed_out + signed_in
            ]
            assert answers == [401, 401, 401, 400, 422], operation


async def test_too_large_comes_before_not_signed_in(scene: Scene) -> None:
    huge = b"x" * (2 * 1024 * 1024 + 1)
    response = await scene.stage.nobody.request("POST", "/classes", content=huge)
    assert response.status_code == 413


async def test_a_demotion_counts_from_the_next_request_on(scene: Scene) -> None:
    assert await scene.ask(scene.stage.meera, TABLE["getClass"]) == 200
    await scene.stage.connection.execute(
        "UPDATE allowed_emails SET role = 'teacher' WHERE email = $1", scene.stage.meera.email
    )
    assert await scene.ask(scene.stage.meera, TABLE["getClass"]) == 403


async def test_a_removal_counts_from_the_next_request_on(scene: Scene) -> None:
    await scene.stage.connection.execute(
        "DELETE FROM allowed_emails WHERE email = $1", scene.stage.asha.email
    )
    assert await scene.ask(scene.stage.asha, TABLE["getClass"]) == 401


async def test_a_class_given_away_is_the_new_teachers_from_the_next_request_on(
    scene: Scene,
) -> None:
    path = f"/classes/{scene.ids['class']}"
    given = await scene.stage.meera.patch(path, {"teacherId": str(scene.stage.bilal.user_id)})
    assert given.status_code == 200
    assert await scene.ask(scene.stage.asha, TABLE["markStudents"]) == 403
    assert await scene.ask(scene.stage.bilal, TABLE["markStudents"]) == 200


async def test_a_teacher_cannot_give_a_class_away_or_create_one_for_others(scene: Scene) -> None:
    bilal = str(scene.stage.bilal.user_id)
    before = await checksum(scene.stage.connection)
    asha = scene.stage.asha
    patched = await asha.patch(f"/classes/{scene.ids['class']}", {"teacherId": bilal})
    made = await asha.post(
        "/classes", {"code": "N2", "name": "New", "section": "A", "teacherId": bilal}
    )
    assert (patched.status_code, made.status_code) == (403, 403)
    assert await checksum(scene.stage.connection) == before


async def test_lists_show_nothing_of_another_teachers_class(scene: Scene) -> None:
    answer = await scene.stage.bilal.get("/classes")
    assert [class_["code"] for class_ in answer.json()] == ["CS999"]
    assert ROLLS[1] not in answer.text


async def test_rights_follow_the_class_and_not_who_opened_the_session(scene: Scene) -> None:
    body = {"classId": scene.ids["class"], "sessionDate": str(today())}
    opened = (await scene.stage.meera.post("/attendance/sessions", body)).json()
    assert opened["teacherId"] == str(scene.stage.meera.user_id)
    scene.ids["session"] = opened["sessionId"]
    assert await scene.ask(scene.stage.asha, TABLE["markStudents"]) == 200
