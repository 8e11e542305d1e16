"""A lesson: a teacher opens the session of a class, marks it in several batches and finalises it.

Some batches are sent twice, since the phone loses the first answer. What the database has to hold
afterwards is known: all marks of each batch under one version, versions without gaps, and in the
end the marks that were sent last.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import asyncpg

from app.demo.bench_data import STUDENTS
from bench.data import id_of
from bench.phone import Phone

LOSES = 0.15  # how many of the answers a phone loses
_STATUSES = ("present", "absent", "late", "excused")


@dataclass
class Lesson:
    """The class with that number on that day. `sent` has the batches by the id of their request,
    `answered` the version that the server said each of them made."""

    number: int
    day: date
    session: str = ""
    sent: dict[str, dict[str, str]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    done: bool = False

    async def hold(self, phone: Phone, random: Random, seconds: float) -> None:
        """Hold it, within so many seconds if the server is fast."""
        pause = seconds / 8
        draft = {"classId": str(id_of(f"class{self.number}")), "sessionDate": str(self.day)}
        draft["startTime"] = "10:00"
        opening = phone.request("POST", "/attendance/sessions", json.dumps(draft))
        opened = await self._write(phone, random, opening)
        if opened is None:
            return
        self.session, version = opened["sessionId"], opened["version"]
        path = f"/attendance/sessions/{self.session}"
        sheet = (await phone.ask(phone.request("GET", f"{path}/sheet"))).value
        rolls = [student["rollNo"] for student in sheet["students"]]
        for name, marks in self._batches(rolls, random):
            await asyncio.sleep(pause)
            self.sent[name] = marks
            updates = [{"rollNo": roll, "status": status} for roll, status in marks.items()]
            content = json.dumps({"updates": updates})
            # Without If-Match, what was sent first and arrives last would undo a correction.
            known = {"x_request_id": name, "if_match": f'"{version}"'}
            saving = phone.request("PUT", f"{path}/statuses", content, **known)
            said = await self._write(phone, random, saving)
            if said is not None:
                self.answered[name] = version = said["version"]
        closing = phone.request("POST", f"{path}/finalise", "{}")
        self.done = bool(await self._write(phone, random, closing))

    async def _write(self, phone: Phone, random: Random, raw: bytes) -> Any:
        """What the server said, perhaps to the second try; None if it never agreed."""
        if random.random() < LOSES:
            await phone.lose(raw)
        answer = await phone.ask(raw)
        return answer.value if answer.status in (200, 201) else None

    def _batches(self, rolls: list[str], random: Random) -> Iterator[tuple[str, dict[str, str]]]:
        """Three to six of them: all students in parts, and then some are corrected."""
        parts = random.randint(2, 5)
        for part in range(parts):
            yield self._name(part), {roll: random.choice(_STATUSES) for roll in rolls[part::parts]}
        now = self.marks
        corrected = random.sample(rolls, STUDENTS // 5)
        other = {roll: _STATUSES[_STATUSES.index(now[roll]) - 1] for roll in corrected}
        yield self._name(parts), other

    def _name(self, part: int) -> str:
        return f"bell-{self.number}-{self.day}-{part}"

    @property
    def marks(self) -> dict[str, str]:
        """Those that hold after all that was sent."""
        return {roll: status for marks in self.sent.values() for roll, status in marks.items()}


_KEPT = """
WITH session AS (SELECT * FROM attendance_sessions WHERE id = $1::text::uuid),
written AS (
    SELECT version, student_id FROM attendance_statuses
    WHERE session_id = (SELECT id FROM session)
    UNION ALL
    SELECT version, student_id FROM superseded_statuses
    WHERE session_id = (SELECT id FROM session)
)
SELECT version, status,
       (SELECT json_object_agg(s.roll_no, m.status) FROM attendance_statuses m
        JOIN students s ON s.id = m.student_id WHERE m.session_id = session.id) AS marks,
       (SELECT json_agg(json_build_array(b.request_id, b.version, (
            SELECT count(*) FROM written w WHERE w.version = b.version)) ORDER BY b.version)
        FROM attendance_batches b WHERE b.session_id = session.id) AS batches
FROM session
"""


async def faults_of(lesson: Lesson, connection: asyncpg.Connection) -> tuple[int, int, list[str]]:
    """How many answered writes are lost, how many batches are mixed, and what else is wrong."""
    row = await connection.fetchrow(_KEPT, lesson.session or str(id_of("nothing")))
    if row is None:
        return 1, 0, [f"class {lesson.number} has no session"]
    batches, marks = json.loads(row["batches"] or "[]"), json.loads(row["marks"] or "{}")
    found = {name: (version, count) for name, version, count in batches}
    lost = sum(found.get(name, (0,))[0] != said for name, said in lesson.answered.items())
    lost += sum(marks.get(roll) != status for roll, status in lesson.marks.items())
    sizes = {name: len(marks) for name, marks in lesson.sent.items()}
    mixed = sum(sizes.get(name) != count for name, (_, count) in found.items())
    mixed += len(batches) - len(found)
    versions = [version for _, version, _ in batches]
    wrong = [] if versions == [*range(1, row["version"] + 1)] else [f"versions {versions}"]
    wrong += [] if lesson.done and row["status"] == "finalised" else ["it was not finalised"]
    return lost, mixed, [f"class {lesson.number}: {what}" for what in wrong]
