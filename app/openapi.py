"""The OpenAPI document, adapted for readers and client generators.

It is generated from the routes and models. It differs from FastAPI's default in these points:

- It is OpenAPI 3.0, which client generators support well; 3.1 is still new to many of them.
- Every request and response body has a complete example. Models give the interesting values;
  the rest is filled in from the types.
- Error responses and headers are described once and referenced.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from app import problems
from app.errors import (
    AccessDenied,
    AppError,
    Conflict,
    Flaw,
    Invalid,
    Malformed,
    NotFound,
    NotSignedIn,
    Stale,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedMedia,
)

Part = dict[str, Any]

TITLE = "AIMS Attendance API"

_ABOUT = """\
Attendance for universities: classes, rosters, sessions, marks, statistics.

**To try it** in `/docs` with the demo of `./aims up`: get an ID token from the demo's stand-in
for Google (its address is shown under *Sign-in* in the terminal), send it to *Sign in with Google*,
press **Authorize** and paste the `token` of the answer. The examples use the demo's people, but
ids differ between installations: take one from *List classes*.

**Conventions:**

- JSON in camelCase; dates `2025-10-26`, times `09:00`, instants in UTC with `Z`.
- Every error is a [problem document](https://www.rfc-editor.org/rfc/rfc9457): `detail` is a
  sentence to show, `code` a stable word to act on, and for a 422 `errors` says where.
- 401: sign in with Google again. 503: try again after `Retry-After` seconds.
- Every write can be sent again if its answer was lost.
- `X-Request-ID` identifies the request; send your own, or one is generated.
- In a `PATCH`, fields left out stay as they are, and null clears a field that can be empty.
"""

_TAGS = {
    "Sign-in": "Exchange Google's ID token for a token of this API.",
    "People": "The signed-in person.",
    "Students": "What students see of their own, where they may sign in. For them alone.",
    "Classes": "Classes and who is enrolled in them. Teachers see their own, admins all.",
    "Timetable": "The weekly slots of a class, and single occurrences that were rescheduled.",
    "Occurrences": "When classes meet on dates, and whether attendance was taken.",
    "Attendance": "Open a session, mark its students, finalise it, read who changed what.",
    "Leave": "Leave of absence: request it and decide on it; marks show it as `excused`.",
    "Statistics": "Attendance of students and classes, and for admins of the institution.",
    "Calendar": "Terms and holidays. Everybody can read them, admins maintain them.",
    "Administration": "The allow-list, users, student records, the audit log, the policy. "
    "For admins; everybody can read the policy.",
    "Health": "For load balancers and monitoring. No sign-in.",
}

_REFUSALS: tuple[tuple[str, AppError], ...] = (
    (
        "Not JSON, or a header that cannot be read",
        Malformed("The body is not valid JSON in UTF-8.", code="malformed_json"),
    ),
    (
        "Not signed in, or no longer allowed: sign in again",
        NotSignedIn("Sign in first: send Authorization: Bearer and your token."),
    ),
    ("The actor has no access to it", AccessDenied("Access denied")),
    ("It does not exist", NotFound("There is no such class.")),
    (
        "It conflicts with what is stored",
        Conflict("This class is archived. Restore it to change it.", code="class_archived"),
    ),
    (
        "The session has changed since the version in `If-Match`",
        Stale("Somebody else has changed this attendance since. Reload it and try again."),
    ),
    ("Larger than 2 MiB, or a file than 10 MiB", TooLarge("The request is larger than 2 MiB.")),
    (
        "The media type is not supported here",
        UnsupportedMedia("Send JSON, with Content-Type: application/json."),
    ),
    (
        "A mistake in the request; `errors` says where",
        Invalid(
            "The request has a mistake (/updates/0/rollNo): This is required.",
            code="validation_failed",
            flaws=(Flaw("/updates/0/rollNo", "required", "This is required."),),
        ),
    ),
    (
        "Too many requests of this person, or too many failed sign-ins from this address; "
        "`Retry-After` says when to try again",
        TooMany("Too many requests. Please slow down.", retry_after=60),
    ),
    ("The server failed", AppError("Something went wrong on our side. Please try again.")),
    (
        "The database cannot answer just now; `Retry-After` says when to try again",
        Unavailable(
            "The database cannot answer just now. Please try again in a moment.",
            code="database_unavailable",
            retry_after=1,
        ),
    ),
)
_REQUEST_ID = "0b6f3a52-2f5e-4c8e-9a55-6a1f0f3b9d10"
_DONE = {"200": "Done", "201": "Created", "202": "Accepted", "204": "Deleted: no content"}


def _header(description: str, example: str | int) -> Part:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "schema": {"type": kind}, "example": example}


_HEADERS = {
    "X-Request-ID": _header("The id of the request: the client's, or a new one", _REQUEST_ID),
    "ETag": _header("The version of the session, for `If-Match`", '"3"'),
    "Link": _header(
        'The next page, if there is one: `<?query>; rel="next"`, relative to the request\'s URL',
        '<?limit=200&cursor=23%2Fcs%2F107>; rel="next"',
    ),
    "Location": _header(
        "Where to ask how far it is, relative to the request's URL",
        "imports/0b6f3a52-2f5e-4c8e-9a55-6a1f0f3b9d10",
    ),
    "Content-Disposition": _header(
        "The name to save the file under",
        'attachment; filename="register-CS301-A-2025-08-04-to-2025-08-29.csv"',
    ),
    "Retry-After": _header("Seconds to wait before trying again", 1),
    "WWW-Authenticate": _header("Always `Bearer`", "Bearer"),
}


def document_of(routes: Sequence[BaseRoute], version: str) -> Part:
    """The complete document of these routes."""
    document = get_openapi(
        title=TITLE,
        version=version,
        openapi_version="3.0.3",
        description=_ABOUT,
        license_info={"name": "MIT", "url": "https://opensource.org/license/mit"},
        servers=[{"url": "/", "description": "The server that gave this document"}],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        routes=routes,
    )
    components = document["components"]
    components["schemas"] = _with_problem(components["schemas"])
    for method, operation in _operations(document):
        _narrow(operation, method, components["schemas"])
    _speak_3_0(components["schemas"], components["schemas"])
    _speak_3_0(document["paths"], components["schemas"])
    components["headers"] = _HEADERS
    components["responses"] = dict(_refusal(*known) for known in _REFUSALS)
    for _, operation in _operations(document):
        _shape(operation, components["schemas"])
    for schema in components["schemas"].values():
        if schema["type"] == "object":
            # The models' example values are now in the examples of the bodies.
            schema.pop("example", None)
    _leave_room(document)
    return document


def _operations(document: Part) -> Iterator[tuple[str, Part]]:
    for item in document["paths"].values():
        yield from item.items()


def _with_problem(schemas: Part) -> Part:
    """The schemas by name, with our error model instead of FastAPI's."""
    own = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    ours = {**schemas, **own.pop("$defs"), "Problem": own}
    kept = sorted(ours.keys() - {"HTTPValidationError", "ValidationError"})
    return {name: ours[name] for name in kept}


def _leave_room(document: Part) -> None:
    """Forbid additional fields only in request bodies: answers may gain fields over time."""
    schemas = document["components"]["schemas"]
    sent: set[str] = set()
    found = {
        name
        for _, operation in _operations(document)
        for name in _named(operation.get("requestBody"))
    }
    while found:
        sent |= found
        found = {name for known in found for name in _named(schemas[known])} - sent
    for name in schemas.keys() - sent:
        schemas[name].pop("additionalProperties", None)


def _named(part: Any) -> Iterator[str]:
    """The schemas that the part refers to."""
    if isinstance(part, dict) and "$ref" in part:
        yield part["$ref"].rpartition("/")[2]
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from _named(inner)


def _narrow(operation: Part, method: str, schemas: Part) -> None:
    """Remove what is true of the model, but useless or dangerous for a client."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        schema.pop("description", None)  # the parameter has it
        if "anyOf" in schema:
            schema |= _not_null(schema)  # parameters cannot be null
    if method == "patch":
        (body,) = operation["requestBody"]["content"].values()
        for field in _resolved(body["schema"], schemas)["properties"].values():
            # Fields left out stay as they are: a client that sent defaults would overwrite them.
            field.pop("default", None)


def _speak_3_0(part: Any, schemas: Part) -> None:
    """Translate Pydantic's JSON Schema to OpenAPI 3.0, and drop titles made from names."""
    for inner in part.values() if isinstance(part, dict) else part:
        if isinstance(inner, dict | list):
            _speak_3_0(inner, schemas)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("title"), str):
        del part["title"]
    if isinstance(part.get("examples"), list):
        part["example"] = part.pop("examples")[0]
    if "const" in part:
        part["enum"] = [part.pop("const")]
    if "anyOf" in part:
        kind = _not_null(part)
        part |= {"type": _resolved(kind, schemas)["type"], "nullable": True, **kind}
    if "$ref" in part and len(part) > 1:
        # OpenAPI 3.0 ignores everything next to a reference.
        part["allOf"] = [{"$ref": part.pop("$ref")}]


def _not_null(schema: Part) -> Part:
    """Remove the choice between null and another schema, and return that other schema."""
    kinds: list[Part] = schema.pop("anyOf")
    (kind,) = (kind for kind in kinds if kind != {"type": "null"})
    return kind


def _refusal(meaning: str, error: AppError) -> tuple[str, Part]:
    """An error response and its name among the components."""
    names = ["X-Request-ID"]
    names += [name for name in problems.headers(error) if name in _HEADERS]
    content: Part = {
        "schema": {"$ref": f"#/components/schemas/{problems.Problem.__name__}"},
        "example": problems.problem_json(error, _REQUEST_ID),
    }
    return _name(error), {
        "description": meaning,
        "headers": _references("headers", names),
        "content": {"application/problem+json": content},
    }


def _name(error: AppError) -> str:
    return error.title.title().replace(" ", "")


_NAMES = {str(error.status): _name(error) for _, error in _REFUSALS}


def _references(kind: str, names: Sequence[str]) -> Part:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


def _shape(operation: Part, schemas: Part) -> None:
    operation.setdefault("security", [])
    for body in operation.get("requestBody", {}).get("content", {}).values():
        if "example" not in body:
            body["example"] = example_of(body["schema"], schemas)
    for status, response in operation["responses"].items():
        if status in _NAMES:
            (reference,) = _references("responses", [_NAMES[status]]).values()
            operation["responses"][status] = reference
            continue
        response["description"] = _DONE[status]
        response["headers"] = _references("headers", ["X-Request-ID", *response.get("headers", {})])
        for body in response.get("content", {}).values():
            body["example"] = example_of(body["schema"], schemas)


def example_of(schema: Part, schemas: Part, given: Any = None) -> Any:
    """An example of the schema: the given values, the rest made from its types."""
    if given is None and schema.get("nullable"):
        return None
    schema = _resolved(schema, schemas)
    kind, own = schema.get("type"), schema.get("example")
    if kind == "object" and "properties" in schema:
        given = {**(own or {}), **(given or {})}
        return {
            name: example_of(field, schemas, given.get(name))
            for name, field in schema["properties"].items()
            if name in given or name in schema.get("required", ())
        }
    given = given or own or given
    if kind == "array":
        items = [None] if given is None else given
        return [example_of(schema["items"], schemas, item) for item in items]
    if given is not None:
        return given
    if "enum" in schema:
        return schema["enum"][0]
    raise LookupError(f"There is no example of {schema}")


def _resolved(schema: Part, schemas: Part) -> Part:
    """The schema that a reference points to."""
    while "$ref" in schema or "allOf" in schema:
        reference = schema.get("$ref") or schema["allOf"][0]["$ref"]
        schema = schemas[reference.rpartition("/")[2]]
    return schema
