"""The operations A to F as HTTP requests, no two of which ask the same work of the database."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from random import Random
from uuid import UUID

from app.demo import bench_data
from app.demo.bench_data import CLASSES, STUDENTS
from bench.data import DAY_ZERO, SCORES, id_of, roll, said, teacher_of


@dataclass(frozen=True)
class Request:
    """What a client sends, and what it is about: a class, and a session of it or a day.

    `score` is that of the marks from a photo, with two decimals; `start` when a new session begins.
    """

    number: int
    method: str
    path: str
    body: str = ""
    session: int = 0
    day: date = DAY_ZERO
    start: str = "09:00"
    score: str = ""

    @property
    def teacher(self) -> int:
        return teacher_of(self.number)

    @property
    def class_id(self) -> UUID:
        return id_of(f"class{self.number}")

    @property
    def session_id(self) -> UUID:
        return id_of(f"session{self.number}-{self.session}")


@dataclass(frozen=True)
class Operation:
    """An operation: its requests in random order, and how many of them a second can be needed.

    `written` are queries for numbers that grow with each request, and by how much. Only a request
    of an operation without any can be sent again.
    """

    name: str
    title: str
    requests: Callable[[Random], Iterator[Request]]
    a_second: int
    written: tuple[tuple[str, int], ...] = ()


def _about_me(random: Random) -> Iterator[Request]:
    while True:
        yield Request(random.randint(1, CLASSES), "GET", "/users/me")


def _my_classes(random: Random) -> Iterator[Request]:
    while True:
        yield Request(random.randint(1, CLASSES), "GET", "/classes")


def _open_existing(random: Random) -> Iterator[Request]:
    while True:
        session = random.randint(1, bench_data.SESSIONS)
        day = DAY_ZERO + timedelta(days=session)
        yield _opening(random, {"sessionDate": str(day)}, session=session, day=day)


def _open_new(random: Random) -> Iterator[Request]:
    while True:
        day = date(2010, 1, 1) + timedelta(days=random.randrange(3000))
        start = f"{random.randrange(24):02}:{random.randrange(60):02}"
        yield _opening(random, {"sessionDate": str(day), "startTime": start}, day=day, start=start)


def _opening(random: Random, body: dict[str, str], **about: object) -> Request:
    number = random.randint(1, CLASSES)
    body["classId"] = str(id_of(f"class{number}"))
    return Request(number, "POST", "/attendance/sessions", json.dumps(body), **about)  # type: ignore[arg-type]


_scores = count()


def _mark(random: Random) -> Iterator[Request]:
    """All sixty of a session, of which every second one, from a photo, gets a score that differs
    from the one before: each pass over the sessions has another."""
    sessions = [(c, s) for c in range(1, CLASSES + 1) for s in range(1, bench_data.SESSIONS + 1)]
    while True:
        score = f"{60 + next(_scores) % SCORES / 100:.2f}"
        random.shuffle(sessions)
        for number, session in sessions:
            path = f"/attendance/sessions/{id_of(f'session{number}-{session}')}/statuses"
            body = marks_of(number, session, score)
            yield Request(number, "PUT", path, body, session=session, score=score)


def marks_of(number: int, session: int, score: str) -> str:
    """The body of D for the session of the class."""
    updates = [
        f'{{"rollNo":"{roll(number, place)}","status":"{said(place, session)}"'
        + (f',"recognizedByAi":true,"similarityScore":{score}}}' if place % 2 == 0 else "}")
        for place in range(1, STUDENTS + 1)
    ]
    return f'{{"updates":[{",".join(updates)}]}}'


def _sessions(random: Random) -> Iterator[Request]:
    while True:
        number, session = random.randint(1, CLASSES), random.randint(1, bench_data.SESSIONS - 9)
        first = DAY_ZERO + timedelta(days=session)
        span = f"classId={id_of(f'class{number}')}&from={first}&to={first + timedelta(days=9)}"
        yield Request(number, "GET", f"/attendance/sessions?{span}", session=session)


def _standing(random: Random) -> Iterator[Request]:
    while True:
        number = random.randint(1, CLASSES)
        yield Request(number, "GET", f"/stats/classes/{id_of(f'class{number}')}/students")


A = Operation("A", "who am I", _about_me, 400)
B = Operation("B", "my four classes with rosters", _my_classes, 400)
C1 = Operation("C1", "open a session that is there", _open_existing, 400)
C2 = Operation(
    *("C2", "open a new session", _open_new, 8000),
    written=(("SELECT count(*) FROM attendance_sessions", 1),),
)
D = Operation(
    *("D", "mark sixty, thirty change", _mark, 3000),
    written=(
        ("SELECT sum(version) FROM attendance_sessions", 1),
        ("SELECT count(*) FROM superseded_statuses", STUDENTS // 2),
    ),
)
E = Operation("E", "ten sessions with their marks", _sessions, 400)
F = Operation("F", "statistics over forty sessions", _standing, 400)
OPERATIONS = (A, B, C1, C2, D, E, F)
