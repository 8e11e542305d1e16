"""A class to take attendance in, made through the API like the app makes it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support import Person

ROLLS = ["23/CS/101", "23/CS/102", "23/CS/103"]


def today() -> date:
    return datetime.now(ZoneInfo("Asia/Kolkata")).date()


@dataclass
class Classroom:
    """A class of its teacher with the students of `ROLLS`."""

    teacher: Person
    id: str

    @property
    def path(self) -> str:
        return f"/classes/{self.id}"

    async def document(self) -> dict[str, Any]:
        return (await self.teacher.get(self.path)).json()

    async def enrol(self, *rolls: str, **query: str) -> dict[str, Any]:
        students = [{"rollNo": roll, "name": f"Student {roll[-3:]}"} for roll in rolls]
        response = await self.teacher.put(
            f"{self.path}/students", {"students": students}, params=query
        )
        assert response.status_code == 200, response.text
        return response.json()

    async def open(self, day: date | str = "2025-10-27", **more: Any) -> str:
        """The id of a session on that day."""
        body = {"classId": self.id, "sessionDate": str(day), **more}
        response = await self.teacher.post("/attendance/sessions", body)
        assert response.status_code == 200, response.text
        return response.json()["sessionId"]

    async def mark(self, session: str, marks: dict[str, str], **more: Any) -> Any:
        updates = [{"rollNo": roll, "status": status} for roll, status in marks.items()]
        return await self.teacher.put(
            f"/attendance/sessions/{session}/statuses", {"updates": updates}, **more
        )


async def classroom_of(teacher: Person, code: str = "CS301", rolls: list[str] = ROLLS) -> Classroom:
    body = {"code": code, "name": "Operating Systems", "section": "A"}
    created = await teacher.post("/classes", body)
    assert created.status_code == 201, created.text
    room = Classroom(teacher, created.json()["id"])
    if rolls:
        await room.enrol(*rolls)
    return room


def day(distance: int) -> date:
    """The day that many days after today."""
    return today() + timedelta(days=distance)


def co_teacher(person: Person) -> dict[str, Any]:
    """An entry of the list of teachers."""
    return {"userId": str(person.user_id), "role": "co_teacher"}


def substitute(
    person: Person, since: int | None = None, until: int | None = None
) -> dict[str, Any]:
    """The same for a substitute; the days count from today."""
    entry = {"userId": str(person.user_id), "role": "substitute"}
    days = {"firstDay": since, "lastDay": until}
    return entry | {name: str(day(n)) for name, n in days.items() if n is not None}


async def share(room: Classroom, *teachers: dict[str, Any]) -> list[dict[str, Any]]:
    """Let these, and nobody else, work in the class besides its owner."""
    answer = await room.teacher.put(f"{room.path}/teachers", {"teachers": list(teachers)})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def asked_leave(person: Person, roll: str, **body: Any) -> str:
    """The id of leave for that student that is to be decided: of today, unless `body` says."""
    days = {} if "sessionIds" in body else {"firstDay": str(day(0)), "lastDay": str(day(0))}
    asked = await person.post("/leaves", {"rollNo": roll, "kind": "medical"} | days | body)
    assert asked.status_code == 201, asked.text
    return str(asked.json()["id"])


async def decide(
    person: Person, leave: str, decision: str, reason: str | None = None
) -> dict[str, Any]:
    """Approve, reject or withdraw it; gives the leave, and how many marks that changed."""
    answer = await person.post(f"/leaves/{leave}/{decision}", reason and {"reason": reason})
    assert answer.status_code == 200, answer.text
    return answer.json()
