"""How students stand, for both peers: one grouped query, and the rules of the policy in Python."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.models import AttendanceSession, AttendanceStatus, Class, ClassStudent, Policy, Student
from bench.peers.shapes import Standing


def statuses_of(class_id: UUID) -> Select[Any]:
    """Each student of the class with their marks, newest first."""
    session, mark = AttendanceSession, AttendanceStatus
    newest_first = (session.session_date.desc(), session.start_time.desc().nulls_last())
    return (
        select(
            *(Student.id, Student.roll_no, Student.name),
            func.array_agg(aggregate_order_by(mark.status, *newest_first)).label("statuses"),
        )
        .join(ClassStudent, ClassStudent.student_id == Student.id)
        .join(
            mark,
            (mark.class_id == ClassStudent.class_id) & (mark.student_id == ClassStudent.student_id),
        )
        .join(session, (session.class_id == mark.class_id) & (session.id == mark.session_id))
        .where(ClassStudent.class_id == class_id, session.status != "cancelled")
        .where(func.on_roster(ClassStudent.periods))
        .group_by(Student.id)
        .order_by(Student.roll_key)
    )


def held_in(class_id: UUID) -> Select[Any]:
    """How many sessions of the class count."""
    session = AttendanceSession
    return select(func.count()).where(session.class_id == class_id, session.status != "cancelled")


def meetings_left(class_: Class, today: date) -> int | None:
    """How often the class meets until the end of its term; None without a term."""
    term = class_.term
    if term is None:
        return None
    first = max(term.first_day, today)
    days = (first + timedelta(n) for n in range((term.last_day - first).days + 1))
    slots = Counter(slot.day_of_week for slot in class_.schedules)
    return sum(slots[day.isoweekday()] for day in days)


@dataclass
class Rules:
    """What the figures of a class depend on besides marks."""

    policy: Policy
    held: int
    left: int | None

    def standing(self, student: Any) -> Standing:
        """The figures of a row of `statuses_of`."""
        counts, total = Counter(student.statuses), len(student.statuses)
        attended, counted = self._attended(counts), total
        if self.policy.excused == "excluded":
            counted -= counts["excused"]
        best = None
        if self.left is not None:
            best = _percentage(attended + 100 * self.left, counted + self.left)
        return Standing(
            student_id=student.id,
            roll_no=student.roll_no,
            name=student.name,
            **{status: counts[status] for status in ("present", "absent", "late", "excused")},
            total=total,
            counted=counted,
            attended=attended / 100,
            percentage=_percentage(attended, counted),
            standing=self._word(attended, counted),
            sessions_needed=self._needed(attended, counted),
            can_miss=self._can_miss(attended, counted),
            best_possible=best,
            absent_in_a_row=_in_a_row(student.statuses),
            unmarked=self.held - total,
        )

    def _attended(self, counts: Counter[str]) -> int:
        excused = 100 if self.policy.excused == "present" else 0
        late = counts["late"] * self.policy.late_weight
        return counts["present"] * 100 + late + counts["excused"] * excused

    def _word(self, attended: int, counted: int) -> str:
        if counted == 0 or counted < self.policy.minimum_sessions:
            return "no_data"
        if self._below(attended, counted):
            return "below"
        return "at_risk" if self._below(attended, counted + 1) else "ok"

    def _below(self, attended: int, counted: int) -> bool:
        return attended * 100 < self.policy.threshold * counted

    def _needed(self, attended: int, counted: int) -> int | None:
        line = self.policy.threshold
        if not self._below(attended, counted):
            return 0
        missing = line * counted - attended * 100
        return -(-missing // (10000 - line)) if line < 10000 else None

    def _can_miss(self, attended: int, counted: int) -> int | None:
        line = self.policy.threshold
        return max(attended * 100 // line - counted, 0) if line > 0 else None


def _percentage(attended: int, counted: int) -> float:
    return (200 * attended + counted) // (2 * counted) / 100 if counted else 0.0


def _in_a_row(statuses: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda status: status == "absent", statuses))
