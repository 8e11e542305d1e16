"""Calling the function of a route with the values it declares, without FastAPI's resolver.

FastAPI resolves the declaration of a route anew for each request, which takes half the time of a
small one. Nearly all our routes declare only parameters, a body, and dependencies that need the
request alone, so what to read is decided once, when the route is made
(docs/decisions/0019-what-a-small-request-does-not-pay-for.md). FastAPI keeps the rest: routes that
declare more, and requests with a value that is not valid, whose errors it reports.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from inspect import iscoroutinefunction
from typing import Any, cast, get_type_hints

from fastapi import Request, Response
from fastapi._compat import ModelField, field_annotation_is_scalar
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette._utils import is_async_callable
from starlette.responses import StreamingResponse

from app import heavy
from app.heavy import Bulkhead

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_Dependency = Callable[[Request], Coroutine[Any, Any, Any]]


class DeclaredRoute(APIRoute):
    """A route whose function is called with what it declares."""

    @cached_property
    def respond(self) -> Handler:
        """Answers a request to this route."""
        return self.get_route_handler()

    def get_route_handler(self) -> Handler:
        resolve = super().get_route_handler()
        handle = _caller(self, resolve) if is_plain(self) else resolve
        return _in_a_place(self, handle) if heavy.declared(self.endpoint) else handle


def _in_a_place(route: APIRoute, handle: Handler) -> Handler:
    """Has heavy requests wait for a place before they are handled."""
    is_heavy = heavy.declared(route.endpoint)
    assert is_heavy

    async def wait_and_handle(request: Request) -> Response:
        if not is_heavy(request.query_params):
            return await handle(request)
        # First, so that nobody has a place while they are still sending.
        await request.body()
        bulkhead: Bulkhead = request.app.state.bulkhead
        person = request.state.actor.user_id
        async with bulkhead.place(person):
            response = await handle(request)
        if isinstance(response, StreamingResponse):
            response.body_iterator = bulkhead.in_parts(person, response.body_iterator)
        return response

    return wait_and_handle


@dataclass(frozen=True, slots=True)
class _Parameter:
    """`source` is the request's attribute that has it, `name` that of the function's argument."""

    source: str
    alias: str
    name: str
    required: bool
    default: Any
    validate: Callable[[Any], Any]

    def read(self, request: Request) -> Any:
        """The value; `ValueError` if it is missing or not valid."""
        text = getattr(request, self.source).get(self.alias)
        if text is not None:
            return self.validate(text)
        if self.required:
            raise ValueError(self.alias)
        return self.default


def _caller(route: APIRoute, resolve: Handler) -> Handler:
    """Calls the route's function; `resolve` is FastAPI's handler, for what is not valid."""
    declared, function = route.dependant, route.endpoint
    parameters = _parameters_of(declared)
    bodies = [(field.name, _validator(field)) for field in declared.body_params]
    dependencies = [
        (str(each.name), cast(_Dependency, each.call)) for each in declared.dependencies
    ]
    wants_request = declared.request_param_name

    async def call(request: Request) -> Response:
        try:
            values = {each.name: each.read(request) for each in parameters}
            for name, validate in bodies:
                values[name] = validate(await request.json())
        except ValueError:
            return await resolve(request)
        for name, depend in dependencies:
            values[name] = await depend(request)
        if wants_request:
            values[wants_request] = request
        response: Response = await function(**values)
        return response

    return call


def is_plain(route: APIRoute) -> bool:
    """Whether everything that the route declares can be read here."""
    declared = route.dependant
    parameters = [*declared.path_params, *declared.query_params, *declared.header_params]
    return (
        iscoroutinefunction(route.endpoint)
        and get_type_hints(route.endpoint)["return"] is Response
        and all(field_annotation_is_scalar(field.field_info.annotation) for field in parameters)
        and not (route.body_field and route._embed_body_fields)
        and all(field.field_info.is_required() for field in declared.body_params)
        and all(_needs_request_alone(each) for each in declared.dependencies)
        and not declared.cookie_params
        and not declared.response_param_name
        and not declared.background_tasks_param_name
    )


def _needs_request_alone(dependency: Dependant) -> bool:
    more = (
        dependency.dependencies,
        dependency.path_params,
        dependency.query_params,
        dependency.header_params,
        dependency.cookie_params,
        dependency.body_params,
    )
    takes = dependency.request_param_name or dependency.http_connection_param_name
    return bool(takes) and is_async_callable(dependency.call) and not any(more)


def _parameters_of(declared: Dependant) -> list[_Parameter]:
    sources = {
        "path_params": declared.path_params,
        "query_params": declared.query_params,
        "headers": declared.header_params,
    }
    return [
        _Parameter(
            source,
            field.alias,
            field.name,
            field.field_info.is_required(),
            field.default,
            _validator(field),
        )
        for source, fields in sources.items()
        for field in fields
    ]


def _validator(field: ModelField) -> Callable[[Any], Any]:
    validate: Callable[[Any], Any] = field._type_adapter.validator.validate_python
    return validate
