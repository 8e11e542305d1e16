"""People who write without a pause, and remember what they were answered.

Each kind of write has a name, and each write a key by which `bench.faults.check` finds it again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from bench.faults.world import ADMIN, TEACHERS, World

STUDENTS = 30  # of each class
PAUSE = 0.02  # seconds after a refusal
STATUSES = ("present", "absent", "late", "excused")
DAY = date(2025, 10, 27)
SESSIONS = 3  # that a leave covers, and that a merged record has marks in
FIRST_DAY = date(1990, 1, 1)  # of all imported files, which may not reach today
DAYS = 5  # of an imported file


@dataclass
class Write:
    """Something that was asked for: the status of the answer, or 0, and when it came."""

    kind: str
    key: str
    status: int = 0
    at: float = 0.0

    @property
    def answered(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        """Whether it was refused or broken off; one that is under way was not."""
        return self.at > 0 and not self.answered


class Actor:
    """Somebody who does one kind of thing over and over, between `start` and `stop`."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self.number = world, number
        self.writes: list[Write] = []

    def begin(self, turn: int) -> None:
        """Prepare for another round, while everything works."""

    def steps(self) -> Iterator[Write]:
        """Write after write."""
        raise NotImplementedError

    def start(self) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._go, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @property
    def busy(self) -> bool:
        """Whether it writes without a pause."""
        return self._thread.is_alive()

    def answered_since(self, moment: float) -> bool:
        """Whether a write was answered after that moment of the monotonic clock."""
        return any(write.answered and write.at > moment for write in self.writes[-20:])

    def join(self) -> None:
        self._thread.join()

    def _go(self) -> None:
        for write in self.steps():
            if not write.answered:
                sleep(PAUSE)
            if self._stop.is_set():
                return

    def _write(self, write: Write, method: str, path: str, body: Any, media: str = "") -> Any:
        """Ask for it; it counts as asked for from the moment at which it may arrive."""
        self.writes.append(write)
        write.status, content = self._world.ask(self.number, method, path, body, media)
        write.at = monotonic()
        return content

    def _class(self, code: str, rolls: list[str]) -> str:
        draft = {"code": code, "name": "Operating Systems", "section": "A"}
        found = str(self._world.must(self.number, "POST", "/classes", draft)["id"])
        students = [{"rollNo": roll, "name": "Student Demo"} for roll in rolls]
        self._world.must(self.number, "PUT", f"/classes/{found}/students", {"students": students})
        return found

    def _session(self, class_id: str, day: date) -> str:
        wanted = {"classId": class_id, "sessionDate": str(day)}
        opened = self._world.must(self.number, "POST", "/attendance/sessions", wanted)
        return str(opened["sessionId"])

    def _absent(self, class_id: str, rolls: list[str]) -> None:
        """Mark them absent in as many sessions as a leave covers."""
        for n in range(SESSIONS):
            path = f"/attendance/sessions/{self._session(class_id, DAY + timedelta(days=n))}"
            updates = [{"rollNo": roll, "status": "absent"} for roll in rolls]
            self._world.must(self.number, "PUT", f"{path}/statuses", {"updates": updates})


class Marking(Actor):
    """Gives a whole class one status and a remark of its own, and then another."""

    def begin(self, turn: int) -> None:
        if turn == 0:
            self._rolls = [f"{self.number}/{place}" for place in range(STUDENTS)]
            self._class_id = self._class(f"MARK{self.number}", self._rolls)
        self.session = self._session(self._class_id, DAY + timedelta(days=turn % 300))

    def steps(self) -> Iterator[Write]:
        while True:
            yield self.mark()

    def mark(self) -> Write:
        """Mark everybody once."""
        write = Write("marks", f"{self.number} {len(self.writes)} {monotonic()}")
        self._write(write, "PUT", self.path, self.batch(write.key))
        return write

    @property
    def path(self) -> str:
        return f"/attendance/sessions/{self.session}/statuses"

    def json(self, key: str) -> bytes:
        return json.dumps(self.batch(key)).encode()

    def batch(self, key: str) -> dict[str, Any]:
        """The whole class, with that key as the remark."""
        status = STATUSES[len(self.writes) % len(STATUSES)]
        return {"updates": [{"rollNo": r, "status": status, "remark": key} for r in self._rolls]}


class Beside(Marking):
    """An administrator, who marks in the same session as the teacher at the same time."""

    def __init__(self, owner: Marking) -> None:
        super().__init__(owner._world, ADMIN)
        self._owner = owner

    def begin(self, turn: int) -> None:
        self._rolls, self.session = self._owner._rolls, self._owner.session


class Deciding(Actor):
    """Asks for leave of one student after another, approves it and withdraws it."""

    def begin(self, turn: int) -> None:
        self._rolls = [f"L{turn}/{place}" for place in range(STUDENTS)]
        self._class_id = self._class(f"LEAVE{turn}", self._rolls)
        self._absent(self._class_id, self._rolls)

    def steps(self) -> Iterator[Write]:
        for time in count():
            for roll in self._rolls:
                draft = {"rollNo": roll, "kind": "medical", "classId": self._class_id}
                draft |= {"firstDay": str(DAY), "lastDay": str(DAY + timedelta(days=SESSIONS - 1))}
                yield from self._leave(f"{roll} {time}", draft)

    def _leave(self, key: str, draft: dict[str, str]) -> Iterator[Write]:
        write = Write("leave", f"{key} asked")
        leave = self._write(write, "POST", "/leaves", draft | {"note": key})
        yield write
        for decision in ("approve", "withdraw"):
            if not write.answered:
                return
            write = Write("leave", f"{key} {decision}")
            self._write(write, "POST", f"/leaves/{leave['id']}/{decision}", None)
            yield write


class Merging(Actor):
    """Merges records of students who are on the roster twice."""

    def begin(self, turn: int) -> None:
        pairs = [(f"M{turn}/{n}A", f"M{turn}/{n}B") for n in range(2 * STUDENTS)]
        class_id = self._class(f"MERGE{turn}", [roll for pair in pairs for roll in pair])
        self._absent(class_id, [other for _, other in pairs])
        document = self._world.must(self.number, "GET", f"/classes/{class_id}")
        ids = {student["rollNo"]: student["studentId"] for student in document["students"]}
        self._pairs = [(ids[roll], ids[other], other) for roll, other in pairs]

    def steps(self) -> Iterator[Write]:
        for kept, other, roll in self._pairs:
            write = Write("merge", roll)
            path = f"/admin/students/{kept}/merge"
            self._write(write, "POST", path, {"otherId": other})
            yield write


class Importing(Actor):
    """Imports one file of attendance after another, each of days of its own; one that was not
    answered with success is sent again."""

    def begin(self, turn: int) -> None:
        if turn == 0:
            self._file = 0
            self._rolls = [f"I{self.number}/{place}" for place in range(STUDENTS)]
            self._class(self._code, self._rolls)

    @property
    def _code(self) -> str:
        return f"{type(self).__name__.upper()}{self.number}"

    def steps(self) -> Iterator[Write]:
        while True:
            write, content = self._next()
            self._write(write, "POST", "/admin/import?kind=attendance", content, "text/csv")
            self._file += write.answered
            yield write

    def _next(self) -> tuple[Write, bytes]:
        """The next file."""
        first = FIRST_DAY + timedelta(days=DAYS * self._file)
        lines = ["Roll No,Code,Section,Date,Status"] + [
            f"{roll},{self._code},A,{first + timedelta(days=day)},{'PA'[day % 2]}"
            for day in range(DAYS)
            for roll in self._rolls
        ]
        return Write("import", f"{self._code} {self._file}"), "\n".join(lines).encode()


class Leaving(Importing):
    """Leaves files with the server, which imports them beside its requests; one at a time."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, number)
        self._runs: list[tuple[Write, str]] = []

    def steps(self) -> Iterator[Write]:
        while True:
            write, content = self._next()
            path = "/admin/imports?kind=attendance"
            run = self._write(write, "POST", path, content, "text/csv")
            self._file += write.answered
            if write.answered:
                self._runs.append((write, run["id"]))
            yield write
            self._await(5)

    @property
    def busy(self) -> bool:
        """Never, since it also waits for what it has left."""
        return False

    def _await(self, seconds: float) -> None:
        deadline = monotonic() + seconds
        while monotonic() < deadline and not self._stop.is_set():
            if self._runs and self._state(self._runs[-1][1]) == "done":
                return
            sleep(0.1)

    def settle(self, seconds: float) -> list[str]:
        """Wait for all runs to end; those that are given up are taken for refused. Returns what
        has not ended."""
        deadline, left = monotonic() + seconds, self._runs
        while left and monotonic() < deadline:
            states = [(write, run, self._state(run)) for write, run in left]
            for write, _, state in states:
                write.status = 503 if state in ("failed", "refused") else write.status
            left = [(write, run) for write, run, state in states if state in ("waiting", "working")]
            sleep(0.2)
        return [run for _, run in left]

    def _state(self, run: str) -> str:
        _, content = self._world.ask(self.number, "GET", f"/admin/imports/{run}")
        return str((content or {}).get("state", "unknown"))


def actors(world: World) -> list[Actor]:
    """Everybody who writes at once."""
    marking = [Marking(world, number) for number in TEACHERS]
    office = [kind(world, ADMIN) for kind in (Deciding, Merging, Importing, Leaving)]
    return [*marking, Beside(marking[0]), *office]
