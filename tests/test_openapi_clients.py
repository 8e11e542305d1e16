"""The OpenAPI document is fit for generating clients, and its examples are true."""

import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from pydantic import TypeAdapter

from app.files.sheets.batches import read_batch
from app.problems import Problem
from app.schemas.imports import Kind
from scripts.write_openapi import FILE, text
from tests.scene import Scene, scene
from tests.support import MODELS, ROUTES
from tests.test_authorization import MARKS, TABLE
from tests.test_openapi import DOCUMENT, OPERATIONS, answers_of, every_part

__all__ = ["scene"]  # a fixture, used by its name

CLIENT = Path("clients/typescript")
BODIES = {
    route.operation_id: TypeAdapter(route.body_field.field_info.annotation)
    for route in ROUTES
    if route.body_field
}
NAMES = {operation["operationId"]: operation for operation in OPERATIONS.values()}
SENT = {
    name: body["example"]
    for name, operation in NAMES.items()
    for kind, body in operation.get("requestBody", {}).get("content", {}).items()
    if kind == "application/json"
}
PROBLEM = TypeAdapter(Problem)


def test_the_committed_file_is_the_apps_document() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), (
        "docs/openapi.json is out of date. Run .venv/bin/python scripts/write_openapi.py"
    )


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV30SpecValidator(DOCUMENT).validate()


def test_every_body_has_an_example() -> None:
    assert SENT.keys() == BODIES.keys()
    bodies = [part for part in every_part(DOCUMENT) if "schema" in part and "in" not in part]
    headers = DOCUMENT["components"]["headers"].values()
    assert all("example" in part for part in [*bodies, *headers])


@pytest.mark.parametrize("name", SENT)
def test_every_example_of_a_request_is_valid(name: str) -> None:
    BODIES[name].validate_json(json.dumps(SENT[name]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uploadAllowedEmails", Kind.FACULTY),
        ("importRoster", Kind.STUDENTS),
        ("importFile", Kind.STUDENTS),
    ],
)
def test_every_example_of_a_csv_is_valid(name: str, kind: Kind) -> None:
    example = NAMES[name]["requestBody"]["content"]["text/csv"]["example"]
    batch = read_batch(kind, example.encode(), in_class=name == "importRoster")
    assert batch.faculty or batch.students
    assert (batch.refusals, batch.ignored) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_an_answer_is_valid(name: str) -> None:
    for status, answer in answers_of(NAMES[name]).items():
        model = MODELS.get(name) if int(status) < 400 else PROBLEM
        for kind, body in answer.get("content", {}).items():
            if kind.endswith("json"):
                assert model, name
                model.validate_json(json.dumps(body["example"]))


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(SENT.keys() - {"signIn"}))
async def test_every_example_of_a_request_works(scene: Scene, name: str) -> None:
    case, body = TABLE[name], dict(SENT[name])
    for field, thing in (("classId", "class"), ("otherId", "other"), ("sessionId", "late")):
        if field in body:
            body[field] = scene.ids[thing]
    meera = scene.stage.meera
    if name in ("markStudents", "requestLeave"):
        await meera.put(scene.fill("/classes/{class}/students"), SENT["putRoster"])
    path = scene.fill(case.path).partition("?")[0]
    person = scene.granted(case)
    answer = await person.request(case.method, path, json=body)
    assert answer.status_code == (case.admin if person is meera else case.student), answer.text


@pytest.mark.anyio
async def test_the_examples_of_refusals_match_the_server(scene: Scene) -> None:
    asha, class_ = scene.stage.asha, scene.fill("/classes/{class}")
    marks = scene.fill("/attendance/sessions/{session}/statuses")
    somewhere = "/classes/00000000-0000-4000-8000-000000000000"
    json_, empty = {"Content-Type": "application/json"}, {"updates": [{"status": "late"}]}
    refusals = [
        await asha.post("/classes", content="{", headers=json_),
        await scene.stage.nobody.get("/classes"),
        await scene.stage.bilal.get(class_),
        await asha.get(somewhere),
        await asha.put(marks, MARKS, headers={"If-Match": '"99"'}),
        await asha.post("/classes", content=" " * 3_000_000, headers=json_),
        await asha.post("/classes", content="x", headers={"Content-Type": "text/plain"}),
        await asha.put(marks, empty),
        await asha.delete(class_) and await asha.patch(class_, {"name": "Archived"}),
    ]
    described = {
        body["example"]["status"]: body["example"]
        for answer in DOCUMENT["components"]["responses"].values()
        for body in answer["content"].values()
    }
    for refusal in refusals:
        example = {**described[refusal.status_code], "instance": refusal.json()["instance"]}
        assert refusal.json() == example


def test_the_client_dependencies_are_pinned_and_name_no_registry() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    lock = (CLIENT / "package-lock.json").read_text()
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    first, *packages = json.loads(lock)["packages"].values()
    assert first["dependencies"] == package["dependencies"]
    assert all("integrity" in entry for entry in packages)
    assert '"resolved"' not in lock
    assert "registry" not in lock


def test_response_headers_are_declared() -> None:
    def declaring(header: str) -> set[str]:
        return {
            f"{name} {status}"
            for name, operation in NAMES.items()
            for status, answer in answers_of(operation).items()
            if header in answer["headers"]
        }

    every = {
        f"{name} {status}" for name, operation in NAMES.items() for status in operation["responses"]
    }
    assert declaring("X-Request-ID") == every
    answered = {
        name: json.dumps(op["responses"]["200"])
        for name, op in NAMES.items()
        if "200" in op["responses"]
    }
    sessions = {name for name, text in answered.items() if "SessionDetail" in text}
    questions = {"getQuestion", "answerQuestion"}
    versioned = {"openSession", "markStudents", "getSheet", *questions, *sessions}
    assert declaring("ETag") == {f"{name} 200" for name in versioned}
    paged = {
        name for name, operation in NAMES.items() if '"name": "cursor"' in json.dumps(operation)
    }
    assert declaring("Link") == {f"{name} 200" for name in paged}
    assert declaring("WWW-Authenticate") == {name for name in every if name.endswith("401")}
    assert declaring("Retry-After") == {name for name in every if name[-3:] in ("429", "503")}


def test_the_fields_of_a_patch_have_no_defaults() -> None:
    for operation in (op for name, op in OPERATIONS.items() if name.startswith("patch")):
        ((_, body),) = operation["requestBody"]["content"].items()
        fields = DOCUMENT["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
        assert not [field for field in fields["properties"].values() if "default" in field]


def test_the_tags_are_described_in_the_order_of_the_page() -> None:
    used = list(dict.fromkeys(op["tags"][0] for op in OPERATIONS.values()))
    assert [tag["name"] for tag in DOCUMENT["tags"]] == used
    assert all(tag["description"] for tag in DOCUMENT["tags"])
