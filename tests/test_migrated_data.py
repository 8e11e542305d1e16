"""What migrations keep: all data, up, down and up again, and the functions servers call."""

import json
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from app.cli.database import configuration
from tests import test_migrations
from tests.test_migrations import ask, on

empty_url = test_migrations.empty_url

# One class at revision 0008: two students on leave, one of them absent by a photo; a student who
# was enrolled, left and came back; and a policy that was changed once.
FORMER = """
INSERT INTO users (email, name) VALUES ('gita@demo.university.example', 'Gita Demo');
INSERT INTO students (roll_no, roll_key) VALUES
    ('23/CS/101', '23/cs/101'), ('23/CS/102', '23/cs/102'), ('23/CS/103', '23/cs/103');
INSERT INTO classes (code, name, section, teacher_id) SELECT 'CS301', 'Systems', 'A', id FROM users;
INSERT INTO class_students (class_id, student_id, periods)
SELECT c.id, s.id, '{[2025-08-01,2025-10-01),[2025-11-01,)}' FROM classes c, students s;
INSERT INTO attendance_sessions (class_id, session_date, teacher_id)
SELECT id, '2025-08-11', teacher_id FROM classes;
INSERT INTO leaves (student_id, first_day, last_day, kind, status, requested_by, decided_by)
SELECT s.id, '2025-08-11', '2025-08-12', 'medical', 'approved', u.id, u.id FROM students s, users u;
INSERT INTO attendance_statuses (
    class_id, session_id, student_id, status, remark, source, leave_id, leave_kind, beneath,
    marked_by)
SELECT s.class_id, s.id, l.student_id, 'excused', 'Not seen.', 'leave', l.id, 'medical',
       CASE WHEN st.roll_no = '23/CS/101' THEN jsonb_build_object(
           'status', 'absent', 'recognizedByAi', true, 'similarityScore', 41.25,
           'remark', 'Blurred.', 'source', 'ai') END, s.teacher_id
FROM attendance_sessions s, leaves l JOIN students st ON st.id = l.student_id
WHERE st.roll_no <> '23/CS/103';
INSERT INTO audit_log (request_id, at, action, subject, subject_id, details)
SELECT 'request', at::timestamptz, action, 'student', s.id,
       days || jsonb_build_object('classId', c.id)
FROM classes c, students s, (VALUES
    ('2025-08-01 09:00Z', 'student_enrolled', '{"firstDay": "2025-08-01"}'::jsonb),
    ('2025-10-01 09:00Z', 'student_withdrawn',
     '{"firstDay": "2025-08-01", "lastDay": "2025-09-30"}'),
    ('2025-11-01 09:00Z', 'student_enrolled', '{"firstDay": "2025-11-01"}')
) acts(at, action, days)
WHERE s.roll_no = '23/CS/103';
INSERT INTO audit_log (request_id, at, action, subject, subject_id, details)
VALUES ('request', '2025-09-01 09:00Z', 'policy_changed', 'policy', gen_random_uuid(),
        '{"threshold": 8000, "lateWeight": 50, "excused": "excluded", "onDuty": "present",
          "minimumSessions": 3}');
"""

MARKS = """
SELECT row_to_json(m)::text FROM (
    SELECT roll_no, m.status, m.remark, source, leave_kind, {} FROM attendance_statuses m
    JOIN students s ON s.id = m.student_id) m
ORDER BY roll_no
"""
BENEATH = MARKS.format("beneath")
SAID = MARKS.format("said_status, said_score, said_remark, said_source")
PERIODS = "SELECT periods::text FROM enrolment_events ORDER BY since"
POLICIES = "SELECT threshold || ' ' || excused FROM policies ORDER BY since"


def said(url: str) -> list[Any]:
    """The contents of the current tables."""
    return [[json.loads(mark) for mark in ask(url, SAID)], ask(url, PERIODS), ask(url, POLICIES)]


def test_hidden_marks_enrolments_and_policies_survive_up_down_and_up(empty_url: str) -> None:
    command.upgrade(configuration(empty_url), "0008")
    on(empty_url, lambda connection: connection.execute(FORMER))
    before = ask(empty_url, BENEATH)
    command.upgrade(configuration(empty_url), "head")
    shown = {"status": "excused", "remark": "Not seen.", "source": "leave", "leave_kind": "medical"}
    absent = {"said_status": "absent", "said_score": 41.25}
    expected = [
        [
            {"roll_no": "23/CS/101", **shown}
            | {**absent, "said_remark": "Blurred.", "said_source": "ai"},
            {"roll_no": "23/CS/102", **shown}
            | dict.fromkeys(("said_status", "said_score", "said_remark", "said_source")),
        ],
        [
            "{[2025-08-01,)}",
            "{[2025-08-01,2025-10-01)}",
            "{[2025-08-01,2025-10-01),[2025-11-01,)}",
        ],
        ["7500 absent", "8000 excluded"],
    ]
    assert said(empty_url) == expected
    command.downgrade(configuration(empty_url), "0008")
    assert ask(empty_url, BENEATH) == before
    command.upgrade(configuration(empty_url), "head")
    assert said(empty_url) == expected


FUNCTIONS = """
SELECT format('%s %s', oid::regprocedure, prosrc) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
"""


def test_an_upgrade_keeps_every_function_that_servers_of_the_previous_version_call(
    empty_url: str,
) -> None:
    """Old and new servers run side by side during an upgrade: changed functions get new names."""
    scripts = ScriptDirectory.from_config(configuration(""))
    before: set[str] = set()
    for revision in reversed(list(scripts.walk_revisions())):
        command.upgrade(configuration(empty_url), revision.revision)
        after = set(ask(empty_url, FUNCTIONS))
        assert before <= after, revision.revision
        before = after
    assert before


ALIKE = """
INSERT INTO students (roll_no, roll_key) VALUES
    ('23/CS/101', '23/cs/101'), ('２３/ＣＳ/１０１', '２３/ｃｓ/１０１'), ('23∕CS∕102', '23∕cs∕102')
"""
KEYS = 'SELECT roll_key FROM students ORDER BY roll_no COLLATE "C"'


def test_roll_numbers_that_look_alike_get_one_key_unless_two_students_have_them(
    empty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command.upgrade(configuration(empty_url), "0010")
    on(empty_url, lambda connection: connection.execute(ALIKE))
    before = ask(empty_url, KEYS)
    capsys.readouterr()
    command.upgrade(configuration(empty_url), "0011")
    assert ask(empty_url, KEYS) == ["23/cs/101", "23/cs/102", "２３/ｃｓ/１０１"]
    said = capsys.readouterr().out
    assert said.count("looks like another student's") == 1
    assert "１０１" not in said
    command.downgrade(configuration(empty_url), "0010")
    assert ask(empty_url, KEYS) == before


ASKED_BY_A_STUDENT = """
INSERT INTO users (email, name) VALUES ('gita@demo.university.example', 'Gita Demo');
INSERT INTO students (roll_no, roll_key) VALUES ('23/CS/101', '23/cs/101');
INSERT INTO classes (code, name, section, teacher_id) SELECT 'CS301', 'Systems', 'A', id FROM users;
INSERT INTO leaves (student_id, class_id, first_day, last_day, kind, status)
SELECT s.id, c.id, '2025-08-11', '2025-08-12', 'medical', c.status
FROM students s, (SELECT id, 'pending' AS status FROM classes UNION ALL SELECT NULL, 'rejected') c;
"""
ASKED = "SELECT count(*) || ' ' || (requested_by IS NULL) FROM leaves GROUP BY requested_by"


def test_leave_that_students_asked_for_is_kept_without_students(empty_url: str) -> None:
    command.upgrade(configuration(empty_url), "0014")
    on(empty_url, lambda connection: connection.execute(ASKED_BY_A_STUDENT))
    assert ask(empty_url, ASKED) == ["2 true"]
    before = ask(empty_url, "SELECT status FROM leaves ORDER BY status")
    command.downgrade(configuration(empty_url), "-1")
    assert ask(empty_url, ASKED) == ["2 false"]
    command.upgrade(configuration(empty_url), "head")
    assert ask(empty_url, "SELECT status FROM leaves ORDER BY status") == before


ADDRESSES = """
INSERT INTO students (roll_no, roll_key, dtu_email) VALUES
    ('23/CS/101', '23/cs/101', 'Kiran@students.demo.university.example'),
    ('23/CS/102', '23/cs/102', 'second@students.demo.university.example'),
    ('23/CS/103', '23/cs/103', NULL);
INSERT INTO student_accounts (student_id, issuer, subject, email)
SELECT id, 'https://accounts.google.com', roll_key, 'kiran@students.demo.university.example'
FROM students WHERE roll_no = '23/CS/101';
"""
CONFIRMED = "SELECT roll_no || ' ' || confirmed_email FROM students WHERE confirmed_email <> ''"


def test_who_has_signed_in_as_a_student_goes_on_to_and_nobody_else(empty_url: str) -> None:
    command.upgrade(configuration(empty_url), "0015")
    on(empty_url, lambda connection: connection.execute(ADDRESSES))
    command.upgrade(configuration(empty_url), "0016")
    assert ask(empty_url, CONFIRMED) == ["23/CS/101 Kiran@students.demo.university.example"]
