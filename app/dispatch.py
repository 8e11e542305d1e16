"""Finding the route of a request by its address, without trying all of them.

FastAPI tries its routes one after another, which takes a quarter of a millisecond for the last of
two hundred, and opens two exit stacks for each request, although one serves for all dependencies.
"""

from collections import defaultdict
from collections.abc import Iterable

from fastapi import Request
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.declared import DeclaredRoute

_Key = tuple[str, str, int]


class Dispatch:
    """Calls the route that a request is for, if it is a `DeclaredRoute`; otherwise `app`.

    It stands where FastAPI's router would, inside the handling of exceptions.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes: dict[_Key, list[DeclaredRoute]] = defaultdict(list)
        for route in routes:
            if isinstance(route, DeclaredRoute):
                for key in _keys_of(route):
                    self._routes[key].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.route_of(scope)
        if route is None:
            await self._app(scope, receive, send)
            return
        # FastAPI's resolver wants two stacks of its own, for what a dependency would leave behind.
        stack = scope["fastapi_middleware_astack"]
        scope["fastapi_inner_astack"] = scope["fastapi_function_astack"] = stack
        response = await route.respond(Request(scope, receive))
        await response(scope, receive, send)

    def route_of(self, scope: Scope) -> DeclaredRoute | None:
        """The first route that matches; its parameters are put into the scope."""
        if scope["type"] != "http" or scope.get("root_path"):
            return None
        path = scope["path"]
        for route in self._routes.get(_key(scope["method"], path), ()):
            if found := route.path_regex.match(path):
                scope["route"], scope["endpoint"] = route, route.endpoint
                scope["path_params"] = found.groupdict()
                return route
        return None


def _keys_of(route: DeclaredRoute) -> list[_Key]:
    within_a_part = all(type(c) is StringConvertor for c in route.param_convertors.values())
    return [_key(method, route.path) for method in route.methods or ()] if within_a_part else []


def _key(method: str, path: str) -> _Key:
    """What all addresses of a route have in common: the first part, and the number of parts."""
    parts = path.split("/")
    return method, parts[1] if len(parts) > 1 else "", len(parts)
