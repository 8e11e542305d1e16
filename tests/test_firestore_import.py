"""Exports of Firestore as they are written: once, again, a newer one, any one."""

from collections import Counter
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AccessDenied, Invalid
from tests.classroom import today
from tests.conftest import Stage
from tests.firestore_exports import (
    DOMAIN,
    SHAPES,
    Export,
    attendance,
    class_,
    everybody,
    read,
    student,
    written,
)
from tests.firestore_runs import FIRST, codes, export, run, sessions, statuses, the_class
from tests.fuzz import examples
from tests.support import checksum

pytestmark = pytest.mark.anyio


async def test_an_export_becomes_a_class_with_its_roster_timetable_sessions_and_marks(
    stage: Stage,
) -> None:
    outcome = await run(stage, export())
    made = await the_class(stage)
    assert (made["code"], made["name"], made["section"]) == ("CS301", "Operating Systems", "A")
    assert (made["ltpPattern"], made["myRole"]) == ("310", "owner")
    assert [(slot["dayOfWeek"], slot["start"]) for slot in made["schedule"]] == [
        *[(1, "09:00"), (3, "09:00")],
    ]
    (move,) = made["reschedules"]
    assert (move["originalStartTime"], move["rescheduledDate"]) == ("09:00", "2025-08-12")
    assert [(s["rollNo"], s["enrolledFrom"], s["enrolledUntil"]) for s in made["students"]] == [
        (f"23/CS/{number}", "2025-08-04", None) for number in (101, 102, 103)
    ]
    first, second = await sessions(stage, made["id"])
    assert (first["startTime"], first["endTime"]) == ("09:00", "10:00")
    assert (first["processedImageUrl"], first["version"]) == ("/data/1.jpg", 1)
    assert statuses(first) == {**everybody("present"), "23/CS/109": "absent"}
    assert statuses(second) == {"23/CS/101": "late", "23/CS/102": "excused"}
    assert {mark["source"] for mark in first["statuses"]} == {"import"}
    stats = f"/stats/classes/{made['id']}/students"
    counted = (await stage.asha.get(stats, params={"include": "withdrawn"})).json()
    assert {row["rollNo"]: (row["attended"], row["total"]) for row in counted} == {
        # Duty counts as presence, by the policy that there is at first.
        "23/CS/101": (2, 2),
        "23/CS/102": (2, 2),
        "23/CS/103": (1, 1),
        "23/CS/109": (0, 1),
    }
    assert len((await stage.asha.get(stats)).json()) == 3
    assert outcome.made == {
        "classes": 1,
        "class_schedules": 2,
        "class_reschedules": 1,
        "students": 4,
        "class_students": 4,
        "attendance_sessions": 2,
        "attendance_statuses": 6,
    }
    (totals,) = outcome.classes
    assert totals.stored == {"present": 3, "absent": 1, "late": 1, "excused": 1}
    actions = await stage.connection.fetch("SELECT action, count(*) FROM audit_log GROUP BY 1")
    assert dict(actions) == {"student_enrolled": 4, "class_imported": 1}


async def test_the_same_export_again_changes_nothing_whatever_its_shape(stage: Stage) -> None:
    await run(stage, export())
    before = await checksum(stage.connection)
    for shape in ("plain", "collections", "rest"):
        outcome = await run(stage, read(written(export(), shape)))
        assert not +outcome.made
        assert not +outcome.changed
        assert outcome.unchanged["attendance_statuses"] == 6
        assert await checksum(stage.connection) == before


async def test_a_newer_export_brings_what_is_new_and_keeps_history(stage: Stage) -> None:
    await run(stage, export())
    newer = export(students=[student(number) for number in (101, 102, 103, 104)])
    newer["attendance"]["d1_2025-08-04"]["studentStatuses"] |= {"23/CS/101": "late"}
    del newer["attendance"]["d1_2025-08-04"]["studentStatuses"]["23/CS/103"]
    newer["attendance"]["d1_2025-08-13"] = attendance("d1", "2025-08-13", everybody())
    outcome = await run(stage, newer)
    assert outcome.made == {
        "students": 1,
        "class_students": 1,
        "attendance_sessions": 1,
        "attendance_statuses": 3,
    }
    assert outcome.changed["attendance_statuses"] == 1
    assert [difference.code for difference in outcome.classes[0].differences] == [
        "no_longer_exported"
    ]
    first = (await sessions(stage, (await the_class(stage))["id"]))[0]
    assert statuses(first) == {**everybody("present"), "23/CS/101": "late", "23/CS/109": "absent"}
    history = f"/attendance/sessions/{first['sessionId']}/history"
    changes = (await stage.asha.get(history)).json()
    assert (changes[0]["from"]["status"], changes[0]["to"]["status"]) == ("present", "late")
    assert changes[0]["requestId"].startswith("firestore-")


async def test_a_session_that_begins_at_another_time_in_a_newer_export_is_the_same(
    stage: Stage,
) -> None:
    await run(stage, export())
    newer = export(schedule={"Monday": {"start": "10:00", "end": "11:00"}})
    outcome = await run(stage, newer)
    # That of Wednesday has no time any more, by the newer timetable.
    assert outcome.made["attendance_sessions"] == 0
    assert outcome.unchanged["attendance_statuses"] == 6
    kept = await sessions(stage, (await the_class(stage))["id"])
    assert [session["startTime"] for session in kept] == ["09:00", "09:00"]


async def test_a_dry_run_says_the_same_and_changes_nothing(stage: Stage) -> None:
    before = await checksum(stage.connection)
    content = export(teacherEmail=f"new@{DOMAIN}")
    rehearsed = await run(stage, content, dry_run=True, allow_teachers=True)
    assert await checksum(stage.connection) == before
    done = await run(stage, content, allow_teachers=True)
    assert rehearsed.made == done.made
    assert rehearsed.made["allowed_emails"] == rehearsed.made["users"] == 1
    assert rehearsed.classes == done.classes


async def test_whose_a_class_is_has_to_be_known_and_allowed(stage: Stage) -> None:
    content: Export = {
        "teachers": {
            "uid-1": {"email": f"FARAH@{DOMAIN}", "name": "Farah Demo"},
            "uid-2": {"email": f"meera@{DOMAIN}"},
            "uid-3": {"email": f"gopal@{DOMAIN}"},
        },
        "classes": {
            f"d{n}": class_(f"C{n}", teacherEmail=None, teacherId=name)
            for n, name in enumerate(["uid-1", "uid-2", "uid-9", None])
        },
        "attendance": {"d0_2025-08-04": attendance("d0", FIRST, everybody())},
    }
    outcome = await run(stage, content)
    assert codes(outcome) == {
        "teacher_not_allowed": 1,
        "teacher_unknown": 1,
        "teacher_missing": 1,
        "teacher_without_class": 1,
    }
    assert [bool(totals.class_id) for totals in outcome.classes] == [False, True, False, False]
    assert outcome.classes[0].differences[0].less == {"present": 3}
    outcome = await run(stage, content, allow_teachers=True, teacher=f" Bilal@{DOMAIN} ")
    assert codes(outcome) == {"teacher_without_class": 1}
    assert len((await stage.bilal.get("/classes")).json()) == 2
    query = "SELECT email, role, name FROM allowed_emails WHERE email LIKE $1"
    assert [tuple(row) for row in await stage.connection.fetch(query, "farah@%")] == [
        (f"farah@{DOMAIN}", "teacher", "Farah Demo")
    ]
    assert [row["role"] for row in await stage.connection.fetch(query, "meera@%")] == ["admin"]
    assert not await stage.connection.fetch(query, "gopal@%")
    with pytest.raises(Invalid, match="There is no such term"):
        await run(stage, content, term="Monsoon")


async def test_only_an_administrator_may_and_for_others_nothing_changes(stage: Stage) -> None:
    before = await checksum(stage.connection)
    stage.meera, stage.asha = stage.asha, stage.meera
    with pytest.raises(AccessDenied):
        await run(stage, export())
    assert await checksum(stage.connection) == before


async def test_a_class_that_the_database_refuses_is_left_out_and_the_others_are_written(
    stage: Stage,
) -> None:
    content = export()
    content["classes"]["d2"] = class_("CS302")
    records = read(written(content))
    first = records.classes[0]
    first.sessions = [replace(first.sessions[0], end=time(8))]
    outcome = await run(stage, records)
    assert codes(outcome) == {"database_refused": 1}
    assert outcome.made["classes"] == 1
    assert (await the_class(stage))["code"] == "CS302"


async def test_two_documents_of_one_class_are_not_mixed(stage: Stage) -> None:
    content = export()
    content["classes"]["d2"] = class_(students=[student(201)])
    content["attendance"]["d2_2025-08-04"] = attendance("d2", FIRST, {"23/CS/201": "absent"})
    for _ in range(2):
        outcome = await run(stage, content)
        assert codes(outcome) == {"class_repeated": 1}
        assert [totals.stored.total() for totals in outcome.classes] == [6, 0]
    assert len((await the_class(stage))["students"]) == 3


async def test_a_mark_of_today_leaves_no_place_on_the_roster(stage: Stage) -> None:
    content = export()
    content["attendance"] = {
        "d1_x": attendance("d1", today(), everybody("present", 108, 109)),
        "d1_y": attendance("d1", today() - timedelta(days=3), everybody("late", 108)),
    }
    await run(stage, content)
    made = await the_class(stage)
    assert [entry["rollNo"] for entry in made["students"]] == [
        f"23/CS/{number}" for number in (101, 102, 103)
    ]
    assert {entry["enrolledFrom"] for entry in made["students"]} == {
        str(today() - timedelta(days=3))
    }


# Exports at random.

WORDS = [
    "Present",
    "absent",
    "late",
    "Excused",
    "OD",
    True,
    False,
    None,
    "",
    "sick",
    {"status": "p"},
]
NUMBERS = st.integers(101, 106)
MARKS = st.dictionaries(NUMBERS.map(lambda n: f"23/CS/{n}"), st.sampled_from(WORDS), max_size=6)
DAYS = st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n))
CLASSES = st.lists(
    st.tuples(
        st.sampled_from(["asha", "bilal", "nobody"]),
        st.lists(NUMBERS, max_size=4),
        st.lists(st.tuples(DAYS, MARKS), max_size=4),
    ),
    max_size=3,
)


def expected(sessions: dict[date, dict[str, Any]]) -> Counter[str]:
    """The marks by status, counted in another way than the import does."""
    meant = {"Present": "present", "OD": "excused", "Excused": "excused"}
    found: Counter[str] = Counter()
    for marks in sessions.values():
        for word in marks.values():
            if word is True or word == {"status": "p"}:
                found["present"] += 1
            elif word is False:
                found["absent"] += 1
            elif word in ("Present", "absent", "late", "Excused", "OD"):
                found[meant.get(word, word)] += 1
    return found


SHAPE = st.sampled_from(sorted(SHAPES))


def made_of(classes: list[Any]) -> tuple[Export, dict[str, tuple[str, int, Counter[str]]]]:
    """The export, and of each class by its path whose it is, its sessions and its marks."""
    content: Export = {"classes": {"odd": {"id": [], "name": {}}}, "attendance": {}}
    wanted = {}
    for place, (teacher, roster, taken) in enumerate(classes):
        key, sessions = f"d{place}", dict(taken)
        students = [student(number) for number in roster]
        content["classes"][key] = class_(
            f"C{place}", teacherEmail=f"{teacher}@{DOMAIN}", students=students
        )
        for day, marks in sessions.items():
            content["attendance"][f"{key}_{day}"] = attendance(key, day, marks)
        wanted[f"classes/{key}"] = (teacher, len(sessions), expected(sessions))
    return content, wanted


@examples(12)
@given(CLASSES, CLASSES, SHAPE)
async def test_whatever_an_export_holds_is_in_aims_and_a_second_run_changes_nothing(
    stage: Stage, classes: list[Any], newer: list[Any], shape: str
) -> None:
    content, wanted = made_of(classes)
    transaction = stage.connection.transaction()
    await transaction.start()
    try:
        for totals in (await run(stage, read(written(content, shape)))).classes:
            teacher, count, marks = wanted.pop(totals.path)
            assert (totals.exported_sessions, totals.exported) == (count, marks)
            if teacher != "nobody":
                assert (totals.stored_sessions, totals.stored) == (count, marks)
        assert not wanted
        before = await checksum(stage.connection)
        again = await run(stage, read(written(content, shape)))
        assert not (+again.made)
        assert not (+again.changed)
        assert await checksum(stage.connection) == before
        # Whatever a later export says, the totals agree but for what is given as a reason.
        await run(stage, read(written(made_of(newer)[0], shape)))
    finally:
        await transaction.rollback()
