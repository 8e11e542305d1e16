"""What is deployed says what is true: the image, compose, the proxy, the systemd unit.

No Docker is needed. `tests/dockerfile.py` runs the Dockerfile's own steps.
"""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from inspect import signature
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from app.cli.serve import FINISH_SECONDS, serve
from app.config import Settings, load_settings
from app.request_limits import USUAL, limits_of
from tests.conftest import NEEDED
from tests.dockerfile import COMMANDS, sent_to_docker, stages
from tests.processes import ROOT, Checkout, Server, clean_environment
from tests.support import ROUTES

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
IMAGE = stages((ROOT / "Dockerfile").read_text())
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text()
GUIDE = (ROOT / "docs" / "deployment.md").read_text()
SETTINGS = {name.upper() for name in Settings.model_fields}
SETTINGS |= {"OIDC_GOOGLE_CLIENT_ID", "OIDC_GOOGLE_CLIENT_SECRET"}
PORT = str(signature(serve).parameters["port"].default)
REFERENCE = re.compile(r"\$\{([A-Z_]+)(:[?-])([^}]*)\}")


def unit() -> dict[str, list[str]]:
    """The directives of the systemd unit; some are there more than once."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "deploy" / "aims.service").read_text().splitlines():
        name, is_directive, value = line.partition("=")
        if is_directive and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def interpolated(text: str, values: dict[str, str | None]) -> str:
    """What compose makes of the text; a missing variable that is required fails."""

    def value_of(reference: "re.Match[str]") -> str:
        name, kind, otherwise = reference.groups()
        if value := values.get(name):
            return value
        assert kind == ":-", f"{name} {otherwise}"
        return otherwise

    return REFERENCE.sub(value_of, text)


@pytest.fixture
def written(checkout: Checkout, tmp_path: Path) -> dict[str, str | None]:
    """What `setup_env.sh` writes, with the client id that is left to set."""
    copy = checkout.copy_to(tmp_path / "aims")
    copy.must("./setup_env.sh")
    return {**dotenv_values(copy.path / ".env"), **NEEDED}


def test_compose_knows_no_password_and_says_what_to_do_about_a_missing_one() -> None:
    references = REFERENCE.findall(json.dumps(COMPOSE))
    # The pages can do without a provider, so its client may be missing.
    optional = {"OIDC_GOOGLE_CLIENT_ID", "OIDC_GOOGLE_CLIENT_SECRET"}
    found = {name for name, _, _ in references if re.search("PASSWORD|SECRET|CLIENT_ID", name)}
    secret = found - optional
    assert secret == {"POSTGRES_PASSWORD", "PGADMIN_PASSWORD", "JWT_SECRET", "GOOGLE_CLIENT_ID"}
    for name, kind, said in references:
        assert kind == (":?" if name in secret else ":-"), name
        assert "set it in .env" in said if name in secret else said == "", name
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASS|SECRET", name):
                assert REFERENCE.fullmatch(value), name


def test_every_variable_of_compose_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = {name for name, _, _ in REFERENCE.findall(text)}
    assert text.count("$") == len(REFERENCE.findall(text))
    # In compose the database is the service of that name, whatever the example says.
    assert used == dotenv_values(ROOT / ".env.example").keys() - {"DATABASE_URL"}


def test_compose_starts_with_what_setup_env_writes(
    written: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        name: interpolated(value, written)
        for name, value in SERVICES["backend"]["environment"].items()
    }
    assert environment.keys() == SETTINGS | {"PGPASSWORD", "FORWARDED_ALLOW_IPS"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert settings.model_dump(exclude={"database_url", "jwt_secret", "google_client_id"}) == {
        name: field.default
        for name, field in Settings.model_fields.items()
        if not field.is_required()
    }
    db = SERVICES["db"]["environment"]
    assert interpolated(db["POSTGRES_PASSWORD"], written) == environment["PGPASSWORD"]
    assert (
        settings.database_url == f"postgresql://{db['POSTGRES_USER']}@db:5432/{db['POSTGRES_DB']}"
    )


def test_the_ports_are_the_documented_ones_and_of_this_machine_alone() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {
        "db": ["127.0.0.1:5433:5432"],
        "backend": [f"127.0.0.1:8000:{PORT}"],
        "pgadmin": ["127.0.0.1:8080:80"],
    }


def test_a_service_waits_for_what_it_needs() -> None:
    healthy, done = {"condition": "service_healthy"}, "service_completed_successfully"
    assert SERVICES["migrate"]["depends_on"] == {"db": healthy}
    assert SERVICES["backend"]["depends_on"] == {"db": healthy, "migrate": {"condition": done}}
    assert SERVICES["db"]["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert SERVICES["migrate"]["command"] == COMMANDS[0].split()
    assert SERVICES["migrate"]["restart"] == "no"


def test_every_path_volume_and_profile_of_compose_exists() -> None:
    mounts = [mount for s in SERVICES.values() for mount in s.get("volumes", [])]
    for source, _, rest in (mount.partition(":") for mount in mounts):
        if source.startswith("./"):
            assert (ROOT / source).is_dir()
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]
    assert f"./scripts:{IMAGE[-1].last('WORKDIR')}/scripts:ro" in SERVICES["backend"]["volumes"]
    assert {name: s["profiles"] for name, s in SERVICES.items() if "profiles" in s} == {
        "pgadmin": ["tools"]
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not {"privileged", "network_mode", "user", "cap_add"} & service.keys()
    if name in OURS:
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_the_image_has_no_rights_and_no_root() -> None:
    build, image = IMAGE
    assert re.fullmatch(r"python:3\.\d+-slim", image.base)
    assert image.base == build.base
    assert int(image.last("USER").partition(":")[0]) > 0
    assert [word for word, _ in image.steps].index("USER") > len(image.copied())
    assert "--require-hashes" in build.last("RUN")
    assert build.copied() == ["requirements.txt"]


def test_the_image_serves_where_it_is_asked_for_its_health() -> None:
    image = IMAGE[-1]
    assert image.last("EXPOSE") == PORT
    assert f"http://127.0.0.1:{PORT}/health/ready" in image.healthcheck[-1]
    assert image.command == ["python", "-m", "app.cli", "serve", "--host", "0.0.0.0"]


def test_docker_gets_what_it_copies_and_no_secret() -> None:
    sent = sent_to_docker((ROOT / ".dockerignore").read_text())
    tops = {file.parts[0] for file in sent}
    assert tops == {name for stage in IMAGE for name in stage.copied()}
    assert not [file for file in sent if file.suffix == ".pyc" or file.name.startswith(".env")]


def test_the_backend_trusts_only_the_gateway_of_its_network() -> None:
    (network,) = COMPOSE["networks"]["default"]["ipam"]["config"]
    believed = SERVICES["backend"]["environment"]["FORWARDED_ALLOW_IPS"]
    assert believed == network["gateway"]
    assert ip_address(believed) in ip_network(network["subnet"])


def fail_to_sign_in(server: Server, *forwarded: str) -> list[int]:
    """The answers to bad tokens, each from a proxy that names another client."""
    answers = []
    for client in forwarded:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/auth/google",
            data=b'{"idToken": "bad"}',
            headers={"Content-Type": "application/json", "X-Forwarded-For": client},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        answers.append(refused.value.code)
        refused.value.close()
    return answers


@pytest.mark.parametrize(
    ("believed", "answers"),
    [
        # The proxy on this machine: the second client has failures of its own.
        ("127.0.0.1", [401, 429, 401]),
        # Anybody else: whatever they claim, it is one client.
        ("10.213.77.1", [401, 429, 429]),
    ],
)
def test_failures_count_for_the_client_and_not_for_who_it_claims_to_be(
    checkout: Checkout, own_database_url: str, believed: str, answers: list[int]
) -> None:
    limited = checkout.having(
        **NEEDED,
        DATABASE_URL=own_database_url,
        FAILED_SIGN_INS_PER_MINUTE="1",
        FORWARDED_ALLOW_IPS=believed,
    )
    with limited.serving("aims serve --port {port} --workers 1") as server:
        found = fail_to_sign_in(server, "198.51.100.1", "198.51.100.1", "198.51.100.2")
    assert found == answers


def test_the_proxy_leads_to_the_server_and_leaves_refusals_to_it() -> None:
    assert f"reverse_proxy 127.0.0.1:{PORT} " in CADDYFILE
    (size,) = re.findall(r"max_size (\d+)MiB", CADDYFILE)
    declared = [limits.size for route in ROUTES if (limits := limits_of(route))]
    assert int(size) * 2**20 > max(USUAL.size, *declared)
    assert "Strict-Transport-Security" in CADDYFILE
    directives = {line.split()[0] for line in CADDYFILE.splitlines() if line.startswith("\t")}
    assert not {"encode", "trusted_proxies"} & directives


def test_the_unit_starts_the_server_with_settings_that_exist(
    checkout: Checkout, own_database_url: str, tmp_path: Path
) -> None:
    directives = unit()
    variables = dict(pair.split("=") for line in directives["Environment"] for pair in line.split())
    credentials = dict(line.split(":") for line in directives["LoadCredential"])
    for name, value in variables.items():
        if value.startswith("%d/"):
            assert name.removesuffix("_FILE") in SETTINGS
            (tmp_path / credentials.pop(value.removeprefix("%d/")).rpartition("/")[2]).touch()
    assert credentials == {}
    home = directives["WorkingDirectory"][0]
    python, *arguments = directives["ExecStart"][0].split()
    assert python == f"{home}/.venv/bin/python"
    secret = tmp_path / "jwt_secret"
    secret.write_text(NEEDED["JWT_SECRET"])
    installed = checkout.having(
        GOOGLE_CLIENT_ID=NEEDED["GOOGLE_CLIENT_ID"],
        DATABASE_URL=own_database_url,
        JWT_SECRET_FILE=str(secret),
    )
    line = " ".join(["python", *arguments]).replace(f"--port {PORT}", "--port {port}")
    with installed.serving(line) as server:
        assert server.get("/health/ready")[0] == 200


def test_whatever_stops_the_server_lets_it_finish_the_requests_it_has_begun() -> None:
    patience = (unit()["TimeoutStopSec"][0], SERVICES["backend"]["stop_grace_period"])
    for seconds in patience:
        assert USUAL.seconds < FINISH_SECONDS < int(seconds.removesuffix("s"))
    assert f"for up to {FINISH_SECONDS} seconds" in GUIDE


@pytest.mark.parametrize(
    "directive", ["NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"]
)
def test_the_unit_is_locked_in(directive: str) -> None:
    directives = unit()
    assert directives[directive] == ["yes"]
    assert directives["ProtectSystem"] == ["strict"]
    assert directives["CapabilityBoundingSet"] == [""]
    assert directives["User"] == ["aims"]


def test_the_guide_names_files_and_commands_that_exist() -> None:
    for name in re.findall(r"`?\b((?:deploy|scripts|docs)/[\w./]+\w)", GUIDE):
        assert (ROOT / name).exists(), name
    for name in ("Caddyfile", "aims.service", "app_role.sql"):
        assert f"deploy/{name}" in GUIDE
    for place in {*unit()["WorkingDirectory"], *unit()["EnvironmentFile"]}:
        assert place in GUIDE


def test_a_checkout_on_windows_has_the_line_ends_that_scripts_and_containers_need(
    tmp_path: Path,
) -> None:
    windows = tmp_path / "windows"
    windows.mkdir()
    repository = ["git", f"--git-dir={tmp_path / 'repository'}", "-c", "core.autocrlf=true"]
    environment = clean_environment() | {"GIT_CONFIG_GLOBAL": os.devnull}
    for work_tree, command in ((ROOT, "init -q"), (ROOT, "add -A"), (windows, "checkout-index -a")):
        subprocess.run(
            [*repository, f"--work-tree={work_tree}", *command.split()],
            cwd=work_tree,
            env=environment,
            check=True,
        )
    files = {each for each in windows.rglob("*") if each.is_file() and each.suffix != ".webp"}
    scripts = {file.name for file in files if file.read_bytes().startswith(b"#!")}
    assert scripts >= {"aims", "setup_env.sh", "run", "clients", "seed_allowed_emails.py"}
    assert {file for file in files if b"\r" in file.read_bytes()} == set()
