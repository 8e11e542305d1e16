"""The route that CONTRIBUTING.md adds as an example, added as written there."""

import re
from importlib import import_module
from textwrap import dedent
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import TypeAdapter

from tests import test_authorization, test_stats
from tests.classroom import Classroom
from tests.conftest import Stage
from tests.processes import ROOT
from tests.test_authorization import STAFF, Case

pytestmark = pytest.mark.anyio

CHAPTER = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## Adding a route\n")[2]
STEP = re.compile(r"^\d\. \*\*.*?`(\w+/[\w/]+)\.py`.*?```python\n(.*?) *```", re.DOTALL)


def code_of_steps() -> dict[str, str]:
    """The code of each step that has any, by the module it belongs into."""
    steps = re.split(r"\n(?=\d\. \*\*)", CHAPTER.partition("\n## ")[0])
    found = [match for match in map(STEP.match, steps) if match]
    return {match[1].replace("/", "."): dedent(match[2]) for match in found}


CODE = code_of_steps()


def added_to(module: Any, code: str, **more: Any) -> dict[str, Any]:
    """The names that the code defines in the module, where it also knows `more`."""
    known = {**vars(module), **more}
    there = dict(known)
    exec(code, there)
    return {name: value for name, value in there.items() if name not in known}


@pytest.fixture
def model(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> TypeAdapter[Any]:
    """What the route answers, which is served during the test."""
    words, rule, face = (import_module(place) for place in CODE if place.startswith("app."))
    kinds = added_to(words, CODE[words.__name__])
    for name, value in added_to(rule, CODE[rule.__name__], **kinds).items():
        monkeypatch.setattr(rule, name, value, raising=False)
    router = APIRouter(prefix=face.router.prefix, route_class=face.router.route_class)
    added_to(face, CODE[face.__name__], **kinds, router=router)
    monkeypatch.setattr(app.router, "routes", [*router.routes, *app.router.routes])
    (route,) = router.routes
    return TypeAdapter(route.response_model)  # type: ignore[attr-defined]


async def test_the_example_of_a_route_does_what_its_own_test_says(
    stage: Stage, room: Classroom, model: TypeAdapter[Any]
) -> None:
    ((name, test),) = added_to(test_stats, CODE[test_stats.__name__]).items()
    assert name.startswith("test_")
    await test(stage, room)
    answer = await stage.asha.get(f"/stats/classes/{room.id}/weekdays")
    assert model.validate_json(answer.content)


async def test_the_example_of_a_route_answers_each_as_its_line_of_the_table_says(
    stage: Stage, room: Classroom, model: TypeAdapter[Any]
) -> None:
    line = CODE[test_authorization.__name__]
    ((operation, case),) = eval(f"{{{line}}}", {"Case": Case}).items()
    assert stage.app.router.routes[0].operation_id == operation
    for name in {*STAFF, "nobody", "ravi", "omar"} - {"chitra", "esha"}:
        person = getattr(stage, name)
        answer = await person.request(case.method, case.path.replace("{class}", room.id))
        assert answer.status_code == case.expected(name), name
