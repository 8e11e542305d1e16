"""Reading Firestore exports: every shape, odd values, and files that are not exports."""

import json
import re
import tomllib
from collections import Counter
from datetime import UTC, date, datetime, time
from random import Random
from typing import Any

import pytest

from app.errors import AppError, Invalid
from app.files.firestore import export
from app.files.firestore.mapping import PACKAGED, read_mapping
from app.files.sources.reasons import REASONS
from tests.firestore_exports import (
    DOMAIN,
    ROOT,
    SHAPES,
    attendance,
    class_,
    everybody,
    left_out,
    read,
    student,
    written,
)
from tests.processes import ROOT as CHECKOUT

EXPORT = {
    "teachers": {"uid-7": {"uid": "uid-7", "email": f"bilal@{DOMAIN}", "name": "Bilal Demo"}},
    "classes": {
        "d1": class_(),
        "d2": class_("CS302", teacherEmail=None, teacherId="uid-7", section="", students=[]),
    },
    "attendance": {
        "d1_2025-08-04": attendance("d1", "2025-08-04", everybody("Present")),
        # Midnight of the sixth in Kolkata is still the fifth in UTC.
        "d1_2025-08-06": {
            **attendance("d1", "", everybody("absent")),
            "date": datetime(2025, 8, 5, 18, 30, tzinfo=UTC),
        },
        "d2_2025-08-05": attendance("d2", "05-08-2025", {"23/CS/104": "Late"}),
    },
    "logs": {"x": {"at": datetime(2025, 8, 5, tzinfo=UTC)}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_records(shape: str) -> None:
    records = read(written(EXPORT, shape))
    assert records.left_out == []
    assert records.read == {"classes": 2, "attendance": 3, "teachers": 1}
    assert records.ignored == {"logs": 1}
    one, two = records.classes
    assert (one.path, one.draft.code, one.draft.section) == ("classes/d1", "CS301", "A")
    assert (one.teacher, two.teacher) == (f"asha@{DOMAIN}", f"bilal@{DOMAIN}")
    assert two.draft.section == "-"
    assert [(s.day, s.start, s.end) for s in one.sessions] == [
        (date(2025, 8, 4), time(9), time(10)),
        (date(2025, 8, 6), time(9), time(10)),
    ]
    assert one.sessions[1].marks == dict.fromkeys(["23/cs/101", "23/cs/102", "23/cs/103"], "absent")
    assert [(s.day_of_week, s.start_time) for s in one.slots] == [(1, time(9)), (3, time(9))]
    assert one.students["23/cs/102"].name == "Student 102 Demo"
    assert two.rolls == {"23/cs/104": "23/CS/104"}


def test_classes_may_lie_below_their_teachers_and_attendance_below_classes() -> None:
    """Two teachers have documents of the same id, which mean different classes."""
    day = {"studentStatuses": everybody()}
    below = {
        f"uid-{name}": {
            "email": f"{name}@{DOMAIN}",
            "__collections__": {
                "classes": {
                    "CS301": {
                        **class_(teacherEmail=None),
                        "__collections__": {"attendance": {"2025-08-04": day}},
                    }
                },
                "attendance": {"x1": attendance("CS301", "2025-08-06", everybody())},
            },
        }
        for name in ("asha", "bilal")
    }
    records = read({"__collections__": {"teachers": below}})
    assert not records.left_out
    assert {(r.path, r.teacher, len(r.sessions)) for r in records.classes} == {
        (f"teachers/uid-{name}/classes/CS301", f"{name}@{DOMAIN}", 2) for name in ("asha", "bilal")
    }


def test_a_class_is_named_by_its_document_its_path_or_a_code_that_is_nobody_elses() -> None:
    names = ["d1", f"{ROOT}/classes/d1", "classes/d1", " d1 ", "CS302", "CS301", "CS999", 7, None]
    records = read(
        {
            "classes": {"d1": class_(), "d2": class_("CS302"), "d3": class_(section="B")},
            "attendance": {
                f"a{n}": attendance(name, f"2025-08-{n + 1:02}", everybody())  # type: ignore[arg-type]
                for n, name in enumerate(names)
            },
        }
    )
    assert [len(record.sessions) for record in records.classes] == [4, 1, 0]
    assert left_out(records) == {
        ("attendance/a5", "class_ambiguous"): 1,
        **{(f"attendance/a{n}", "class_unknown"): 1 for n in (6, 7, 8)},
    }
    assert sum(item.marks for item in records.left_out) == 4 * 3


def test_the_same_class_twice_in_a_list_is_told_apart_or_left_out() -> None:
    listed = [class_(), class_(section="B"), class_(section="B"), class_(teacherEmail="")]
    records = read({"classes": listed})
    assert left_out(records) == {("classes/CS301", "class_repeated"): 1}
    found = {record.identity: record.draft.section for record in records.classes}
    assert list(found.values()) == ["A", "B", "A"]
    # Whatever their order, so that a later export finds the same classes.
    turned = read({"classes": listed[::-1]}).classes
    assert {record.identity: record.draft.section for record in turned} == found


def test_what_belongs_to_a_class_that_was_left_out_is_left_out_with_it() -> None:
    day = attendance("odd", "2025-08-04", everybody())
    odd = {"id": [], "name": {}, "__collections__": {"attendance": {"2025-08-05": day}}}
    records = read({"classes": {"odd": odd}, "attendance": {"odd_2025-08-04": day}})
    assert left_out(records) == {
        ("classes/odd", "class_unreadable"): 1,
        ("attendance/odd_2025-08-04", "class_left_out"): 1,
        ("classes/odd/attendance/2025-08-05", "class_left_out"): 1,
    }


def test_practical_groups_of_one_course_become_sections() -> None:
    groups = {None: "Lecture", "1": "Practical", "2": "Practical"}
    records = read(
        {
            "classes": {
                f"d{group}": class_(practicalGroup=group, teacherType=kind)
                for group, kind in groups.items()
            }
        }
    )
    assert [record.draft.section for record in records.classes] == ["A", "A 1", "A 2"]
    assert left_out(records) == {
        ("classes/d1", "section_extended"): 1,
        ("classes/d2", "section_extended"): 1,
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "This is not JSON, from line 1, column 1 on. It seems to be truncated."),
        (b'{"classes": {"d1": {"id": "CS', "This is not JSON, from line 1, column 27 on. It seems"),
        (b"PK\x03\x04", "This is not JSON, from line 1, column 1 on."),
        (b"\xff\xfe\x00", "This is not JSON in UTF-8."),
        (b'{"a": ' + b"9" * 5000 + b"}", "This is not JSON in UTF-8."),
        (b"[" * 100_000, "It is nested too deeply."),
        (
            b'{"classes":{"a":{"__collections__":' * 150 + b"1" + b"}}}" * 150,
            "It is nested too deeply",
        ),
        (b'"classes"', "An export is a JSON object of collections."),
        (b'{"documents": [], "nextPageToken": "x"}', "The export is incomplete: its last page"),
        (
            b'{"courses": {"a": {}}}',
            "The export has no collection of classes that the mapping names",
        ),
    ],
)
def test_something_that_is_not_an_export_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(content)
    assert refused.value.detail.startswith(sentence)
    assert len(refused.value.detail) < 200


def test_an_export_that_is_too_large_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "MAX_BYTES", 2**20)
    with pytest.raises(AppError, match="larger than 1 MiB"):
        read(b"[" * (2**20 + 1))


def test_exports_in_utf_16_and_with_nan_are_read() -> None:
    """What a redirection in PowerShell, and a spreadsheet by way of Python, make of it."""
    content = json.dumps({"classes": {"d1": class_(practicalGroup=float("nan"))}})
    assert "NaN" in content
    assert read(content.encode("utf-16")).classes[0].draft.practical_group is None


JUNK: list[Any] = [
    *[None, True, 0, -1, 1e308, 10**400, "", " ", "\x00", "\ud800", "25:99", "x" * 300],
    *[[], {}, [[]], {"a": 1}, {"": None}, ["x", 1, None, {}], {"Monday": "9-10"}, {"fields": 1}],
    *[
        {"data": 1},
        {"documents": [{}]},
        {"mapValue": 1},
        {"integerValue": {}},
        {"timestampValue": 1},
    ],
    *[{"_seconds": 1e300, "_nanoseconds": 0}, {"__collections__": {"attendance": [1]}}],
    *[{"__datatype__": "timestamp", "value": 1}, {"subCollection": {"x": {"y": {}}}}, "2025-08-04"],
]


def spoilt(value: Any, random: Random) -> Any:
    """The export with something else in a place of it."""
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return random.choice(JUNK)
    key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
    copy = value.copy()
    copy[key] = spoilt(value[key], random)
    return copy


@pytest.mark.parametrize("shape", SHAPES)
def test_malformed_values_anywhere_lose_nothing_of_the_rest(shape: str) -> None:
    random = Random(f"spoil {shape}")
    for _ in range(150):
        content = json.loads(written(EXPORT, shape))
        for _ in range(random.choice([1, 1, 3])):
            content = spoilt(content, random)
        try:
            records = read(content)
        except AppError:
            continue
        assert {item.code for item in records.left_out} <= REASONS.keys()
        for record in records.classes:
            kept = Counter(len(session.marks) for session in record.sessions)
            lost = sum(difference.less.total() for difference in record.lost)
            assert record.exported.total() == sum(n * size for size, n in kept.items()) + lost


def test_another_mapping_reads_another_app() -> None:
    text = PACKAGED.read_text("utf-8")
    for ours, theirs in {
        'classes = ["classes", ': 'classes = ["courses", ',
        'students = ["students", ': 'students = ["people.enrolled", ',
        'present = ["present", ': 'present = ["hier", ',
        '1 = ["monday", ': '1 = ["lundi", ',
        '"%H.%M"]': '"%Hh%M"]',
    }.items():
        assert ours in text
        text = text.replace(ours, theirs)
    course = class_(
        students=None,
        people={"enrolled": [student(1)]},
        schedule={"Lundi": {"start": "9h00", "end": "10h00"}},
    )
    content = {
        "courses": {"d1": course},
        "attendance": {"d1_2025-08-04": attendance("d1", "2025-08-04", {"23/CS/001": "Hier"})},
    }
    records = read(content, read_mapping(text.encode()))
    assert not records.left_out
    (record,) = records.classes
    assert list(record.students) == ["23/cs/001"]
    assert (record.sessions[0].start, record.sessions[0].marks) == (
        time(9),
        {"23/cs/001": "present"},
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        ('project = ""', "project = 1", "project: Input should be a valid string."),
        ('project = ""', "", "project: Field required."),
        ('project = ""', 'project = ""\ncolour = 1', "colour: Extra inputs are not permitted."),
        ('project = ""', "project = ", "It is not TOML: "),
        ('"@parent"]', '"@mother"]', "class.teacher.7: This must be a field, or one of @id,"),
        ('"%H.%M"]', '"%q"]', "formats.times.6: Only these signs may be in it: %% %H %I"),
        ('without_section = "-"', 'without_section = ""', "class.without_section: "),
    ],
)
def test_a_wrong_mapping_is_said_with_its_place(ours: str, theirs: str, sentence: str) -> None:
    text = PACKAGED.read_text("utf-8")
    assert ours in text
    with pytest.raises(Invalid) as refused:
        read_mapping(text.replace(ours, theirs, 1).encode())
    assert refused.value.detail.startswith(f"The mapping cannot be used. {sentence}")
    with pytest.raises(Invalid, match="It is not UTF-8"):
        read_mapping(b"\xff\xff")


def test_the_page_explains_every_reason_and_every_part_of_the_mapping() -> None:
    page = (CHECKOUT / "docs" / "leaving-firebase.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(REASONS)
    assert all(
        f"`[{part}]`" in page
        for part in tomllib.loads(PACKAGED.read_text("utf-8"))
        if part not in ("project", "passed_over")
    )
