"""The application: it puts routers, middleware and error handlers together."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from app import documentation, logs, openapi, problems
from app.auth.google_verify import google_verifier
from app.auth.jwt import Tokens
from app.auth.oidc import providers_of
from app.auth.rates import Rates
from app.config import ConfigError, Settings, load_settings, warnings_for
from app.db import Database, open_database
from app.dispatch import Dispatch
from app.errors import Unavailable
from app.heavy import TURN_SECONDS, Bulkhead
from app.importer import Importer
from app.logs import logger
from app.metrics import Metrics
from app.middleware import EveryRequest, Guard
from app.routes import (
    auth_routes,
    calendar_routes,
    health_routes,
    my_routes,
    stats_routes,
    student_routes,
    user_routes,
)
from app.routes.admin import (
    admin_routes,
    import_routes,
    import_run_routes,
    institution_routes,
    policy_routes,
)
from app.routes.attendance import (
    attendance_routes,
    leave_routes,
    lifecycle_routes,
    question_routes,
    register_routes,
)
from app.routes.classes import class_routes, occurrence_routes, timetable_routes
from app.services import health
from app.version import VERSION
from app.web import routers as web

# Uvicorn's exit code for a failed start, after which Gunicorn does not restart the worker.
CANNOT_START = 3

ROUTERS = tuple(
    routes.router
    for routes in (
        auth_routes,
        user_routes,
        student_routes,
        class_routes,
        timetable_routes,
        occurrence_routes,
        my_routes,
        attendance_routes,
        lifecycle_routes,
        register_routes,
        leave_routes,
        question_routes,
        stats_routes,
        institution_routes,
        calendar_routes,
        admin_routes,
        import_routes,
        import_run_routes,
        policy_routes,
        health_routes,
    )
)


def create_app(settings: Settings) -> FastAPI:
    """Create the API, which is ready to serve once its lifespan has begun."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        lifespan=_lifespan,
        redirect_slashes=False,
        # Traces would contain paths and queries, which contain roll numbers.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.settings = settings
    app.state.tokens = Tokens(settings)
    app.state.rates = Rates(settings.failed_sign_ins_per_minute, settings.redis_url)
    app.state.providers = providers_of(settings)
    app.state.importer = Importer(settings)
    app.state.bulkhead = Bulkhead()
    app.state.draining = False
    app.state.metrics = Metrics() if settings.metrics else None
    app.openapi = openapi_document  # type: ignore[method-assign]
    problems.install(app)
    _add_middleware(app, settings)
    _add_routes(app)
    if settings.console:
        for router in web.ROUTERS:
            app.router.routes.extend(router.routes)
    if settings.docs:
        documentation.add_to(app)
    if settings.metrics and not settings.metrics_address:
        _add_metrics(app)
    _match_whole_paths(app)
    app.router.middleware_stack = Dispatch(app.router.middleware_stack, app.routes)
    return app


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, which does not depend on the settings."""
    return openapi.document_of([r for router in ROUTERS for r in router.routes], VERSION)


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add middleware, from the innermost to the outermost."""
    app.add_middleware(Guard, routes=app.routes)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "X-Request-ID"],
            expose_headers=["Content-Disposition", "ETag", "Link", "Retry-After", "X-Request-ID"],
            max_age=3600,
        )
    app.add_middleware(EveryRequest, metrics=app.state.metrics)


def _add_routes(app: FastAPI) -> None:
    """Put all routes into one list: an included router is matched twice per request.

    Routes are tried one after another, so the most frequently requested ones come first.
    """
    for router in sorted(ROUTERS, key=lambda router: router is not attendance_routes.router):
        app.router.routes.extend(router.routes)


def _match_whole_paths(app: FastAPI) -> None:
    """Reject paths that end with a line feed, which the `$` in the framework's patterns allows."""
    for route in app.routes:
        if isinstance(route, Route | Mount):
            # The routes of the routers are shared by all apps of a process.
            pattern = route.path_regex.pattern.removesuffix("$").removesuffix(r"\Z")
            route.path_regex = re.compile(rf"{pattern}\Z")


def _add_metrics(app: FastAPI) -> None:
    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    sys.setswitchinterval(TURN_SECONDS)
    _announce_draining(app)
    for warning in warnings_for(settings):
        logger.warning("%s", warning)
    async with open_database(settings.database_url, settings.timezone) as database:
        app.state.database = database
        app.state.google = google_verifier(settings)
        await _say_what_is_missing(database)
        async with app.state.importer.at_work(database):
            with _metrics_served(app):
                yield
        app.state.draining = True
        for provider in (app.state.google, *app.state.providers.values()):
            await provider.close()
        await app.state.rates.close()


def _metrics_served(app: FastAPI) -> AbstractContextManager[None]:
    metrics: Metrics | None = app.state.metrics
    address: str | None = app.state.settings.metrics_address
    return metrics.served(address) if metrics and address else nullcontext()


def _announce_draining(app: FastAPI) -> None:
    """Make readiness fail from the moment the process is told to stop.

    It goes on serving for `drain_seconds`, until a proxy has noticed that.
    """
    former = signal.getsignal(signal.SIGTERM)
    loop, seconds = asyncio.get_running_loop(), app.state.settings.drain_seconds

    def drain(number: int, frame: Any) -> None:
        app.state.draining = True
        if callable(former) and seconds:
            loop.call_later(seconds, former, number, None)
        elif callable(former):
            former(number, frame)

    if callable(former):
        # Only the main thread can set signal handlers; an app run in another goes without.
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, drain)


async def _say_what_is_missing(database: Database) -> None:
    try:
        async with asyncio.timeout(5):
            await health.require_current_schema(database)
    except (Unavailable, TimeoutError) as missing:
        detail = missing.detail if isinstance(missing, Unavailable) else "The database is slow."
        logger.warning("%s Requests are answered with 503 until it does.", detail)


def __getattr__(name: str) -> FastAPI:
    """Create `app.main:app` when a server asks for it, so that importing the module is cheap."""
    if name != "app":
        raise AttributeError(name)
    try:
        settings = load_settings()
    except ConfigError as error:
        print(f"AIMS cannot start with these settings:\n{error}", file=sys.stderr)
        sys.exit(CANNOT_START)
    logs.configure(debug=settings.debug)
    return create_app(settings)
