"""The commands: the small ones of `aims`, and those of the seed's README as processes."""

import stat
from pathlib import Path

import jwt
import pytest
from dotenv import dotenv_values

from app.cli.people import read_file
from app.config import ConfigError, load_settings
from app.services.health import newest_revision
from tests.command_line import Aims
from tests.conftest import NEEDED
from tests.processes import Checkout

ASHA = "asha@demo.university.example"
BILAL = "bilal@demo.university.example"
MEERA = "meera@demo.university.example"


@pytest.fixture
def installed(checkout: Checkout, own_database_url: str) -> Checkout:
    """The checkout with a database and no other setting, since these commands need no more."""
    return checkout.having(DATABASE_URL=own_database_url)


def allowed(aims: Aims) -> list[tuple[str, ...]]:
    """The allow-list: addresses with role and name."""
    return aims.rows("SELECT email, role, name FROM allowed_emails ORDER BY email")


def test_an_address_is_allowed_changed_and_taken_off(aims: Aims) -> None:
    said = aims.must(f"allow {ASHA} --role teacher --name 'Asha Demo'")
    assert said == f"{ASHA} may sign in as teacher.\n"
    assert allowed(aims) == [(ASHA, "teacher", "Asha Demo")]
    aims.must(f"allow {ASHA.upper()} --role admin")
    assert allowed(aims) == [(ASHA, "admin", "Asha Demo")]
    aims.must(f"allow {MEERA} --role admin")
    assert "may no longer sign in" in aims.must(f"disallow {ASHA.title()}")
    assert allowed(aims) == [(MEERA, "admin", None)]
    assert "was not on the allow-list" in aims.must(f"disallow {ASHA}")


def test_an_address_is_put_on_the_list_without_the_space_around_it(aims: Aims) -> None:
    aims.must("allow '\tasha@x.edu\n' --name ' Asha '")
    assert "may no longer" in aims.must("disallow asha@x.edu")


@pytest.mark.parametrize("name", ["Asha\nDemo", "A" * 201, "\udcff"])
def test_an_invalid_name_is_one_sentence(aims: Aims, name: str) -> None:
    said = aims.refuse(f"allow asha@x.edu --name '{name}'")
    assert said.startswith("aims: A name has at most 200 characters")


def test_the_last_admin_cannot_be_removed(aims: Aims) -> None:
    aims.rows(f"INSERT INTO allowed_emails (email, role) VALUES ('{MEERA}', 'admin')")
    sentence = "aims: At least one administrator has to remain.\n"
    assert aims.refuse(f"disallow {MEERA}") == sentence
    assert aims.refuse(f"allow {MEERA} --role teacher") == sentence
    assert allowed(aims) == [(MEERA, "admin", None)]


def test_a_file_puts_all_its_addresses_on_the_list(aims: Aims, tmp_path: Path) -> None:
    file = tmp_path / "faculty.csv"
    file.write_text(f"email,name,role\r\n{ASHA},Äsha Demo, Admin \r\n{BILAL},,\r\n", "utf-8-sig")
    assert aims.must(f"allow --file {file}") == "2 addresses may sign in.\n"
    assert allowed(aims) == [(ASHA, "admin", "Äsha Demo"), (BILAL, "teacher", None)]


def test_a_file_with_a_bad_row_changes_nothing(aims: Aims, tmp_path: Path) -> None:
    file = tmp_path / "faculty.csv"
    file.write_text(f"email,name,role\n{ASHA},Asha Demo,teacher\nnobody,No Body,teacher\n")
    said = aims.refuse(f"allow --file {file}")
    sentence = "Nothing was imported. Row 3, column A: This must be an e-mail address."
    assert said == f"aims: {file}: {sentence}\n"
    assert allowed(aims) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            f"email,role\n{ASHA},dean\n".encode(),
            ": Nothing was imported. Row 2, column B: The role has to be teacher or admin.",
        ),
        (b"email,role\n,teacher\n", ": Nothing was imported. Row 2, column A: This is required."),
        (
            b"address,name\nasha,Asha\n",
            ": No row names the columns. Required: `Email`.",
        ),
        (
            f"email,name\n{ASHA},Äsha\n".encode("latin-1"),
            ": This is neither a workbook (.xlsx) nor text in UTF-8.",
        ),
    ],
)
def test_an_error_in_a_file_is_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "faculty.csv"
    file.write_bytes(content)
    with pytest.raises(SystemExit) as refused:
        read_file(file)
    assert str(refused.value).startswith(f"aims: {file}{sentence}")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("allow", "aims: give either an address or --file"),
        ("allow nobody", "aims: This is not an e-mail address."),
    ],
)
def test_a_wrong_call_of_allow_is_one_sentence(aims: Aims, line: str, sentence: str) -> None:
    assert aims.refuse(line).startswith(sentence)


def test_a_token_is_made_with_debug_only(aims: Aims) -> None:
    aims.rows(f"INSERT INTO allowed_emails (email, role) VALUES ('{ASHA}', 'teacher')")
    aims.set(**NEEDED)
    assert "only with DEBUG=true" in aims.refuse(f"token {ASHA}")
    aims.set(DEBUG="true")
    claims = jwt.decode(
        aims.must(f"token {ASHA}").strip(),
        NEEDED["JWT_SECRET"],
        ["HS256"],
        options={"verify_aud": False},
    )
    ((user_id,),) = aims.rows("SELECT id::text FROM users")
    assert claims["sub"] == user_id
    assert "not on the allow-list" in aims.refuse(f"token {BILAL}")


def test_a_database_that_is_away_is_one_sentence(checkout: Checkout) -> None:
    away = checkout.having(DATABASE_URL="postgresql://aims:opensesame@127.0.0.1:1/attendance")
    for line in (f"aims allow {ASHA}", "alembic upgrade head"):
        said = away.refuse(line)
        assert len(said.splitlines()) == 1
        assert "opensesame" not in said


def test_migrations_go_up_and_down_with_aims(aims: Aims, installed: Checkout) -> None:
    assert f"{newest_revision()} (head)" in installed.must("aims db current")
    aims.must("db downgrade base")
    assert aims.rows("SELECT to_regclass('students')::text") == [(None,)]
    aims.must("db upgrade")
    assert aims.rows("SELECT to_regclass('students')::text") == [("students",)]


def test_migrations_are_made_from_the_models_and_go_up_and_down_as_the_seed_says(
    aims: Aims, installed: Checkout, tmp_path: Path
) -> None:
    copy = installed.copy_to(tmp_path / "aims")
    student = copy.path / "app" / "models" / "student.py"
    line = "    phone: Mapped[str | None]\n"
    student.write_text(student.read_text().replace(line, line + line.replace("phone", "hostel")))
    copy.must("alembic revision --autogenerate -m 'Students live in hostels'")
    (made,) = copy.path.glob("alembic/versions/*students_live_in_hostels.py")
    text = made.read_text()
    assert text.count("op.add_column(") == text.count("op.drop_column(") == 1
    assert text.count("op.") == 2
    assert text.startswith('"""Students live in hostels\n')
    copy.must("alembic upgrade head")
    assert aims.rows("SELECT hostel FROM students") == []
    copy.must("alembic downgrade -1")
    assert f"{newest_revision()}\n" in copy.must("alembic current")
    history = copy.must("alembic history")
    assert "<base> -> 0001" in history
    assert f"{newest_revision()} -> " in history


def test_the_seed_script_takes_its_list(aims: Aims, installed: Checkout, tmp_path: Path) -> None:
    copy = installed.copy_to(tmp_path / "aims")
    script = copy.path / "scripts" / "seed_allowed_emails.py"
    assert "Nothing to do: edit the list" in copy.refuse("python scripts/seed_allowed_emails.py")
    hint = f'    # ("{ASHA}", Role.TEACHER, "Asha Demo"),\n'
    assert hint in script.read_text()
    script.write_text(script.read_text().replace(hint, hint.replace("# ", "")))
    copy.must("python scripts/seed_allowed_emails.py")
    assert allowed(aims) == [(ASHA, "teacher", "Asha Demo")]


def test_the_seed_script_takes_addresses_and_files(aims: Aims, tmp_path: Path) -> None:
    file = tmp_path / "faculty.csv"
    file.write_text(f"email,name,role\n{MEERA},Meera Demo,admin\n")
    script = "python scripts/seed_allowed_emails.py"
    assert "3 addresses" in aims.must(f"{script} {ASHA} {file} {BILAL}")
    assert [row[:2] for row in allowed(aims)] == [
        (ASHA, "teacher"),
        (BILAL, "teacher"),
        (MEERA, "admin"),
    ]
    assert "This is not an e-mail address." in aims.refuse(f"{script} asha@demo")
    assert "has to remain" in aims.refuse(f"{script} {MEERA}")
    assert len(allowed(aims)) == 3


def test_setup_env_writes_fresh_secrets_once(checkout: Checkout, tmp_path: Path) -> None:
    copies = [checkout.copy_to(tmp_path / name) for name in ("one", "two")]
    written = []
    for copy in copies:
        copy.must("./setup_env.sh")
        assert stat.S_IMODE((copy.path / ".env").stat().st_mode) == 0o600
        written.append(dotenv_values(copy.path / ".env"))
    one, two = written
    assert {name for name in one if one[name] != two[name]} == {
        *("JWT_SECRET", "DATABASE_URL"),
        *("POSTGRES_PASSWORD", "PGADMIN_PASSWORD"),
    }
    assert f"//aims:{one['POSTGRES_PASSWORD']}@" in str(one["DATABASE_URL"])
    assert one.keys() == dotenv_values(checkout.path / ".env.example").keys()
    assert "aims_pass" not in str(one)
    before = (copies[0].path / ".env").read_text()
    assert "remove it first" in copies[0].refuse("./setup_env.sh")
    assert (copies[0].path / ".env").read_text() == before


def test_only_the_client_id_is_left_to_set_after_setup_env(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = checkout.copy_to(tmp_path / "aims")
    copy.must("./setup_env.sh")
    for name in ("DATABASE_URL", "JWT_SECRET", "GOOGLE_CLIENT_ID", "DEBUG"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as refused:
        load_settings(_env_file=copy.path / ".env")
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["GOOGLE_CLIENT_ID"]
    monkeypatch.setenv("GOOGLE_CLIENT_ID", NEEDED["GOOGLE_CLIENT_ID"])
    assert load_settings(_env_file=copy.path / ".env").debug is False
