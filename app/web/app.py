"""The web process: routes, what stands before them, what starts and stops with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter, FastAPI

from app.appeals.office import OfficeKeeper
from app.appeals.pictures import PictureLimits
from app.audit.reads import ReadTrail
from app.kernel.parts import WebParts
from app.media.rules import parse_media_hosts
from app.media.service import MediaProxy
from app.web.api import appeals, approved, health, hooks, links, pages, replies, reports
from app.web.api.document import describe
from app.web.deps import PushGate, TokenCache, Web
from app.web.errors import add_error_handlers
from app.web.middleware import BODY_LIMIT, Edge

# Everything else demands a permission or, for a few, somebody who is signed in. /metrics has a guard of its own: a token of
# the settings, or whoever asks from this machine.
PUBLIC = frozenset(
    {
        "/api/v1/openapi.json",
        "/health/live",
        "/hooks/{platform}/{page}",
        "/health/ready",
        "/metrics",
        "/sign-in",
        "/sign-in/code",
        "/sign-in/second-factor",
        "/sign-in/oidc",
        "/sign-in/oidc/callback",
        "/invitation/{token}",
        "/invitation/{token}/oidc",
        "/static",
        "/favicon.ico",
        "/preferences",
    }
)
SIGNED_IN = frozenset(
    {
        "/",
        "/publishing/banner",
        "/sign-out",
        "/administration",
        "/permissions",
        "/account",
        "/account/notices",
        "/account/notices/address",
        "/account/notices/code",
        "/account/notices/hours",
        "/account/notices/remove",
        "/account/password",
        "/account/second-factor",
        "/account/second-factor/codes",
        "/account/second-factor/off",
        "/account/sessions/end-others",
        "/account/sessions/{session_id}/end",
    }
)

_API = (appeals.router, links.router, replies.router, pages.router, approved.router, reports.router, health.router, hooks.router)


def create_app(parts: WebParts) -> FastAPI:
    """The application over these parts."""
    by_worker = frozenset(
        platform for platform, plugin in parts.plugins.items() if any(one.verb == "fetch_media" for one in plugin.capabilities)
    )
    hosts = replace(parse_media_hosts(parts.media_hosts), by_worker=by_worker)
    pictures = PictureLimits(most=parts.answer_pictures, most_bytes=parts.answer_picture_bytes)
    web = Web(
        parts=parts,
        office=OfficeKeeper(parts.database, parts.clock),
        tokens=TokenCache(parts.database, parts.clock),
        media=MediaProxy(hosts, parts.media_folder, cache_bytes=parts.media_cache_mb * 1_000_000),
        reads=ReadTrail(parts.database),
        pushes=PushGate(),
        pictures=pictures,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.live.start()
        web.reads.start()
        try:
            yield
        finally:
            await parts.live.stop()
            await web.reads.stop()
            await parts.database.dispose()

    app = FastAPI(
        lifespan=lifespan, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )  # fmt: skip
    app.state.web = web
    describe(app)
    add_error_handlers(app)
    for router in _API:
        _include(app, router)
    _add_screens(app, parts)
    app.add_middleware(Edge, secure=parts.secure_cookies, upload_limit=BODY_LIMIT + pictures.most * pictures.most_bytes)
    return app


def _add_screens(app: FastAPI, parts: WebParts) -> None:
    """The screens: their `router`, and their `install(app, parts)` for static files and `app.state.problem_page`."""
    if find_spec("app.web.ui.routes") is None:
        return
    routes = import_module("app.web.ui.routes")
    router, install = getattr(routes, "router", None), getattr(routes, "install", None)
    if router is not None:
        app.include_router(router, include_in_schema=False)
    if install is not None:
        install(app, parts)


def _include(app: FastAPI, router: APIRouter) -> None:
    """The router's routes as they are: each carries its own prefix and dependencies, so nothing is combined per request."""
    app.router.routes.extend(router.routes)
