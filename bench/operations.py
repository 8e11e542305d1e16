"""The operations A to F: each as an HTTP request, and as the SQL that the service runs for it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import md5
from random import Random
from uuid import UUID

from app.demo.bench_data import CLASSES, SESSIONS, STUDENTS
from app.services.classes import class_service
from app.services.counting import student_stats
from app.services.people import accounts
from app.services.sessions import attendance_service, leave_shown, marking, session_lock
from app.sql import Statement

DAY_ZERO = date(2026, 6, 1)  # the day before the first session
D_CLASSES = range(1, 11)  # pgbench has no arrays, so marking is one script for each class


def id_of(name: str) -> UUID:
    """The id that `app.demo.bench_data` gives to `class7`, `user2` etc."""
    return UUID(md5(name.encode()).hexdigest())


def teacher_of(number: int) -> int:
    return (number - 1) // 4 + 1


def roll(number: int, place: int) -> str:
    return f"23/CS/{(number - 1) * STUDENTS + place:05}"


@dataclass(frozen=True)
class Request:
    """What a client sends, and the teacher who sends it."""

    teacher: int
    method: str
    path: str
    body: str = ""


@dataclass(frozen=True)
class Operation:
    """An operation. `once`: each request is sent only once, since a repeat would be less work."""

    name: str
    title: str
    request: Callable[[Random], Request]
    scripts: Callable[[], list[str]]
    once: bool = False


def _plain(method: str, path: str) -> Callable[[Random], Request]:
    """A request for a random class and one of its sessions."""

    def request(random: Random) -> Request:
        number, session = random.randint(1, CLASSES), random.randint(1, 30)
        first = DAY_ZERO + timedelta(days=session)
        filled = path.format(
            class_id=id_of(f"class{number}"), first=first, last=first + timedelta(days=9)
        )
        return Request(teacher_of(number), method, filled)

    return request


def _open_existing(random: Random) -> Request:
    day = DAY_ZERO + timedelta(days=random.randint(1, SESSIONS))
    return _opening(random, {"sessionDate": str(day)})


def _open_new(random: Random) -> Request:
    day = date(2010, 1, 1) + timedelta(days=random.randrange(3000))
    start = f"{random.randrange(24):02}:{random.randrange(60):02}"
    return _opening(random, {"sessionDate": str(day), "startTime": start})


def _opening(random: Random, body: dict[str, str]) -> Request:
    number = random.randint(1, CLASSES)
    body["classId"] = str(id_of(f"class{number}"))
    return Request(teacher_of(number), "POST", "/attendance/sessions", json.dumps(body))


def _mark(random: Random) -> Request:
    """Sixty updates of existing marks, of which every second one changes something."""
    number, session = random.choice(D_CLASSES), random.randint(1, SESSIONS)
    score = random.randint(60, 99)
    updates = [
        {"rollNo": roll(number, place), "status": "present"}
        if place % 2
        else {
            "rollNo": roll(number, place),
            "status": "present",
            "recognizedByAi": True,
            "similarityScore": score,
        }
        for place in range(1, STUDENTS + 1)
    ]
    path = f"/attendance/sessions/{id_of(f'session{number}-{session}')}/statuses"
    return Request(teacher_of(number), "PUT", path, json.dumps({"updates": updates}))


USER = "md5('user' || ((:c - 1) / 4 + 1))::uuid"
CLASS = "md5('class' || :c)::uuid"
SESSION = "md5('session' || :c || '-' || :s)::uuid"
DAY = "date '2026-06-01' + :s::int"
_OF_CLASS = {"actor_id": USER, "class_id": CLASS}
_AT_SESSION = {"class_id": CLASS, "session_id": SESSION, "day": DAY}
_WRITER = {"actor_id": USER, "request_id": "'bench'", "reason": "NULL"}
_AT = {**_OF_CLASS, "today": "date '2026-11-24'", "clock": "time '09:30'"}
_VARIABLES = """\\set c random(1, 200)
\\set s random(1, 30)
\\set r random(1, 1000000)
"""


def _script(sql: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [_VARIABLES + _filled(sql, arguments) + ";\n"]


def _named_script(statement: Statement, **values: str) -> Callable[[], list[str]]:
    return _script(statement.text, *statement.arguments(values))


def _named(statement: Statement, **values: str) -> str:
    return _filled(statement.text, tuple(statement.arguments(values)))


def _filled(sql: str, arguments: tuple[str, ...]) -> str:
    """The statement with pgbench expressions instead of its parameters."""
    filled = re.sub(r"\$(\d+)", lambda found: f"({arguments[int(found[1]) - 1]})", sql).strip()
    # pgbench would take the colon of a time format for one of its variables.
    return filled.replace("'HH24:MI'", "'HH24' || chr(58) || 'MI'")


def _marking_scripts() -> list[str]:
    scripts = []
    for number in D_CLASSES:
        keys = [roll(number, place) for place in range(1, STUDENTS + 1)]
        ai = [place % 2 == 0 for place in range(1, STUDENTS + 1)]
        scores = ", ".join("60 + :r % 40" if by_ai else "NULL" for by_ai in ai)
        texts = f"'{{{','.join(keys)}}}'::text[]".lower()
        mark = _named(
            marking._MARK,
            **_AT_SESSION,
            **_WRITER,
            version=":version::int",
            strict="false",
            if_match="array[:version::int]",
            roll_keys=texts,
            statuses="array_fill('present'::text, array[60])",
            recognized=f"'{{{','.join(str(by_ai) for by_ai in ai)}}}'::boolean[]",
            scores=f"array[{scores}]::numeric[]",
            remarks="array_fill(NULL::text, array[60])",
        )
        lock = _named(session_lock.LOCK, actor_id=USER, session_id=SESSION, window="NULL")
        marks = _named(marking._MARKS, class_id=CLASS, session_id=SESSION)
        scripts.append(
            f"\\set c {number}\n\\set s random(1, {SESSIONS})\n\\set r random(1, 1000000)\n"
            f"BEGIN;\n{lock}\n\\gset\n{mark};\n{marks};\nCOMMIT;\n"
        )
    return scripts


def _opening_scripts() -> list[str]:
    """All statements for opening a new session: the slot, the session, and who is on leave."""
    day = "date '1990-01-01' + (:r::int % 3000)::int"
    start = "time '00:00' + make_interval(mins => (:r::int / 3000) % 1440)"
    find = _named(attendance_service._FIND, day=day, start_time=start, **_AT)
    opening = {"day": day, "start_time": start, "end_time": "NULL", "image": "NULL"}
    open_ = _named(attendance_service._OPEN, **_OF_CLASS, **opening)
    leave = _named(leave_shown._ANYBODY_ON_LEAVE, class_id=CLASS, session_id=":id::uuid", day=day)
    return [f"{_VARIABLES}{find};\nBEGIN;\n{open_}\n\\gset\n{leave};\nCOMMIT;\n"]


OPERATIONS = (
    Operation(
        "A", "who am I", _plain("GET", "/users/me"), _named_script(accounts._ME, actor_id=USER)
    ),
    Operation(
        "B",
        "my four classes with rosters",
        _plain("GET", "/classes"),
        _named_script(class_service._LIST[True], actor_id=USER, archived="false", term="'current'"),
    ),
    Operation(
        "C1",
        "open a session that is there",
        _open_existing,
        _named_script(attendance_service._FIND, day=DAY, start_time="NULL", **_AT),
    ),
    Operation(
        "C2",
        "open a new session",
        _open_new,
        _opening_scripts,
        once=True,
    ),
    Operation("D", "mark sixty, thirty change", _mark, _marking_scripts),
    Operation(
        "E",
        "ten sessions with their marks",
        _plain("GET", "/attendance/sessions?classId={class_id}&from={first}&to={last}"),
        _named_script(
            attendance_service._LIST,
            **_OF_CLASS,
            first=DAY,
            last=f"{DAY} + 9",
            after_day="NULL",
            after_time="NULL",
            most="200",
        ),
    ),
    Operation(
        "F",
        "statistics over forty sessions",
        _plain("GET", "/stats/classes/{class_id}/students"),
        _named_script(student_stats._OF_CLASS, **_OF_CLASS, withdrawn="false"),
    ),
)
