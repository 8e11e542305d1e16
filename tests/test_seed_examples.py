"""The examples of the README that this product was specified by, run as printed there."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.demo.google import DemoGoogle
from tests.conftest import DOMAIN, SECRET, copy_of
from tests.processes import Checkout, Server, clean_environment

EXCHANGE = """\
curl -X POST http://localhost:8000/auth/google \\
  -H "Content-Type: application/json" \\
  -d '{
    "idToken": "<google-id-token>"
  }'
"""

WHO_AM_I = """\
curl -X GET http://localhost:8000/users/me \\
  -H "Authorization: Bearer <backend-jwt-token>"
"""

CREATE_SESSION = """\
# 1. Create session
curl -X POST http://localhost:8000/attendance/sessions \\
  -H "Authorization: Bearer <jwt>" \\
  -H "Content-Type: application/json" \\
  -d '{
    "classId": "<class-uuid>",
    "sessionDate": "2025-10-26",
    "processedImageUrl": "https://storage.example.com/evidence.jpg"
  }'

# Response: {"sessionId": "<session-uuid>", ...}
"""

MARK = """\
# 2. Mark attendance
curl -X PUT http://localhost:8000/attendance/sessions/<session-uuid>/statuses \\
  -H "Authorization: Bearer <jwt>" \\
  -H "Content-Type: application/json" \\
  -d '{
    "updates": [
      {"rollNo": "23/CS/107", "status": "present", "recognizedByAi": true, "similarityScore": 92.5},
      {"rollNo": "23/CS/108", "status": "absent"}
    ]
  }'
"""

# Requests to the core endpoints that the page lists, to check what the examples did.
ASK = """curl -X {method} "http://localhost:8000{path}" -H "Authorization: Bearer <jwt>" """
SEND = ASK + """-H "Content-Type: application/json" -d '{body}'"""

# The examples use port 8000, which may be in use.
CURLRC = """\
connect-to = "localhost:8000:127.0.0.1:{port}"
noproxy = "*"
silent
show-error
write-out = "\\n%{{http_code}}"
"""


@dataclass
class Reader:
    """Follows the page and fills in its placeholders."""

    home: Path
    known: dict[str, str] = field(default_factory=dict)

    def run(self, example: str) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        for placeholder, value in self.known.items():
            example = example.replace(f"<{placeholder}>", value)
        done = subprocess.run(
            ["bash", "-euc", example],
            env=clean_environment() | {"CURL_HOME": str(self.home), "HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    def sign_in(self, google: DemoGoogle) -> Any:
        self.known["google-id-token"] = google.signer.sign(f"asha@{DOMAIN}")
        status, answer = self.run(EXCHANGE)
        assert status == 200
        self.known["backend-jwt-token"] = self.known["jwt"] = answer["token"]
        return answer

    def ask(self, path: str) -> Any:
        status, answer = self.run(ASK.format(method="GET", path=path))
        assert status == 200
        return answer

    def send(self, method: str, path: str, body: dict[str, Any], wanted: int) -> Any:
        status, answer = self.run(SEND.format(method=method, path=path, body=json.dumps(body)))
        assert status == wanted
        return answer


@pytest.fixture(scope="module")
def server(
    server_url: str, template: str, worker_id: str, google: DemoGoogle, checkout: Checkout
) -> Iterator[Server]:
    """The server as the page starts it, with Asha on the allow-list."""

    async def prepare() -> str:
        url = await copy_of(server_url, template, f"aims_seed_{worker_id}")
        connection = await asyncpg.connect(url)
        await connection.execute(
            "INSERT INTO allowed_emails (email, name, role) VALUES ($1, 'Asha Demo', 'teacher')",
            f"asha@{DOMAIN}",
        )
        await connection.close()
        return url

    ours = checkout.having(
        DATABASE_URL=asyncio.run(prepare()),
        JWT_SECRET=SECRET,
        GOOGLE_CLIENT_ID=google.client_id,
        GOOGLE_JWKS_URL=google.jwks_url,
        DEBUG="true",
    )
    with ours.serving("uvicorn app.main:app --host 127.0.0.1 --port {port}") as server:
        yield server


@pytest.fixture
def reader(server: Server, tmp_path: Path) -> Reader:
    (tmp_path / ".curlrc").write_text(CURLRC.format(port=server.port))
    return Reader(tmp_path)


def test_the_authentication_flow_works_as_the_page_says(reader: Reader, google: DemoGoogle) -> None:
    answer = reader.sign_in(google)
    assert answer.keys() == {"token", "expiresAt", "user"}
    assert UUID(answer["user"].pop("id"))
    assert answer["user"] == {"email": f"asha@{DOMAIN}", "name": "Asha Demo", "role": "teacher"}
    status, me = reader.run(WHO_AM_I)
    assert status == 200
    assert {"email": me["email"], "name": me["name"], "role": me["role"]} == answer["user"]


def test_without_one_of_our_tokens_the_page_gets_a_401(reader: Reader, google: DemoGoogle) -> None:
    status, _ = reader.run(EXCHANGE)
    assert status == 401
    reader.known["backend-jwt-token"] = google.signer.sign(f"asha@{DOMAIN}")
    status, problem = reader.run(WHO_AM_I)
    assert (status, problem["status"]) == (401, 401)


def test_attendance_is_taken_as_the_page_says(reader: Reader, google: DemoGoogle) -> None:
    reader.sign_in(google)
    class_ = reader.send(
        "POST", "/classes", {"code": "CS301", "name": "Operating Systems", "section": "A"}, 201
    )["id"]
    rolls = ["23/CS/107", "23/CS/108"]
    roster = {"students": [{"rollNo": roll, "name": f"Student {roll[-3:]}"} for roll in rolls]}
    assert reader.send("PUT", f"/classes/{class_}/students", roster, 200)["added"] == rolls

    reader.known["class-uuid"] = class_
    status, opened = reader.run(CREATE_SESSION)
    assert status == 200
    assert (opened["sessionDate"], opened["created"]) == ("2025-10-26", True)
    assert opened["processedImageUrl"] == "https://storage.example.com/evidence.jpg"
    assert reader.run(CREATE_SESSION)[1]["sessionId"] == opened["sessionId"]

    reader.known["session-uuid"] = opened["sessionId"]
    status, marked = reader.run(MARK)
    assert status == 200
    assert (marked["sessionId"], marked["version"]) == (opened["sessionId"], 1)
    assert marked["rejected"] == []
    first, second = marked["statuses"]
    assert (first["rollNo"], first["status"]) == ("23/CS/107", "present")
    assert (first["recognizedByAi"], first["similarityScore"]) == (True, 92.5)
    assert (second["rollNo"], second["status"]) == ("23/CS/108", "absent")
    assert (second["recognizedByAi"], second["similarityScore"]) == (False, None)
    assert reader.run(MARK) == (200, marked)

    span = f"classId={class_}&from=2025-10-01&to=2025-10-31"
    (session,) = reader.ask(f"/attendance/sessions?{span}")
    assert session["statuses"] == marked["statuses"]
    stats = reader.ask(f"/stats/classes/{class_}/students")
    assert [(s["rollNo"], s["present"], s["absent"], s["total"]) for s in stats] == [
        ("23/CS/107", 1, 0, 1),
        ("23/CS/108", 0, 1, 1),
    ]


def test_the_addresses_of_the_page_answer(server: Server) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/health"):
        assert server.get(path)[0] == 200
    assert '"status":"healthy"' in server.get("/health")[1]
