"""The contents of an export's documents: dates, times, timetables, students, marks."""

from collections import Counter
from datetime import date, time
from typing import Any

import pytest

from app.files.firestore.values import Reader
from tests.classroom import day
from tests.firestore_exports import (
    DOMAIN,
    OURS,
    ROOT,
    ZONE,
    attendance,
    class_,
    everybody,
    left_out,
    read,
    student,
)


def marks(statuses: Any) -> dict[str, str]:
    """What a map of statuses becomes."""
    (record,) = read(
        {
            "classes": {"d1": class_()},
            "attendance": {"d1_2025-08-04": attendance("d1", "2025-08-04", statuses)},
        }
    ).classes
    return record.sessions[0].marks


def test_statuses_are_words_numbers_booleans_maps_or_lists() -> None:
    assert marks(
        {"1": "PRESENT ", "2": "a", "3": False, "4": 1, "5": {"status": "Late"}, "6": "OD"}
    ) == {
        "1": "present",
        "2": "absent",
        "3": "absent",
        "4": "present",
        "5": "late",
        "6": "on_duty",
    }
    assert marks([{"rno": "1", "status": "p"}, {"rno": 2, "status": "E"}]) == {
        "1": "present",
        "2": "excused",
    }
    assert marks({"1": "", "2": None, "3": "Unmarked"}) == {}


def test_impossible_marks_are_counted() -> None:
    statuses = {"1": "p", " 1 ": "a", "2": "sick", "": "l", "3\x00": "p", "4": ["x"]}
    records = read(
        {
            "classes": {"d1": class_(students=[])},
            "attendance": {"d1_2025-08-04": attendance("d1", "2025-08-04", statuses)},
        }
    )
    (record,) = records.classes
    assert record.exported == {"present": 2, "absent": 1, "late": 1}
    assert record.sessions[0].marks == {"1": "present"}
    path = "attendance/d1_2025-08-04"
    assert left_out(records) == {
        (path, "roll_repeated"): 1,
        (path, "status_unknown"): 2,
        (path, "roll_refused"): 2,
    }
    lost = sum((difference.less for difference in record.lost), Counter())
    assert record.exported - lost == {"present": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[
            (text, date(2025, 8, 4))
            for text in ("2025-08-04", "04-08-2025", "4/8/2025", "4.8.2025")
        ],
        ("4 Aug 2025", date(2025, 8, 4)),
        ("2025-08-04T00:00:00.000", date(2025, 8, 4)),
        ("2025-08-04 00:00:00.000", date(2025, 8, 4)),
        ("2025-08-04T20:00:00Z", date(2025, 8, 5)),
        (1754332200000, date(2025, 8, 5)),
        (1754332200, date(2025, 8, 5)),
        *[(odd, None) for odd in ("08/31/2025", "2025-02-30", "soon", "", True, [], {}, 10**400)],
        *[(odd, None) for odd in (1e999, -(10**30), "9" * 5000)],
    ],
)
def test_dates_are_read_as_they_are_meant(value: Any, expected: date | None) -> None:
    assert Reader(ZONE, OURS.formats.dates, []).date_of(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(text, time(9)) for text in ("09:00", "9:00", "9:00 AM", "9:00\u202fam", "9 a.m.")],
        *[(text, time(14, 5)) for text in ("14:05", "2:05 PM", "02:05pm", "TimeOfDay(14:05)")],
        ("14:05:33", time(14, 5)),
        ({"hour": 14, "minute": 5}, time(14, 5)),
        ("2025-08-04T08:35:00Z", time(14, 5)),
        *[
            (odd, None)
            for odd in ("24:00", "9:60", "nine", "", True, [], {"hour": "x", "minute": 1})
        ],
    ],
)
def test_times_are_read_as_they_are_meant(value: Any, expected: time | None) -> None:
    assert Reader(ZONE, [], OURS.formats.times).time_of(value) == expected


def test_a_timetable_is_a_map_or_a_list_and_bad_slots_are_left_out() -> None:
    schedule = {
        "monday": [{"start": "09:00", "end": "10:00"}, {"startTime": "14:00", "endTime": "15:00"}],
        "Tue": "9:00 AM - 10:30 AM",
        "Wednesday": {"start": "", "end": ""},
        "Thursday": None,
        "Friday": {"start": "10:00", "end": "09:00"},
        "Someday": {"start": "09:00", "end": "10:00"},
        "1": {"start": "09:30", "end": "10:30"},
    }
    records = read({"classes": {"d1": class_(schedule=schedule)}})
    assert [(s.day_of_week, s.start_time, s.end_time) for s in records.classes[0].slots] == [
        (1, time(9), time(10)),
        (1, time(14), time(15)),
        (2, time(9), time(10, 30)),
    ]
    assert left_out(records) == {
        ("classes/d1", "slot_unreadable"): 2,
        ("classes/d1", "slot_overlaps"): 1,
    }
    listed = [{"day": "Monday", "start": "09:00", "end": "10:00"}, {"dayOfWeek": 5}]
    assert len(read({"classes": {"d1": class_(schedule=listed)}}).classes[0].slots) == 1
    assert left_out(read({"classes": {"d1": class_(schedule="Monday")}})) == {
        ("classes/d1", "field_refused"): 1
    }


def moved(original: str, to: str, start: str = "15:00", end: str = "16:00") -> dict[str, str]:
    times = {"rescheduledStartTime": start, "rescheduledEndTime": end}
    return {"originalDate": original, "rescheduledDate": to, **times}


def test_moves_are_in_the_class_or_in_documents_and_sessions_follow_them() -> None:
    moves = [
        moved("2025-08-06", "2025-08-07"),
        moved("2025-08-05", "2025-08-07"),  # a Tuesday without a class
        moved("2025-08-13", "2025-08-11", "09:30", "10:30"),  # onto Monday's own slot
        moved("soon", "2025-08-07"),
    ]
    records = read(
        {
            "classes": {"d1": class_(reschedules=moves)},
            "reschedules": {
                "r1": {"classId": "d1", "reason": "A fest.", **moved("11-08-2025", "12-08-2025")},
                "r2": {"classId": "d9", **moved("2025-08-18", "2025-08-19")},
            },
            "attendance": {
                f"d1_{day}": attendance("d1", day, everybody())
                for day in ("2025-08-06", "2025-08-07", "2025-08-12", "2025-08-13")
            },
        }
    )
    (record,) = records.classes
    assert [(m.original_date.day, m.new_date.day, m.reason) for m in record.moves] == [
        (6, 7, None),
        (11, 12, "A fest."),
    ]
    assert [(s.day.day, s.start) for s in record.sessions] == [
        *[(6, None), (7, time(15)), (12, time(15)), (13, time(9))],
    ]
    assert left_out(records) == {
        ("classes/d1", "move_of_nothing"): 1,
        ("classes/d1", "slot_overlaps"): 1,
        ("classes/d1", "move_unreadable"): 1,
        ("reschedules/r2", "class_unknown"): 1,
    }


def test_of_a_student_what_cannot_be_stored_is_left_out_and_the_rest_stays() -> None:
    students = [
        student(1, semester=5, photoUrl="https://photos.example/" + "x" * 300, phone=9000000000),
        student(2, name=["Two"], email="a\x00b"),
        {"name": "Nobody"},
        student(1, name="Again"),
        "23/CS/003",
        None,
    ]
    records = read({"classes": {"d1": class_(students=students)}})
    one, two, three = records.classes[0].students.values()
    assert (one.semester, one.phone, one.photo_url) == ("5", "9000000000", None)
    assert (two.name, two.email, three.roll_no) == (None, None, "23/CS/003")
    path = "classes/d1"
    assert left_out(records) == {
        (path, "field_refused"): 3,
        (path, "roll_refused"): 2,
        (path, "roll_repeated"): 1,
    }
    keyed = read({"classes": {"d1": class_(students={"23/CS/9": {"name": "Nine"}})}})
    assert keyed.classes[0].students["23/cs/9"].name == "Nine"


def test_impossible_sessions_are_left_out_with_their_marks_counted() -> None:
    records = read(
        {
            "classes": {"d1": class_()},
            "attendance": {
                "d1_2025-08-04": attendance("d1", "2025-08-04", everybody()),
                "again": attendance("d1", "04/08/2025", everybody("absent")),
                "timed": attendance(
                    "d1", "2025-08-04", everybody(), startTime="11:00", endTime="12:00"
                ),
                "d1_soon": attendance("d1", "soon", everybody()),
                "old": attendance("d1", "1970-01-20", everybody()),
                "ahead": attendance("d1", day(2), everybody()),
                "odd": attendance("d1", "2025-08-05", "everybody"),
                "photo": attendance(
                    "d1", "2025-08-11", everybody(), processedImagePath="gs://x/y.jpg"
                ),
                "d1_2025-08-13": {
                    "studentStatuses": everybody(),
                    "processedImagePath": "/data/1.jpg",
                },
            },
        }
    )
    (record,) = records.classes
    assert [(s.path[11:], s.start, s.image) for s in record.sessions] == [
        ("d1_2025-08-04", time(9), None),
        ("timed", time(11), None),
        ("photo", time(9), None),
        ("d1_2025-08-13", time(9), "/data/1.jpg"),
    ]
    assert {item.path[11:]: (item.code, item.marks) for item in records.left_out} == {
        "again": ("session_repeated", 3),
        "d1_soon": ("date_unreadable", 3),
        **dict.fromkeys(("old", "ahead"), ("date_out_of_range", 3)),
        "odd": ("marks_unreadable", 0),
        "photo": ("image_refused", 0),
    }
    assert (record.exported_sessions, record.exported.total()) == (9, 24)
    assert sum(difference.sessions for difference in record.lost) == 5


def test_a_teacher_is_an_address_or_the_id_of_a_document_that_has_one() -> None:
    named = [
        "uid-1",
        "teachers/doc-2",
        f"{ROOT}/teachers/doc-2",
        f"Asha@{DOMAIN}",
        "uid-3",
        "Asha",
        "",
    ]
    records = read(
        {
            "teachers": {
                "doc-1": {"uid": "uid-1", "email": f"one@{DOMAIN}"},
                "doc-2": {"email": f" two@{DOMAIN} ", "name": "Two\x00"},
                "doc-3": {"uid": "uid-3", "email": "nowhere"},
            },
            "classes": {
                f"d{n}": class_(f"C{n}", teacherEmail=None, teacherId=name)
                for n, name in enumerate(named)
            },
        }
    )
    assert [record.teacher or record.teacher_problem for record in records.classes] == [
        *[f"one@{DOMAIN}", f"two@{DOMAIN}", f"two@{DOMAIN}", f"Asha@{DOMAIN}"],
        *["teacher_unknown", "teacher_unknown", "teacher_missing"],
    ]
    assert [(teacher.email, teacher.name) for teacher in records.teachers] == [
        (f"one@{DOMAIN}", None),
        (f"two@{DOMAIN}", None),
    ]
