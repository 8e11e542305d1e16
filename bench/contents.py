"""Whether the answers of a server are right: what a fast wrong answer would gain, fails the run."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from app.demo import bench_data
from app.demo.bench_data import STUDENTS
from bench.data import DAY_ZERO, id_of, roll, said
from bench.operations import Operation, Request

Json = Any


class WrongAnswer(Exception):
    """An answer that is not what the request asked for; the message says which and how."""


def check(operation: Operation, request: Request, status: int, body: bytes) -> None:
    """Raise `WrongAnswer` unless the server answered the request, and that rightly."""
    try:
        assert status == 200, status
        _CHECKS[operation.name](request, json.loads(body, parse_float=Decimal))
    except (AssertionError, KeyError, TypeError, ValueError) as wrong:
        raise WrongAnswer(
            f"{operation.name}: {request.method} {request.path} was answered wrongly "
            f"({type(wrong).__name__} {wrong}): {status} {body[:500]!r}"
        ) from wrong


def _equal(found: object, expected: object) -> None:
    assert found == expected, f"{found} is not {expected}"


def _rolls(number: int) -> list[str]:
    return [roll(number, place) for place in range(1, STUDENTS + 1)]


def _check_me(request: Request, me: Json) -> None:
    _equal(me["id"], str(id_of(f"user{request.teacher}")))
    _equal(me["email"], f"t{request.teacher}@demo.university.example")
    _equal(me["role"], "teacher")


def _check_classes(request: Request, classes: Json) -> None:
    first = (request.teacher - 1) * 4 + 1
    for number, found in zip(range(first, first + 4), classes, strict=True):
        _equal(found["id"], str(id_of(f"class{number}")))
        _equal([student["rollNo"] for student in found["students"]], _rolls(number))
        _equal({student["enrolledFrom"] for student in found["students"]}, {str(_first_day())})
        _equal([slot["dayOfWeek"] for slot in found["schedule"]], [1, 2, 3])
        _equal((found["reschedules"], found["myRole"]), ([], "owner"))


def _first_day() -> object:
    return DAY_ZERO + timedelta(days=1)


def _check_found(request: Request, session: Json) -> None:
    _equal(session["sessionId"], str(request.session_id))
    _check_opened(request, session, created=False)
    assert session["version"] >= 1, session["version"]


def _check_new(request: Request, session: Json) -> None:
    _check_opened(request, session, created=True)
    _equal(session["version"], 0)


def _check_opened(request: Request, session: Json, *, created: bool) -> None:
    _equal(session["classId"], str(request.class_id))
    _equal(session["created"], created)
    _equal((session["sessionDate"], session["startTime"]), (str(request.day), request.start))
    _equal(
        (session["status"], session["teacherId"]), ("open", str(id_of(f"user{request.teacher}")))
    )


def _check_marks(request: Request, marks: Json) -> None:
    _equal((marks["sessionId"], marks["rejected"]), (str(request.session_id), []))
    assert marks["version"] >= 2, marks["version"]
    _equal([mark["rollNo"] for mark in marks["statuses"]], _rolls(request.number))
    for place, mark in enumerate(marks["statuses"], start=1):
        by_ai = place % 2 == 0
        score = Decimal(request.score) if by_ai else None
        found = (mark["status"], mark["recognizedByAi"], mark["similarityScore"], mark["source"])
        status = said(place, request.session)
        _equal(found, (status, by_ai, score, "ai" if by_ai else "manual"))


def _check_sessions(request: Request, sessions: Json) -> None:
    days = range(request.session + 9, request.session - 1, -1)
    for day, session in zip(days, sessions, strict=True):
        _equal(session["sessionId"], str(id_of(f"session{request.number}-{day}")))
        _equal(session["sessionDate"], str(DAY_ZERO + timedelta(days=day)))
        _equal([mark["rollNo"] for mark in session["statuses"]], _rolls(request.number))
        for mark in session["statuses"]:
            assert mark["status"] in _STATUSES, mark
            _equal(mark["recognizedByAi"], mark["similarityScore"] is not None)


_STATUSES = ("present", "absent", "late", "excused")


def _check_standing(request: Request, students: Json) -> None:
    _equal([student["rollNo"] for student in students], _rolls(request.number))
    for student in students:
        _equal(student["total"], bench_data.SESSIONS)
        _equal(sum(student[status] for status in _STATUSES), student["total"])
        # The rules of a new installation: late is attended, excused is not.
        attended = student["present"] + student["late"]
        part = Decimal(100 * attended) / student["total"]
        _equal(student["percentage"], part.quantize(Decimal("0.01"), ROUND_HALF_UP))
        assert student["bestPossible"] >= student["percentage"], student
        _equal(student["standing"] == "below", part < 75)
        assert 0 <= student["absentInARow"] <= student["absent"], student


_CHECKS: dict[str, Callable[[Request, Json], None]] = {
    "A": _check_me,
    "B": _check_classes,
    "C1": _check_found,
    "C2": _check_new,
    "D": _check_marks,
    "E": _check_sessions,
    "F": _check_standing,
}
