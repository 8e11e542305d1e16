"""Bodies around what the API expects, for Hypothesis, and what must hold of every answer.

Every text and every unknown name in them holds `MARK`, so that an answer that repeats
what was sent can be told.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel, to_snake

from tests.classroom import Classroom
from tests.support import Person

MARK = "Zq9xKw"
REFUSED = {400, 403, 404, 409, 413, 415, 422}
JSON = {"Content-Type": "application/json"}

_VISIBLE = st.characters(exclude_categories=("Cs", "Cc"))
_NASTY = st.sampled_from(["\x00", "\ud800", "\udfff", "\x1b[31m", "\x85", "\n", "\u202e", "\ufeff"])
_SCRIPTS = st.sampled_from(
    ["अंजलि", "நந்தினி", "محمّد", "李小龍", "Ἀριάδνη", "🧑🏽\u200d🎓", "ﬁ ǅ ß İ", "e\u0301"]
)
_NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400, 10**4000, 1e308, 5e-324, -0.0]),
)


def text_up_to(length: int) -> st.SearchStrategy[str]:
    """Text that a field of that length takes: any script, and just as long as allowed."""
    return st.one_of(
        st.text(_VISIBLE, max_size=12).map(lambda text: MARK + text),
        _SCRIPTS.map(lambda text: f" {MARK}{text}\u2003"),
        st.builds(
            lambda size, char: MARK + char * (size - len(MARK)),
            st.sampled_from([length - 1, length]),
            _VISIBLE,
        ),
    )


NASTY_TEXT = st.tuples(st.text(max_size=5), _NASTY, st.text(max_size=5)).map(
    lambda parts: MARK + "".join(parts) + "."
)
_WRONG_TEXT = st.one_of(
    NASTY_TEXT,
    st.sampled_from([199, 200, 201, 254, 255, 256, 1000, 1001, 2049]).map(MARK.ljust),
    st.sampled_from([201, 256, 1001, 16_385]).map(lambda size: MARK.ljust(size, "x")),
    st.sampled_from(["", " ", "\t", "\u2003"]),
)
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _WRONG_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_WRONG_TEXT, inner, max_size=3)
    ),
    max_leaves=5,
)


@dataclass(frozen=True)
class Draft:
    """A JSON value. A `clean` one is right in every field by itself."""

    value: Any
    clean: bool

    @property
    def fields(self) -> dict[str, Any]:
        """The fields by their camelCase names."""
        return {to_camel(to_snake(name)): value for name, value in self.value.items()}


@dataclass(frozen=True)
class Sent(Draft):
    """A draft and the bytes it travels as."""

    raw: bytes


@st.composite
def drafts(
    draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]], optional: tuple[str, ...] = ()
) -> Draft:
    """Objects with these fields; half of them have a damaged, missing or unknown field."""
    spoilt = draw(st.one_of(st.just(set()), st.sets(st.sampled_from(sorted(fields)), max_size=2)))
    value = {}
    for name, right in fields.items():
        spelling = draw(st.sampled_from([name, name, to_snake(name)]))
        if name in spoilt:
            value[spelling] = draw(JUNK | NASTY_TEXT)
        elif name not in optional or draw(st.booleans()):
            value[spelling] = draw(right)
    unknown = draw(st.integers(0, 9)) == 9
    if unknown:
        value[draw(_WRONG_TEXT)] = draw(JUNK)
    return Draft(value, not (spoilt or unknown))


@st.composite
def lists_of(draw: st.DrawFn, name: str, entries: st.SearchStrategy[Draft]) -> Draft:
    """`{name: [...]}` with up to four entries, rarely with an entry of the wrong kind."""
    drawn = draw(st.lists(entries, max_size=4))
    value: list[Any] = [entry.value for entry in drawn]
    clean = all(entry.clean for entry in drawn)
    if draw(st.integers(0, 9)) == 9:
        value.insert(draw(st.integers(0, len(value))), draw(JUNK))
        clean = False
    return Draft({name: value}, clean)


@st.composite
def sent(draw: st.DrawFn, source: st.SearchStrategy[Draft]) -> Sent:
    """Drafts as bytes: escaped or not, with a repeated key (the last one counts), or junk."""
    draft = draw(source)
    if draw(st.integers(0, 14)) == 14:
        draft = Draft(draw(JUNK), False)
    raw = _bytes_of(draft.value, draw(st.booleans()))
    if isinstance(draft.value, dict) and draft.value and draw(st.integers(0, 9)) == 9:
        key, junk = json.dumps(next(iter(draft.value))), draw(JUNK)
        raw = b"{%s:%s," % (key.encode(), _bytes_of(junk, True)) + raw[1:]
        draft = Draft(draft.value, False)
    return Sent(draft.value, draft.clean, raw)


def _bytes_of(value: Any, escaped: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


def examples(number: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=number,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


async def send(person: Person, method: str, path: str, body: Sent) -> httpx2.Response:
    return await person.request(method, path, content=body.raw, headers=JSON)


def accepted(answer: httpx2.Response, body: Draft, *also: int) -> bool:
    """Whether it was stored. A refusal must be one, and small, and must not quote; a clean
    body may be refused only with one of `also`."""
    if answer.is_success:
        return True
    assert answer.status_code in REFUSED, answer.text
    assert_no_echo(answer)
    assert not body.clean or answer.status_code in also, answer.text
    return False


def assert_no_echo(answer: httpx2.Response) -> None:
    # That a problem is small and of the one shape, `Person` checks of every answer.
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)


async def assert_all_reads(room: Classroom, session: str | None = None) -> None:
    """Everything a teacher reads still answers."""
    paths = [
        "/classes",
        room.path,
        f"/attendance/sessions?classId={room.id}",
        f"/stats/classes/{room.id}/students",
        f"/stats/classes/{room.id}/sessions",
        f"{room.path}/occurrences",
        f"{room.path}/calendar.ics",
        f"{room.path}/register",
        *([f"/attendance/sessions/{session}/history"] if session else []),
    ]
    for path in paths:
        answer = await room.teacher.get(path)
        assert answer.status_code == 200, (path, answer.text)


async def read(person: Person, path: str) -> dict[str, Any]:
    answer = await person.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()
