"""The examples of the documentation, run as printed against `./aims up`.

An `http` fence in a page is a request and its expected answer: the status, and the headers and
JSON fields that the page names. `$NAME` in an answer matches any value the first time, and that
value from then on.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.localpg import home
from tests.classroom import today
from tests.processes import ROOT, clean_environment, free_port
from tests.test_up import get, read_until_shown, start

DOMAIN = "demo.university.example"
NAME = re.compile(r"\$([A-Z_]+)")


WORDS = ("Sign-in", "Database")


@dataclass(frozen=True)
class Up:
    """A running `./aims up`: its address, its stand-in for Google and its `psql` command."""

    api: str
    google: str
    psql: str

    def id_token(self, name: str) -> str:
        return get(f"{self.google}/token?email={name}@{DOMAIN}")


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    place = home() / f"test-pages-{os.getpid()}"
    port = free_port()
    process = start("--port", str(port), "--data", str(place / "data"))
    try:
        shown = read_until_shown(process)
        sign_in, psql = (re.search(rf"{word} +(\S.*?)(  |\n)", shown) for word in WORDS)
        assert sign_in, shown
        assert psql, shown
        yield Up(f"http://127.0.0.1:{port}", sign_in[1], psql[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        shutil.rmtree(place, ignore_errors=True)


def fences(page: str, kind: str) -> list[str]:
    """The blocks of one kind in a page."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def head_and_body(message: str) -> tuple[str, dict[str, str], str]:
    head, _, body = message.partition("\n\n")
    first, *lines = head.splitlines()
    return first, dict(line.split(": ", 1) for line in lines), body.strip()


class Reader:
    """Runs a page's examples in order and remembers the values in the answers."""

    def __init__(self, client: httpx2.Client, up: Up) -> None:
        self._client = client
        self._known = {
            "TODAY": str(today()),
            "ID_TOKEN_OF_ASHA": up.id_token("asha"),
            "ID_TOKEN_OF_MEERA": up.id_token("meera"),
            "ID_TOKEN_OF_STUDENT": up.id_token("23cs115"),
        }

    def follow(self, example: str) -> None:
        request, answered, answer = example.partition("HTTP/1.1 ")
        assert answered, example
        response = self._send(self._filled(request))
        status, headers, body = head_and_body(answer)
        assert f"{response.status_code}" == status, f"{example}\n{response.text}"
        for name, value in headers.items():
            self._match(value, response.headers.get(name), name)
        if body:
            self._compare(json.loads(body), response.json(), "")

    def _send(self, request: str) -> httpx2.Response:
        first, headers, body = head_and_body(request)
        method, address = first.split(" ")
        if "TOKEN" in self._known:
            headers.setdefault("Authorization", f"Bearer {self._known['TOKEN']}")
        if body:
            headers.setdefault("Content-Type", "application/json")
        return self._client.request(method, address, headers=headers, content=body.encode())

    def _filled(self, text: str) -> str:
        return NAME.sub(lambda name: self._known[name[1]], text)

    def _compare(self, shown: Any, told: Any, place: str) -> None:
        if isinstance(shown, dict):
            for name in shown:
                assert name in told, f"{place}/{name}"
                self._compare(shown[name], told[name], f"{place}/{name}")
        elif isinstance(shown, list):
            assert len(shown) == len(told), f"{place}: {told}"
            for number, (one, other) in enumerate(zip(shown, told, strict=True)):
                self._compare(one, other, f"{place}/{number}")
        elif isinstance(shown, str):
            self._match(shown, told, place)
        else:
            assert shown == told, place

    def _match(self, shown: str, told: Any, place: str) -> None:
        parts = NAME.split(shown)
        for index in range(1, len(parts), 2):
            known = self._known.get(parts[index])
            parts[index] = re.escape(known) if known else f"(?P<{parts[index]}>.+)"
        parts[::2] = map(re.escape, parts[::2])
        found = re.fullmatch("".join(parts), str(told))
        assert found, f"{place}: {told} instead of {shown}"
        self._known |= found.groupdict()


@pytest.mark.parametrize(
    "page", ["docs/for-app-developers.md", "docs/administration.md", "docs/students.md"]
)
def test_every_example_is_answered_as_the_page_says(up: Up, page: str) -> None:
    examples = fences(page, "http")
    assert len(examples) > 5
    with httpx2.Client(base_url=up.api, timeout=20) as client:
        reader = Reader(client, up)
        for example in examples:
            reader.follow(example)


def test_the_command_that_up_shows_opens_the_database(up: Up) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{up.psql} -v ON_ERROR_STOP=1 --tuples-only"],
        input="SELECT roll_no FROM students",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "23/CS/107" in done.stdout


def documents(text: str) -> Iterator[Any]:
    """The JSON documents in the text, in order."""
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        yield document
        text = text[end:]


def test_the_tour_of_the_readme_works_when_pasted(up: Up, tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    chapter = text.partition("## Take attendance")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", chapter, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    tour = "\n".join(blocks)
    # Only the addresses differ: the page's ports may be in use.
    for written, real in (("8000", up.api), ("8001", up.google)):
        assert f"http://127.0.0.1:{written}" in tour
        tour = tour.replace(f"http://127.0.0.1:{written}", real)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    me, marks, session, history, stats = documents(done.stdout)
    assert me["name"] == "Asha Demo"
    assert [mark["rollNo"] for mark in marks["statuses"]] == ["23/CS/107", "23/CS/108"]
    assert session["statuses"] == marks["statuses"]
    assert {change["rollNo"] for change in history} == {"23/CS/107", "23/CS/108"}
    assert "23/CS/107" in {student["rollNo"] for student in stats}
    assert (tmp_path / "register.pdf").read_bytes().startswith(b"%PDF-")
