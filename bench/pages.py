"""`python -m bench.pages`: the CPU of each page of the console, against that of its API requests.

On the data of the benchmark, one connection, page and requests by turns. The goal is at most twice
the CPU, of server and PostgreSQL together, of the requests that a page stands on, or 2 ms.
"""

import asyncio
import http.client
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import asyncpg

from bench.data import database, fill, id_of, token_of
from bench.machine import cpu_seconds
from bench.servers import AIMS, running

ROUNDS = 3
# How often a page is asked for in a round; those of the office take up to half a second.
OFTEN, RARELY = 200, 10
HEADING = (
    "                                  page: CPU ms    requests: CPU ms   ratio\n"
    "                                server postgres   server postgres  of sums       KB"
)
TEACHER, ADMIN = 1, 200
CLASS, SESSION = id_of("class1"), id_of("session1-3")
DAY = "2026-06-04"


@dataclass(frozen=True)
class Page:
    """The path of a page, and those of the requests that it stands on."""

    path: str
    requests: tuple[str, ...]
    user: int = TEACHER

    @property
    def times(self) -> int:
        return RARELY if self.user == ADMIN else OFTEN


_SESSION = f"/attendance/sessions/{SESSION}"
_SPAN = "?from=2026-05-28&to=2026-06-11"
PAGES = (
    Page(f"/app/today?on={DAY}", (f"/my/day?date={DAY}",)),
    Page(f"/app/take/{SESSION}", (f"{_SESSION}/sheet",)),
    Page(f"/app/sessions/{SESSION}", (_SESSION, f"{_SESSION}/history", f"{_SESSION}/events")),
    Page("/app/classes", ("/classes?roster=false", "/calendar")),
    Page(
        f"/app/classes/{CLASS}",
        (
            f"/classes/{CLASS}",
            f"/classes/{CLASS}/occurrences{_SPAN}",
            f"/stats/classes/{CLASS}/students",
            f"/stats/classes/{CLASS}/sessions",
        ),
    ),
    Page(f"/app/classes/{CLASS}/roster", (f"/classes/{CLASS}",)),
    Page(
        f"/app/classes/{CLASS}/timetable",
        (f"/classes/{CLASS}", f"/classes/{CLASS}/occurrences{_SPAN}"),
    ),
    Page("/app/overview", ("/stats/overview", "/calendar"), ADMIN),
    Page("/app/missing", ("/stats/missing-sessions?limit=200",), ADMIN),
    Page("/app/below?threshold=90", ("/stats/defaulters?threshold=90&limit=200",), ADMIN),
)


@dataclass
class Client:
    """One connection to the server, signed in both ways."""

    connection: http.client.HTTPConnection
    pids: tuple[int, int]
    tokens: dict[int, str]

    def size_of(self, path: str, user: int) -> int:
        """The bytes of the answer, compressed if it is a page."""
        headers = {
            "Authorization": f"Bearer {self.tokens[user]}",
            "Cookie": f"aims_session={self.tokens[user]}",
            "Accept-Encoding": "gzip",
        }
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:300])
        return len(body)

    def cpu_of(self, paths: tuple[str, ...], page: Page) -> list[float]:
        """The CPU milliseconds of server and PostgreSQL for a request to each of the paths."""
        before = [cpu_seconds(pid) for pid in self.pids]
        for _ in range(page.times):
            for path in paths:
                self.size_of(path, page.user)
        after = [cpu_seconds(pid) for pid in self.pids]
        return [1000 * (b - a) / page.times for a, b in zip(before, after, strict=True)]


def measured(client: Client) -> Iterator[str]:
    """A line for each page: medians, and the ratio of the sums."""
    for page in PAGES:
        size = client.size_of(page.path, page.user)
        rounds = [
            client.cpu_of((page.path,), page) + client.cpu_of(page.requests, page)
            for _ in range(ROUNDS)
        ]
        own, own_db, api, api_db = (statistics.median(each) for each in zip(*rounds, strict=True))
        shown = page.path.replace(str(CLASS), "{id}").replace(str(SESSION), "{id}")
        yield (
            f"{shown:30}{own:9.2f}{own_db:9.2f}{api:9.2f}{api_db:9.2f}"
            f"{(own + own_db) / (api + api_db):8.2f}{size / 1024:9.1f}"
        )


async def make_admin(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "UPDATE allowed_emails SET role = 'admin' WHERE email = $1",
        f"t{ADMIN}@demo.university.example",
    )
    await connection.close()


def main() -> None:
    with database() as (postgres, url):
        print("Making 480,000 marks ...", flush=True)
        asyncio.run(fill(url))
        asyncio.run(make_admin(url))
        tokens = {user: token_of(user) for user in (TEACHER, ADMIN)}
        with running((AIMS,), url) as servers:
            at = servers[AIMS]
            connection = http.client.HTTPConnection("127.0.0.1", at.port)
            client = Client(connection, (at.process.pid, postgres.pid), tokens)
            print(HEADING)
            for line in measured(client):
                print(line, flush=True)


if __name__ == "__main__":
    main()
