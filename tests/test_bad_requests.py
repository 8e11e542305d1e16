"""Arbitrary text where a request holds no JSON: paths, queries, cursors, headers, ID tokens.

Whatever it is, the answer is a right one or a small refusal that does not repeat it."""

import base64
import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.rates import Rates
from app.demo.google import KEY_ID, DemoGoogle
from tests.classroom import ROLLS, Classroom
from tests.conftest import DOMAIN, Stage
from tests.fuzz import JUNK, MARK, Sent, assert_all_reads, assert_no_echo, drafts, examples, sent
from tests.support import ROUTES

pytestmark = pytest.mark.anyio

MISSING = "00000000-0000-4000-8000-000000000000"
ODD = st.sampled_from(["\0", "\ud800", "\xff", "\r\n", "%00", "../", "//", "'--", "1e9", "٣", "۲"])
# Half of it is text, half of it bytes that are no UTF-8.
TEXT = st.one_of(
    st.text(max_size=12).map(str.encode),
    st.binary(max_size=12),
    ODD.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.integers().map(lambda number: str(number).encode()),
    st.just(b"x" * 3000),
).map(lambda raw: MARK.encode() + raw)
VISIBLE = st.binary(max_size=40).map(lambda raw: bytes(c for c in raw if c > 31 and c != 127))
QUERIES = {
    "/classes": ("roster", "archived"),
    "{class}": ("roster",),
    "{class}/reschedules": ("from", "to"),
    "/attendance/sessions?classId={id}": ("from", "to", "limit", "cursor"),
    "/attendance/sessions?": ("classId",),
    "/attendance/sessions/{session}/history": ("limit", "cursor"),
    "/stats/classes/{id}/students": ("include",),
}
# Right or nearly so: what a client could send that has read the documentation hastily.
_WORDS = ["true", "FALSE", "", "0", "1", "200", "201", "-1", " 5", "1_0", "9" * 5000, "withdrawn"]
_DATES = ["2025-10-27", "0001-01-01", "9999-12-31", "2025-13-01"]
_CURSORS = ["2025-10-27T", "2025-10-27T09:00", "2025-10-27T24:00", "9999-12-31T", "0000-01-01T"]
_CURSORS += ["0~", "1~x", "999999999~\0", "9999999999~x"]
NEARLY = st.sampled_from([*_WORDS, *_DATES, *_CURSORS]).map(str.encode)


def assert_answered(answer: httpx2.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.is_error:
        assert_no_echo(answer)


@examples(120)
@given(query=st.sampled_from(sorted(QUERIES)), text=TEXT | NEARLY, data=st.data())
async def test_any_text_in_a_query_is_answered(
    stage: Stage, room: Classroom, query: str, text: bytes, data: st.DataObject
) -> None:
    session = await room.open()
    await room.mark(session, {ROLLS[0]: "present"})
    name = data.draw(st.sampled_from(QUERIES[query]))
    path = query.replace("{class}", room.path).replace("{id}", room.id)
    path = path.replace("{session}", session)
    joint = "&" if "?" in path else "?"
    assert_answered(await stage.asha.get(f"{path}{joint}{name}={quote(text)}"))


@pytest.mark.parametrize("cursor", _CURSORS)
async def test_a_handmade_cursor_is_answered(stage: Stage, room: Classroom, cursor: str) -> None:
    for path in ("?classId=" + room.id, f"/{await room.open()}/history?limit=1"):
        answer = await stage.asha.get(f"/attendance/sessions{path}&cursor={quote(cursor)}")
        assert answer.status_code in {200, 422}


@examples(120)
@given(route=st.sampled_from(ROUTES), text=TEXT)
async def test_any_text_for_an_id_is_answered(
    stage: Stage, room: Classroom, route: Any, text: bytes
) -> None:
    path = route.path.replace("{id}", quote(text, safe=""), 1)
    path = path.replace("{scheduleId}", quote(text)).replace("{rescheduleId}", MISSING)
    body = {"json": {"students": []}} if "PUT" in route.methods else {}
    answer = await stage.asha.request(next(iter(route.methods)), path, **body)
    assert_answered(answer)
    if answer.is_success:
        await assert_all_reads(room)


HEADERS = st.dictionaries(
    st.sampled_from(
        ["If-Match", "X-Request-ID", "Content-Type", "Accept", "Host", "Content-Length", "Origin"]
    ),
    st.one_of(
        VISIBLE.map(lambda raw: MARK.encode() + raw),
        st.sampled_from([b"*", b'"0"', b'W/"1", "7"', b'"' + b"9" * 5000 + b'"', b",", b"", b"["]),
        st.sampled_from([b"application/json; charset=utf-16", b"application/x+json", b"text/json"]),
    ),
    min_size=1,
)


@examples(120)
@given(headers=HEADERS)
async def test_any_text_in_a_header_is_answered(
    stage: Stage, room: Classroom, headers: dict[str, bytes]
) -> None:
    session = await room.open()
    await room.open("2025-10-20")
    raw = {name.encode(): value for name, value in headers.items()}
    raw[b"Authorization"] = f"Bearer {stage.asha.token}".encode()
    body = {"updates": [{"rollNo": ROLLS[0], "status": "late"}]}
    client = stage.asha.client
    for method, path, more in (
        ("PUT", f"/attendance/sessions/{session}/statuses", {"content": json.dumps(body)}),
        ("GET", f"/attendance/sessions?classId={room.id}&limit=1", {}),
        ("GET", "/users/me", {}),
    ):
        answer = await client.request(method, path, headers=raw, **more)
        assert answer.status_code < 500, answer.text
        assert MARK not in answer.text.replace(answer.headers["x-request-id"], "")
        if method == "PUT" and answer.is_success:
            await assert_all_reads(room, session)


@examples(80)
@given(
    request_id=VISIBLE | st.from_regex(r"[A-Za-z0-9._:+-]{1,130}", fullmatch=True).map(str.encode)
)
async def test_any_request_id_is_kept_or_replaced(stage: Stage, request_id: bytes) -> None:
    answer = await stage.nobody.get("/users/me", headers={b"X-Request-ID": request_id})
    used = answer.headers["x-request-id"]
    kept = request_id.decode("latin-1") == used
    assert kept or UUID(used).version == 4
    plain = request_id.replace(b"_", b"-").replace(b":", b"-").replace(b"+", b"-")
    assert kept == (0 < len(request_id) <= 128 and is_well_formed(plain.replace(b".", b"-")))


def is_well_formed(request_id: bytes) -> bool:
    """Letters, digits and hyphens of ASCII alone."""
    return request_id.replace(b"-", b"0").isalnum()


JSON_PART = JUNK.map(lambda value: part(value)) | st.sampled_from(["", "e30", "!", "Ww" * 900])


def part(value: Any) -> str:
    """A part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEAD = st.fixed_dictionaries(
    {}, optional={"alg": JUNK | st.just("HS256"), "typ": JUNK | st.just("at+jwt"), "kid": JUNK}
).map(part)
TOKENS = st.one_of(
    TEXT.map(lambda raw: raw.decode("latin-1")),
    st.tuples(HEAD | JSON_PART, JSON_PART, JSON_PART).map(".".join),
    st.integers(1, 1500).map(lambda depth: "W1tb" * depth + ".e30.eA"),
)


@examples(100)
@given(token=TOKENS, scheme=st.sampled_from(["Bearer ", "bearer  ", "Basic ", "", "Bearer"]))
async def test_any_authorization_is_a_401(stage: Stage, token: str, scheme: str) -> None:
    visible = "".join(c for c in scheme + token if c.isprintable() and c < "\u0100")
    headers = {b"Authorization": visible.encode("latin-1")}
    answer = await stage.nobody.get("/classes", headers=headers)
    assert answer.status_code == 401
    assert_no_echo(answer)


CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "name": JUNK,
        "sub": JUNK,
        "hd": JUNK,
        "email_verified": JUNK,
        "aud": JUNK,
        "nonce": JUNK,
        "exp": JUNK,
        "iat": JUNK,
        "nbf": JUNK,
        "email": JUNK,
    },
)


@examples(60)
@given(claims=CLAIMS)
async def test_any_claims_google_signs_are_answered(
    stage: Stage, google: DemoGoogle, claims: dict[str, Any]
) -> None:
    stage.app.state.rates = Rates(10_000)
    try:
        token = google.signer.sign(f"asha@{DOMAIN}", **claims)
    except (ValueError, TypeError):  # the library that signs refuses some of it
        return
    answer = await stage.nobody.post("/auth/google", {"idToken": token})
    assert answer.status_code in {200, 401, 403, 422}
    assert (await stage.asha.get("/users/me")).status_code == 200


@examples(80)
@given(body=sent(drafts({"idToken": TOKENS | st.just(part({"alg": "RS256", "kid": KEY_ID}))})))
async def test_any_sign_in_is_refused_and_not_repeated(stage: Stage, body: Sent) -> None:
    stage.app.state.rates = Rates(10_000)
    headers = {"Content-Type": "application/json"}
    answer = await stage.nobody.request("POST", "/auth/google", content=body.raw, headers=headers)
    assert answer.status_code in {400, 401, 422}
    assert_no_echo(answer)
