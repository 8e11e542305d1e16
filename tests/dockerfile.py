"""The Dockerfile's own steps, run without Docker, and its command asked whether it is ready.

    python -m tests.dockerfile

It reads the Dockerfile itself and refuses what it does not know, so it cannot drift from it. A
directory represents the image's root; its Python is this machine's of the same version.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.localpg import LocalPostgres
from tests.processes import READY_SECONDS, ROOT, STOP_SECONDS, free_port

NEEDED = {
    "JWT_SECRET": "a secret of the image's test that is long enough",
    "GOOGLE_CLIENT_ID": "app.demo.university.example",
}
# What the README runs with `docker-compose exec backend`.
COMMANDS = (
    "alembic upgrade head",
    "python scripts/seed_allowed_emails.py asha@demo.university.example",
)


@dataclass(frozen=True)
class Stage:
    """One `FROM` with the instructions that follow it."""

    base: str
    name: str
    steps: list[tuple[str, str]]

    def last(self, word: str) -> str:
        """What the last instruction of that kind says."""
        return [said for found, said in self.steps if found == word][-1]

    def copied(self) -> list[str]:
        """What is taken from the checkout."""
        copies = [said.split() for word, said in self.steps if word == "COPY"]
        return [name for words in copies if not words[0].startswith("--") for name in words[:-1]]

    @property
    def python(self) -> str:
        """The version in the base's tag."""
        return self.base.partition(":")[2].removesuffix("-slim")

    @property
    def command(self) -> list[str]:
        return list(json.loads(self.last("CMD")))

    @property
    def healthcheck(self) -> list[str]:
        return list(json.loads(self.last("HEALTHCHECK").partition("CMD ")[2]))


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile: comments gone, continued lines joined."""
    whole = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(str.strip, whole.splitlines()):
        word, _, said = line.partition(" ")
        if word == "FROM":
            base, _, name = said.partition(" AS ")
            found.append(Stage(base, name, []))
        else:
            found[-1].steps.append((word, " ".join(said.split())))
    return found


def sent_to_docker(dockerignore: str) -> list[Path]:
    """The files of the checkout that `.dockerignore` lets through: nothing but what it names."""
    everything, *patterns = [
        line for line in dockerignore.splitlines() if line and not line.startswith("#")
    ]
    assert everything == "*", "the first pattern has to leave everything out"
    named = [ROOT / pattern[1:] for pattern in patterns if pattern.startswith("!")]
    refused = [pattern.removeprefix("**/") for pattern in patterns if not pattern.startswith("!")]
    files = [file for place in named for file in (place.rglob("*") if place.is_dir() else [place])]
    return [
        file.relative_to(ROOT)
        for file in files
        if file.is_file()
        and not any(fnmatch(part, pattern) for part in file.parts for pattern in refused)
    ]


@dataclass
class Image:
    """What becomes of a Dockerfile in `scratch`."""

    scratch: Path
    workdir: Path = Path("/")
    user: str = "0:0"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Every stage in its turn, since a venv knows its own path."""
        return self.scratch / "root"

    def build(self) -> Stage:
        """Run all stages; the last one is what stays in `root`."""
        for file in sent_to_docker((ROOT / ".dockerignore").read_text()):
            (self.scratch / "context" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, self.scratch / "context" / file)
        for stage in (found := stages((ROOT / "Dockerfile").read_text())):
            self._begin(stage)
            for word, said in stage.steps:
                getattr(self, f"_{word.lower()}")(said)
            if stage is not found[-1]:
                self.root.rename(self.scratch / stage.name)
        return found[-1]

    def run(self, command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run it as the image's user to its end."""
        return subprocess.run(
            command, capture_output=True, text=True, check=False, **self._as_user(variables)
        )

    def start(self, command: list[str], **variables: str) -> "subprocess.Popen[bytes]":
        """Start it as the image's user."""
        return subprocess.Popen(command, **self._as_user(variables))

    def lock(self) -> None:
        """Take away every right to write; root's own image needs it only from the others."""
        subprocess.run(["chmod", "-R", "a-w,a+rX", str(self.root)], check=True)

    def _as_user(self, variables: Mapping[str, str]) -> dict[str, Any]:
        # Docker gives a user without a name this home.
        environment = self.environment | {"HOME": "/"} | variables
        options: dict[str, Any] = {"cwd": self._inside("."), "env": environment}
        if os.geteuid() == 0:
            user, group = map(int, self.user.split(":"))
            options |= {"user": user, "group": group, "extra_groups": []}
        return options

    def _begin(self, stage: Stage) -> None:
        self.root.mkdir()
        self.user = "0:0"
        self.environment = {"PATH": f"{_commands(self.scratch, stage.python)}:/usr/bin:/bin"}

    def _inside(self, path: str) -> Path:
        return self.root / (self.workdir / path).relative_to("/")

    def _moved(self, text: str) -> str:
        """The text with its paths of the image where they are now."""
        return re.sub(rf"(?<![\w.]){self.workdir}\b", str(self._inside(".")), text)

    def _workdir(self, said: str) -> None:
        self.workdir = Path(said)
        self._inside(".").mkdir(parents=True, exist_ok=True)

    def _copy(self, said: str) -> None:
        *sources, target = said.split()
        origin = self.scratch / "context"
        if sources[0].startswith("--from="):
            origin = self.scratch / sources.pop(0).removeprefix("--from=")
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, self._inside(target), symlinks=True, dirs_exist_ok=True)
            else:
                inside = self._inside(target)
                shutil.copy2(path, inside / path.name if target.endswith("/") else inside)

    def _run(self, said: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", self._moved(said)],
            cwd=self._inside("."),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _env(self, said: str) -> None:
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', said):
            value = self._moved(quoted or plain)
            self.environment[name] = value.replace("$PATH", self.environment["PATH"])

    def _user(self, said: str) -> None:
        self.user = said

    def _expose(self, _: str) -> None: ...
    def _healthcheck(self, _: str) -> None: ...
    def _cmd(self, _: str) -> None: ...


def _commands(scratch: Path, version: str) -> Path:
    """A directory with `python` and `pip`, as the base image has them."""
    # A Python of the system first: one below somebody's home can be run by nobody else.
    system = shutil.which(f"python{version}", path="/usr/local/bin:/usr/bin")
    python = system or shutil.which(f"python{version}")
    assert python, f"Python {version} is needed, the version of the Dockerfile"
    place = scratch / "commands"
    place.mkdir(exist_ok=True)
    for name, line in {"python": python, "pip": f"{python} -m pip"}.items():
        (place / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        (place / name).chmod(0o755)
    return place


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory that every user may enter, gone afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="aims-image-"))
    scratch.chmod(0o755)
    try:
        yield scratch
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(scratch)], check=True)
        shutil.rmtree(scratch)


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database that every user of this machine may enter meanwhile."""
    with LocalPostgres.throwaway() as server:
        url = server.url("postgres")
        Path(parse_qs(urlsplit(url).query)["host"][0]).chmod(0o755)
        yield url


def try_out(image: Image, stage: Stage, url: str) -> None:
    """Start the command, and see it healthy exactly when it should be, and end when told."""
    port, exposed = str(free_port()), stage.last("EXPOSE")
    healthcheck = [word.replace(f":{exposed}/", f":{port}/") for word in stage.healthcheck]
    assert healthcheck != stage.healthcheck
    settings = {"DATABASE_URL": url, **NEEDED}
    server = image.start([*stage.command, "--host", "127.0.0.1", "--port", port], **settings)
    try:
        wait_for(server, int(port))
        assert image.run(healthcheck).returncode != 0, "healthy without a schema"
        for line in COMMANDS:
            done = image.run(line.split(), DATABASE_URL=url)
            assert done.returncode == 0, done.stdout + done.stderr
        checked = image.run(healthcheck)
        assert checked.returncode == 0, checked.stderr
        server.terminate()
        assert server.wait(STOP_SECONDS) == 0
        assert image.run(healthcheck).returncode != 0, "healthy without a server"
    finally:
        server.kill()
        server.wait()


def wait_for(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Return when something listens on the port."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the command of the image does not listen")


def main() -> None:
    """Build, look at the rights, start; any failure is an exception."""
    with scratch_directory() as scratch:
        image = Image(scratch)
        stage = image.build()
        assert not image.user.startswith("0"), "the image's user is root"
        image.lock()
        writable = image.run(["find", str(image.root), "!", "-type", "l", "-writable"]).stdout
        assert writable == "", f"the image's user can write to {writable}"
        with database() as url:
            try_out(image, stage, url)
    print("The Dockerfile's steps make an image that starts, is healthy, and stops when told.")


if __name__ == "__main__":
    main()
