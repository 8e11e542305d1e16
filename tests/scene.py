"""What the tests of rights are about: one thing of each kind, and who asks for it."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.demo.google import DemoGoogle
from app.files.sheets.batches import read_batch
from app.services.imports.conditions import Conditions
from app.services.imports.runs import doing
from tests.classroom import ROLLS, Classroom, classroom_of, co_teacher, share, substitute, today
from tests.conftest import Stage
from tests.students import kiran_of, let_in
from tests.support import Person

MOVE = {
    "originalDate": "2025-10-27",
    "rescheduledDate": "2025-10-29",
    "rescheduledStartTime": "15:00",
    "rescheduledEndTime": "16:00",
}
LEAVE = {
    "rollNo": ROLLS[0],
    "classId": "{class}",
    "firstDay": "2025-10-13",
    "lastDay": "2025-10-24",
    "kind": "medical",
}


@dataclass(frozen=True)
class Case:
    """A valid request, and what it answers Asha (the owner), Bilal, Divya and Esha, and Meera.

    Chitra, the co-teacher, is answered like the owner unless `owners`. Kiran, a student of the
    class, is answered `student`. Somebody signed in who is neither may do nothing. Everybody else
    is signed out: anonymous, taken off the list, disabled.
    """

    method: str
    path: str
    owner: int
    stranger: int
    admin: int
    body: Any = None
    owners: bool = False
    student: int = 403

    def expected(self, person: str) -> int:
        if person in ("nobody", "ravi", "omar"):
            return 401
        if person == "kiran":
            return self.student
        if person == "no_staff":
            return 403
        if person == "chitra":
            return self.stranger if self.owners else self.owner
        return {"asha": self.owner, "meera": self.admin}.get(person, self.stranger)


@dataclass
class Scene:
    """Asha's class with a slot, a move, two sessions and a mark in each, and Chitra and Esha as in
    the cast; Kiran has the marks, questions the first, and asks for leave. Bilal has a class of
    his own."""

    stage: Stage
    ids: dict[str, str]
    kiran: Person

    def person(self, name: str) -> Person:
        return self.kiran if name == "kiran" else getattr(self.stage, name)

    def granted(self, case: Case) -> Person:
        """Who may do it."""
        return self.kiran if case.student < 400 else self.stage.meera

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            for name, id_ in self.ids.items():
                value = value.replace("{" + name + "}", id_)
        return value

    async def ask(self, person: Person, case: Case, **more: Any) -> int:
        body = {"json": self.fill(case.body)} if case.body is not None else {}
        files = ("/import?", "/imports?", "/students/import", "/uploads")
        if any(part in case.path for part in files):
            text = "roll no,email\n1,new@x.example"
            body = {"content": text, "headers": {"Content-Type": "text/csv"}}
        response = await person.request(case.method, self.fill(case.path), **body, **more)
        return response.status_code


@pytest.fixture
async def scene(
    stage: Stage, room: Classroom, google: DemoGoogle, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    let_in(stage, monkeypatch)
    slot = await stage.asha.post(
        f"{room.path}/schedules", {"dayOfWeek": 1, "startTime": "09:00", "endTime": "10:00"}
    )
    move = await stage.asha.post(f"{room.path}/reschedules", MOVE)
    session = await room.open("2025-10-20")
    await room.mark(session, {ROLLS[0]: "present"})
    await share(room, co_teacher(stage.chitra), substitute(stage.esha, until=-1))
    await classroom_of(stage.bilal, "CS999", [ROLLS[0]])
    ids = {"class": room.id, "slot": slot.json()["id"], "move": move.json()["id"]}
    students = (await room.document())["students"]
    ids |= {"student": students[0]["studentId"], "other": students[1]["studentId"]}
    entry = await stage.connection.fetchval(
        "SELECT id FROM allowed_emails WHERE email = $1", stage.bilal.email
    )
    ids |= {"teacher": str(stage.chitra.user_id)}
    ids |= {"entry": str(entry), "user": str(stage.bilal.user_id)}
    ids |= await _calendar_of(stage)
    asked = {name: value.replace("{class}", room.id) for name, value in LEAVE.items()}
    leave = await stage.meera.post("/leaves", {**asked, "kind": "other"})
    late = await room.open("2025-10-21")
    await room.mark(late, {ROLLS[0]: "late"})
    kiran = await kiran_of(stage, google)
    asked = {"classId": room.id, "sessionId": session, "text": "I was late"}
    question = await kiran.post("/my/questions", asked)
    days = {"firstDay": "2025-11-03", "lastDay": "2025-11-04", "kind": "medical"}
    ids["mine"] = (await kiran.post("/my/leaves", days)).json()["id"]
    ids |= {"session": session, "late": late, "leave": leave.json()["id"]}
    ids |= {"question": question.json()["id"], "import": await _previewed(stage)}
    return Scene(stage, ids, kiran)


async def _previewed(stage: Stage) -> str:
    """An import that can be confirmed."""
    kept = await stage.meera.post(
        "/admin/imports?kind=faculty&dryRun=true&fileName=people.csv",
        content="roll no,email\n1,new@x.example",
        headers={"Content-Type": "text/csv"},
    )
    db = stage.app.state.database
    run = await doing.claim(db)
    assert run
    batch = read_batch(run.kind, run.content)
    await doing.perform(db, run, batch, Conditions(today()), lambda _: None)
    return str(kept.json()["id"])


async def _calendar_of(stage: Stage) -> dict[str, str]:
    """Two terms, to one of which no class belongs, and a holiday."""
    autumn = {"name": "Autumn 2025", "firstDay": "2025-07-21", "lastDay": "2025-12-05"}
    summer = {"name": "Summer 2025", "firstDay": "2025-05-20", "lastDay": "2025-07-10"}
    made = {
        "term": await stage.meera.post("/admin/terms", autumn),
        "unused": await stage.meera.post("/admin/terms", summer),
        "holiday": await stage.meera.post(
            "/admin/holidays", {"name": "Fair", "firstDay": "2025-10-31"}
        ),
    }
    return {name: answer.json()["id"] for name, answer in made.items()}
