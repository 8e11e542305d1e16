"""`aims student`: everything about one person is given or erased, and what counts stays true."""

import asyncio
import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import LargeBinary, String
from sqlalchemy.dialects.postgresql import JSONB

from app.models import Base
from tests.command_line import Aims
from tests.conftest import copy_of
from tests.soundness import department, department_name, digest_of

__all__ = ["department", "department_name"]  # fixtures, used by their names

NAME, PHONE = "Zarina Q. Demo", "+91 55555 01234"
PHOTO, EMAIL = "https://photos.demo.university.example/zarina.jpg", "zarina@home.example"
# A student with medical leave, whose record, marks, leave and questions, and many other places,
# hold what is personal.
PREPARE = f"""
CREATE TEMP TABLE who AS
SELECT s.id, s.roll_no, s.dtu_email, m.class_id, m.session_id FROM students s
JOIN attendance_statuses m ON m.student_id = s.id
JOIN leaves l ON l.id = m.leave_id
ORDER BY l.kind = 'medical' DESC, s.roll_key LIMIT 1;
UPDATE students SET name = '{NAME}', phone = '{PHONE}', photo_url = '{PHOTO}', email = '{EMAIL}',
    program = 'Zoology', sp_code = 'ZQ', semester = '5', status = 'regular', duration = '4'
WHERE id = (SELECT id FROM who);
INSERT INTO student_accounts (student_id, issuer, subject, email)
SELECT id, 'https://accounts.google.com', 'subject-of-zarina', '{EMAIL}' FROM who
ON CONFLICT (student_id) DO UPDATE SET subject = 'subject-of-zarina', email = '{EMAIL}';
UPDATE leaves SET note = 'Zarina had a fever', kind = 'medical'
WHERE student_id = (SELECT id FROM who);
UPDATE attendance_statuses SET leave_kind = 'medical'
WHERE student_id = (SELECT id FROM who) AND leave_id IS NOT NULL;
UPDATE attendance_statuses SET remark = 'Zarina came', similarity_score = 7.13
WHERE student_id = (SELECT id FROM who) AND leave_id IS NULL;
INSERT INTO leaves (student_id, first_day, last_day, kind, note)
SELECT id, '2030-01-01', '2030-01-02', 'medical', 'Zarina asks' FROM who;
INSERT INTO mark_questions (class_id, session_id, student_id, text, said, status, answer)
SELECT class_id, session_id, id, 'I, Zarina, was there', 'absent', 'declined', 'No, Zarina'
FROM who;
INSERT INTO mark_questions (class_id, session_id, student_id, text, said)
SELECT class_id, session_id, id, 'Zarina asks again', 'absent' FROM who;
UPDATE attendance_batches b SET reason = 'Asked by {NAME.upper()}, please' FROM who
WHERE b.session_id = who.session_id;
UPDATE attendance_sessions s SET status_reason = 'see ' || who.roll_no || '.' FROM who
WHERE s.id = who.session_id;
UPDATE attendance_statuses m SET remark = 'sat beside {NAME}' FROM who
WHERE m.session_id = who.session_id AND m.student_id <> who.id AND m.leave_id IS NULL;
INSERT INTO import_runs (created_by, kind, file_name, content, options, asked, state, request_id,
                         result, rows, finished_at)
SELECT u.id, 'students', 'rows of {NAME}.csv', NULL, '{{"reason": "for {NAME}"}}', 'import', 'done',
       'r', '{{"notes": []}}', json_build_array(
           json_build_object('row', 2, 'about', who.roll_no, 'outcome', 'created'),
           json_build_object('row', 3, 'about', '{EMAIL}', 'outcome', 'created'),
           json_build_object('row', 4, 'about', '99/XX/999', 'outcome', 'created')), now()
FROM who, (SELECT id FROM users LIMIT 1) u;
INSERT INTO import_runs (created_by, kind, content, options, asked, state, request_id)
SELECT u.id, 'students', convert_to('{NAME}', 'UTF8'), '{{}}', 'preview', 'previewed', 'r'
FROM (SELECT id FROM users LIMIT 1) u;
"""
STATISTICS = """
SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (
    SELECT class_id, student_id, present, absent, late, excused, total, percentage, counted,
           attended, standing, absent_in_a_row, unmarked, enrolled FROM v_enrolment_attendance
) t"""


async def connected(url: str, work: Any) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await work(connection)
    finally:
        await connection.close()


@pytest.fixture
def zarina(department: Aims) -> dict[str, str]:
    """Her id, roll number and address in the department."""

    async def work(connection: asyncpg.Connection) -> dict[str, str]:
        await connection.execute(PREPARE)
        row = await connection.fetchrow("SELECT id::text, roll_no, dtu_email FROM who")
        return dict(row)

    found: dict[str, str] = asyncio.run(connected(department.database_url, work))
    return found


def places_of(url: str, values: list[str]) -> list[str]:
    """Where in the database any of the values is, in whatever column."""

    async def work(connection: asyncpg.Connection) -> list[str]:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname='public'")
        found = []
        for (table,) in tables:
            rows = await connection.fetch(f"SELECT t::text AS line FROM {table} t")
            hay = "\n".join(row["line"].lower() for row in rows)
            hexed = [value.encode().hex() for value in values]  # of files
            found += [f"{table}: {v}" for v in [*values, *hexed] if v.lower() in hay]
        return found

    places: list[str] = asyncio.run(connected(url, work))
    return places


def values_of(zarina: dict[str, str]) -> list[str]:
    named = [NAME, PHONE, PHOTO, EMAIL, zarina["roll_no"], "Zarina", "Zoology", ",7.13,"]
    return [*named, "subject-of-zarina", *filter(None, [zarina["dtu_email"]])]


def test_everything_personal_is_gone_and_what_counts_is_as_before(
    department: Aims, zarina: dict[str, str], tmp_path: Path
) -> None:
    assert len(places_of(department.database_url, values_of(zarina))) > 10
    statistics = department.rows(STATISTICS)
    said = department.must(f"student erase {zarina['roll_no']} --reason 'File 12' --yes")
    assert said.startswith("This would erase the record's roll number, name")
    assert f"Erased. {tmp_path}/erasures.jsonl lists it" in said
    assert places_of(department.database_url, values_of(zarina)) == []
    assert department.rows(STATISTICS) == statistics
    assert department.must("verify").endswith("Everything agrees.\n")
    health = f"SELECT FROM leaves WHERE student_id = '{zarina['id']}' AND kind = 'medical'"
    assert department.rows(health) == []
    (kept,) = department.rows("SELECT rows::text FROM import_runs WHERE state = 'done'")
    assert "99/XX/999" in kept[0]
    assert '"row": 2' in kept[0]
    open_ = f"SELECT status FROM mark_questions WHERE student_id = '{zarina['id']}'"
    assert sorted(department.rows(open_)) == [("declined",), ("withdrawn",)]
    log = "SELECT request_id, subject_id::text FROM audit_log WHERE action = 'student_erased'"
    assert department.rows(log) == [("command line", zarina["id"])]
    assert "no student with that roll number" in department.refuse(
        f"student export {zarina['roll_no']}"
    )


def test_erasing_asks_and_says_what_it_would_do(
    department: Aims, zarina: dict[str, str], tmp_path: Path
) -> None:
    before = digest_of(department.database_url)
    department.patch.setattr(sys, "stdin", io.StringIO("n\n"))
    said = department.refuse(f"student erase {zarina['roll_no']} --reason 'File 12'")
    assert "questions: 2" in said
    assert "whomever they name: 1." in said
    assert digest_of(department.database_url) == before
    assert not (tmp_path / "erasures.jsonl").exists()


@pytest.mark.parametrize("reason", ["''", "' '", f"'{'x' * 256}'"])
def test_erasing_needs_a_reason(department: Aims, zarina: dict[str, str], reason: str) -> None:
    before = digest_of(department.database_url)
    said = department.refuse(f"student erase {zarina['roll_no']} --reason {reason} --yes")
    assert said == "aims: give a reason of at most 255 characters.\n"
    assert digest_of(department.database_url) == before


def test_nothing_is_erased_that_cannot_be_listed(
    department: Aims, zarina: dict[str, str], tmp_path: Path
) -> None:
    before = digest_of(department.database_url)
    line = f"student erase {zarina['roll_no']} --reason x --yes --erasures {tmp_path}/no/list"
    assert "cannot be written: No such file" in department.refuse(line)
    assert digest_of(department.database_url) == before


def test_the_servers_role_erases_nobody(department: Aims, zarina: dict[str, str]) -> None:
    department.set(DATABASE_URL=f"{department.database_url}&role=aims_app")
    before = digest_of(department.database_url)
    said = department.refuse(f"student erase {zarina['roll_no']} --reason x --yes")
    assert "erase as the owner of the tables" in said
    assert digest_of(department.database_url) == before


@pytest.fixture
def empty(server_url: str, worker_id: str) -> str:
    return asyncio.run(copy_of(server_url, "template0", f"aims_empty_{worker_id}"))


def test_a_restored_backup_erases_them_again_although_the_old_database_is_gone(
    department: Aims, zarina: dict[str, str], empty: str, tmp_path: Path
) -> None:
    department.must(f"backup {tmp_path}/before.aims")
    department.must(f"student erase {zarina['roll_no']} --reason 'File 12' --yes")
    listed = (tmp_path / "erasures.jsonl").read_text()
    assert stat.S_IMODE((tmp_path / "erasures.jsonl").stat().st_mode) == 0o600
    assert json.loads(listed)["student_id"] == zarina["id"]
    assert department.must("student erasures") == listed
    department.set(DATABASE_URL=empty)
    said = department.must(f"restore {tmp_path}/before.aims")
    assert "Records that were erased again: 1." in said
    assert said.endswith("Everything agrees.\n")
    assert places_of(empty, values_of(zarina)) == []
    assert department.must("student erasures") == listed
    assert department.must("student erase-again erasures.jsonl").endswith("again: 0.\n")


def test_without_a_list_the_restore_says_what_to_do(
    department: Aims, zarina: dict[str, str], empty: str, tmp_path: Path
) -> None:
    department.must(f"backup {tmp_path}/before.aims")
    department.must(f"student erase {zarina['roll_no']} --reason 'File 12' --yes")
    (tmp_path / "erasures.jsonl").rename(tmp_path / "elsewhere")
    department.set(DATABASE_URL=empty)
    assert "There is no erasures.jsonl." in department.must(f"restore {tmp_path}/before.aims")
    assert places_of(empty, [NAME])
    assert department.must("student erase-again elsewhere").endswith("again: 1.\n")
    assert places_of(empty, values_of(zarina)) == []


def test_a_list_that_is_something_else_is_refused(aims: Aims, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("roll no,name\n")
    assert "is not a list of erasures" in aims.refuse("student erase-again list")
    assert "cannot be read: No such file" in aims.refuse("student erase-again nothing")


def test_records_that_were_merged_are_erased_in_older_backups_too(
    department: Aims, zarina: dict[str, str], empty: str, tmp_path: Path
) -> None:
    """Before the merge the other record had the same person's data."""
    other = "INSERT INTO students (roll_no, roll_key, name) VALUES ('ZQ-1', 'zq-1', 'Zarina Q.')"
    ((id_,),) = department.rows(f"{other} RETURNING id::text")
    department.must(f"backup {tmp_path}/before.aims")
    department.rows(
        "INSERT INTO audit_log (request_id, action, subject, subject_id, details) VALUES"
        f" ('r', 'students_merged', 'student', '{zarina['id']}',"
        f' \'{{"other": "{id_}"}}\')'
    )
    department.rows(f"DELETE FROM students WHERE id = '{id_}'")
    department.must(f"student erase {zarina['roll_no']} --reason 'File 12' --yes")
    department.set(DATABASE_URL=empty)
    assert "erased again: 2." in department.must(f"restore {tmp_path}/before.aims")
    assert places_of(empty, ["Zarina", "ZQ-1"]) == []


def test_an_export_has_all_that_is_kept_about_the_student(
    department: Aims, zarina: dict[str, str]
) -> None:
    document = json.loads(department.must(f"student export {zarina['roll_no'].lower()}"))
    parts = document.keys() - {"format", "madeAt", "about"}
    assert document["format"] == "aims-student-1"
    assert document["about"].keys() == parts
    assert document["student"]["name"] == NAME
    for part, table in {
        "accounts": "student_accounts",
        "classes": "class_students",
        "enrolmentHistory": "enrolment_events",
        "marks": "attendance_statuses",
        "formerMarks": "superseded_statuses",
        "leaves": "leaves",
        "questions": "mark_questions",
    }.items():
        count = f"SELECT count(*) FROM {table} WHERE student_id = '{zarina['id']}'"
        assert [(len(document[part]),)] == department.rows(count), part
    assert {entry["place"] for entry in document["mentions"]} == {
        "attendance_batches.reason",
        "attendance_sessions.status_reason",
        "attendance_statuses.remark",
    }
    assert [entry["row"]["row"] for entry in document["imports"]] == [2, 3]
    text = json.dumps(document)
    others = department.rows(f"SELECT name, roll_no FROM students WHERE id <> '{zarina['id']}'")
    assert not [name for name, _ in others if name and f'"{name}"' in text]


def test_an_export_of_nobody_is_refused(department: Aims) -> None:
    assert department.refuse("student export 00/XX/000") == (
        "aims: There is no student with that roll number.\n"
    )


def test_the_export_and_erasure_know_every_column_that_may_hold_text() -> None:
    """A new table or column has to be thought of here: what of it is about students?"""
    free = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, (String, JSONB, LargeBinary)) and table.name not in OF_OTHERS
    }
    assert free == THOUGHT_OF


# Of staff, classes and the calendar.
OF_OTHERS = {
    *("allowed_emails", "users", "terms", "holidays", "policy", "policies", "classes"),
    *("class_teachers",),
}
RECORD = "roll_no roll_key name photo_url program sp_code semester status duration email dtu_email"
ACCOUNT, MARK = "issuer subject email", "status remark source leave_kind said_status said_remark"
COLUMNS = {
    "students": f"{RECORD} confirmed_email phone",
    "student_accounts": ACCOUNT,
    "attendance_statuses": f"{MARK} said_source",
    "superseded_statuses": f"{MARK} said_source",
    "attendance_sessions": "processed_image_url status status_reason",
    "session_events": "status reason request_id",
    "attendance_batches": "request_id reason",
    "class_reschedules": "reason",
    "enrolment_events": "request_id",
    "leaves": "kind note status",
    "mark_questions": "text said status answer",
    "import_runs": "kind file_name content options asked state request_id result rows code detail",
    "audit_log": "request_id action subject details",  # ids only
    "erasures": "reason",
}
THOUGHT_OF = {f"{table}.{name}" for table, names in COLUMNS.items() for name in names.split()}
