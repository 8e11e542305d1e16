"""`DATABASE_URL` as providers and other programs write it: it works, or one sentence says why not.

Wherever it is used: the server, Alembic, the commands and the script.
"""

from pathlib import Path

import pytest

from app.config import ConfigError, load_database_url
from app.db import open_database
from app.sql import Statement
from tests.command_line import Aims
from tests.conftest import NEEDED, Stage
from tests.processes import Checkout, free_port

PLAIN = "postgresql://asha:opensesame@db.demo.university.example:5432/attendance"
ASHA = "asha@demo.university.example"

# What is added to a URL, and what is left of it.
TAKEN = {
    "": "",
    "?": "",
    "?sslmode=require": "?sslmode=require",
    "?sslmode=require&channel_binding=prefer": "?sslmode=require",
    "?connection_limit=1&pool_timeout=20&sslmode=require": "?sslmode=require",
    "?pgbouncer=false&schema=public&connect_timeout=15": "",
    "?sslmode=require&supa=base-pooler.x": "?sslmode=require",
    "?options=endpoint%3Dep-cool-name-123456": "?options=endpoint%3Dep-cool-name-123456",
    "?application_name=report&target_session_attrs=read-write&keepalives=1": (
        "?application_name=report&target_session_attrs=read-write"
    ),
    "?host=/run/postgresql&client_encoding=utf8": "?host=/run/postgresql",
    "?sslmode=verify-full&sslrootcert={file}&channel_binding=require": (
        "?sslmode=verify-full&sslrootcert={file}"
    ),
}
# What is added to a URL, and what the sentence has to name.
REFUSED = {
    "?sslmode=require&channel_binding=require": "channel_binding",
    "?pgbouncer=true&connection_limit=1": "pgbouncer",
    "?schema=attendance": "schema",
    "?sslaccept=accept_invalid_certs": "sslaccept",
    "?sslmode=required": "sslmode",
    "?sslmode=": "sslmode",
    "?sslmode": "sslmode",
    "?sslmode=verify-full": "sslrootcert",
    "?sslmode=verify-full&sslrootcert=system": "sslrootcert",
    "?sslmode=verify-full&sslrootcert=/nowhere/opensesame.pem": "sslrootcert",
    "?target_session_attrs=master": "target_session_attrs",
    "?gssencmode=require": "gssencmode",
    "?sslmod=require": "sslmod",
    "?statement_timeout=0": "statement_timeout",
    "?sslmode=require&sslmode=disable": "twice",
    "?%ff=1": "parameter",
    "?opensesame@db=1": "parameter",
    "?port=opensesame&host=db": "must be a URL",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Away from any `.env` and any certificate of the person who runs the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)


@pytest.mark.parametrize("given", TAKEN)
def test_options_that_matter_are_kept_and_those_of_other_programs_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    monkeypatch.setenv("DATABASE_URL", PLAIN + given.format(file=file))
    assert load_database_url() == PLAIN + TAKEN[given].format(file=file)


@pytest.mark.parametrize("given", REFUSED)
def test_an_unsupported_option_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", PLAIN + given)
    with pytest.raises(ConfigError) as refused:
        load_database_url()
    said = str(refused.value)
    assert said.startswith("DATABASE_URL ")
    assert REFUSED[given] in said
    assert len(said.splitlines()) == 1
    assert "opensesame" not in said


TUNED = "&channel_binding=prefer&connection_limit=1&pgbouncer=false&connect_timeout=9"


def test_a_tuned_url_works_in_a_command(aims: Aims, own_database_url: str) -> None:
    aims.set(DATABASE_URL=own_database_url + TUNED)
    assert "may sign in" in aims.must(f"allow {ASHA}")


def test_a_tuned_url_works_in_the_server_alembic_and_the_script(
    checkout: Checkout, own_database_url: str
) -> None:
    tuned = checkout.having(**NEEDED, DATABASE_URL=own_database_url + TUNED)
    tuned.must("alembic upgrade head")
    tuned.must(f"python scripts/seed_allowed_emails.py {ASHA}")
    with tuned.serving("uvicorn app.main:app --port {port}") as server:
        assert server.get("/health/ready")[0] == 200


@pytest.mark.parametrize(
    "line",
    [
        f"aims allow {ASHA}",
        "aims import students roster.csv",
        "aims db upgrade",
        "aims up",
        "aims serve",
        "alembic upgrade head",
        f"python scripts/seed_allowed_emails.py {ASHA}",
        "uvicorn app.main:app",
    ],
)
def test_everything_that_uses_the_url_says_the_same_sentence(
    checkout: Checkout, own_database_url: str, line: str
) -> None:
    port = f" --port {free_port()}" if line.split()[-1] in ("up", "serve", "app.main:app") else ""
    prisma = checkout.having(**NEEDED, DATABASE_URL=own_database_url + "&pgbouncer=true")
    said = prisma.refuse(line + port)
    (sentence,) = [one for one in said.splitlines() if "DATABASE_URL" in one]
    assert "has the parameter pgbouncer, but AIMS has a pool of its own" in sentence


# Additions to the URL of a working PostgreSQL, and the expected sentence.
NOT_TAKEN = {
    "&role=nobody_at_all": "nobody_at_all",
    "&options=-c%20nonsense%3D1": "nonsense",
    "&options=-c%20work_mem%3Dhuge": "work_mem",
    "&options=endpoint%3Dep-cool-name-123456": "invalid command-line argument",
    "&target_session_attrs=standby": None,
}


@pytest.mark.parametrize("given", NOT_TAKEN)
def test_an_option_that_postgresql_rejects_is_named(
    checkout: Checkout, aims: Aims, own_database_url: str, given: str
) -> None:
    url, named = own_database_url + given, NOT_TAKEN[given] or "target attribute"
    aims.set(DATABASE_URL=url)
    assert aims.refuse(f"allow {ASHA}").startswith("aims: The database ")
    said = checkout.having(DATABASE_URL=url).refuse("alembic upgrade head")
    assert said.startswith("The database takes no such connection (")
    assert named in said


@pytest.mark.anyio
@pytest.mark.parametrize("given", [given for given, named in NOT_TAKEN.items() if named])
async def test_a_server_says_in_its_log_what_postgresql_does_not_take(
    stage: Stage, database_url: str, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    async with open_database(database_url + given) as stage.app.state.database:
        answer = await stage.asha.get("/users/me")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_url_refused")
    assert [entry for entry in caplog.messages if "DATABASE_URL" in entry]
    assert str(NOT_TAKEN[given]) in caplog.text


@pytest.mark.anyio
async def test_a_pooler_that_exchanges_connections_is_named(
    stage: Stage, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database(database_url) as database:
        stage.app.state.database = database
        answers = [await stage.asha.get("/users/me")]
        with pytest.raises(AssertionError, match="must answer with a row"):
            await database.row(
                Statement("DEALLOCATE ALL")
            )  # as if the next statement went elsewhere
        answers.append(await stage.asha.get("/users/me"))
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].json()["code"] == "database_url_refused"
    assert "DATABASE_URL leads to a pooler" in caplog.text
