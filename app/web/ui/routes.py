"""The screens: what the web process installs of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import orjson
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount

from app.web.deps import csrf_token, web_of
from app.web.errors import PROBLEM_TYPE, Problem
from app.web.ui import (
    account,
    actions,
    administration,
    amending,
    api_tokens,
    appeal,
    approved,
    audit,
    calendars,
    connecting,
    home,
    live,
    media,
    new_appeal,
    norms,
    notice_rules,
    oidc,
    own_notices,
    page_care,
    pages,
    people,
    permissions,
    preferences,
    private,
    publishing,
    queue,
    report_files,
    reports,
    second_step,
    sign_in,
    subjects,
    triage,
    webhooks,
)
from app.web.ui.assets import StaticFiles
from app.web.ui.render import Assets, Renderer
from app.web.ui.report_views import Problem as ProblemView
from app.web.ui.visit import Visit, current_address, renderer_of, stranger_screen, wants_part

if TYPE_CHECKING:
    from app.kernel.parts import WebParts

# Order matters: /appeals/new stands before /appeals/{number}.
_ROUTERS = (
    sign_in.router,
    second_step.router,
    oidc.router,
    preferences.router,
    home.router,
    connecting.router,
    pages.router,
    page_care.router,
    queue.router,
    new_appeal.router,
    appeal.router,
    actions.router,
    amending.router,
    triage.router,
    report_files.router,
    reports.router,
    approved.router,
    publishing.router,
    media.router,
    live.router,
    account.router,
    own_notices.router,
    administration.router,
    audit.router,
    subjects.router,
    people.router,
    norms.router,
    calendars.router,
    notice_rules.router,
    private.router,
    permissions.router,
    api_tokens.router,
    webhooks.router,
)


def install(app: FastAPI, parts: WebParts) -> None:
    """Put the screens, their files and their error pages into the application."""
    renderer, files = _ground()
    app.state.renderer = renderer
    app.state.problem_page = problem_page
    app.state.oidc = oidc.make_provider(parts)
    for router in _ROUTERS:
        app.router.routes.extend(router.routes)
    app.router.routes.append(Mount("/static", app=files, name="static"))
    app.add_api_route("/favicon.ico", _icon, methods=["GET"], include_in_schema=False)


@cache
def _ground() -> tuple[Renderer, StaticFiles]:
    """What is read from our own files, once a process."""
    assets = Assets()
    return Renderer(assets=assets), StaticFiles(assets.folder, assets.versions())


async def _icon(request: Request) -> Response:
    """Browsers ask for it by themselves."""
    return RedirectResponse(renderer_of(request).assets.url("icon.svg"), status_code=301)


async def problem_page(request: Request, problem: Problem) -> Response:
    """What went wrong, in the reader's language: a problem for a script, else a page with a way back."""
    visit: Visit | None = getattr(request.state, "visit", None)
    web = web_of(request)
    screen = visit.screen() if visit is not None else stranger_screen(request, web.parts, web.parts.clock.now(), csrf=csrf_token(request))
    words = renderer_of(request).words(screen.language)
    status = str(problem.status)
    general = words("problem_advice", status, otherwise=problem.detail)
    sentence = words("fault", problem.code, problem.params, otherwise=general)
    if wants_part(request):
        body = problem.as_json() | {"title": words("problem", status, otherwise=problem.title), "detail": sentence}
        return Response(orjson.dumps(body), status_code=problem.status, media_type=PROBLEM_TYPE)
    back = current_address(request)
    here = request.url.path
    view = ProblemView(
        status=problem.status,
        code=problem.code,
        detail=sentence,
        back_to="/" if back.partition("?")[0] == here else back,
        reference=problem.reference if problem.status >= 500 else "",  # noqa: PLR2004 - our own faults
    )
    source = renderer_of(request).render("problem.html", screen, {"problem": view})
    return HTMLResponse(source, status_code=problem.status, headers={"Vary": "HX-Request, HX-Request-Type"})
