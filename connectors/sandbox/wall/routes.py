"""The wall in the browser: pages, threads, forms, live news."""

import json
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response, StreamingResponse

from connectors.sandbox.control import as_platform, find_comment
from connectors.sandbox.faults import Faults
from connectors.sandbox.hub import Hub, News
from connectors.sandbox.pictures import picture, picture_type
from connectors.sandbox.specs import Fields, new_comment
from connectors.sandbox.wall.texts import Lang, choose, words
from connectors.sandbox.wall.views import comment_view, page_view, post_view, shown_posts
from connectors.sandbox.wire import ascii_json, json_response
from connectors.sandbox.world import World, WorldError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_STATIC = {"wall.css": "text/css; charset=utf-8", "wall.js": "text/javascript; charset=utf-8"}
_BEAT_SECONDS = 15.0
_COMMENT = "/wall/{platform}/{name}/{post_id}/{comment_id}"


class Screens:
    """Renders templates; every value is escaped, broken characters are made visible."""

    def __init__(self) -> None:
        """Load the package's templates."""
        self._environment = Environment(
            loader=PackageLoader("connectors.sandbox.wall", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
        )

        self._environment.filters["grouped"] = grouped

    def show(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """One screen or fragment in the reader's language."""
        lang = language(request)
        html = self._environment.get_template(template).render(lang=lang, t=words(lang), **values)
        response = Response(html, status_code=status, media_type="text/html; charset=utf-8", headers=_HEADERS)
        if request.query_params.get("lang") == lang:
            response.set_cookie("sandbox_lang", lang, samesite="lax", httponly=True)
        return response


def grouped(number: int) -> str:
    """A number with its thousands set apart."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def visible(value: Any) -> Any:
    """A text without what HTML in UTF-8 cannot carry."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "\N{SYMBOL FOR NULL}")


def language(request: Request) -> Lang:
    """The reader's language."""
    return choose(
        request.query_params.get("lang"),
        request.cookies.get("sandbox_lang"),
        request.headers.get("accept-language"),
    )


def wall_routes(world: World, hub: Hub, faults: Faults) -> APIRouter:
    """All routes of the wall."""
    router = APIRouter(include_in_schema=False)
    screens = Screens()
    _reading(router, screens, world, hub)
    _writing(router, world)
    _files(router, world)
    _check(router, screens, faults)
    return router


def _check(router: APIRouter, screens: Screens, faults: Faults) -> None:
    """Where a captcha leads: once a person has passed it, no call meets one any more."""

    @router.get("/captcha")
    async def check(request: Request) -> Response:
        return screens.show(request, "captcha.html", passed=False)

    @router.post("/captcha")
    async def passed(request: Request) -> Response:
        faults.passed()
        return screens.show(request, "captcha.html", passed=True)


def _reading(router: APIRouter, screens: Screens, world: World, hub: Hub) -> None:
    @router.get("/")
    async def index(request: Request) -> Response:
        return screens.show(request, "index.html", pages=[page_view(page) for page in world.state.pages.values()])

    @router.get("/wall/{platform}/{name}")
    async def wall(request: Request, platform: str, name: str, before: int | None = None) -> Response:
        try:
            page = world.page(as_platform(platform), name)
        except WorldError as error:
            return screens.show(request, "missing.html", error.status)
        posts, older = shown_posts(page, before)
        views = [post_view(world, page, post) for post in posts]
        return screens.show(request, "wall.html", page=page_view(page), posts=views, older=older, single=False, news=hub.number)

    @router.get("/wall/{platform}/{name}/events")
    async def events(request: Request, platform: str, name: str, after: int | None = None) -> Response:
        page = world.page(as_platform(platform), name)
        last = request.headers.get("last-event-id", "")
        start = int(last) if last.isdecimal() else hub.number if after is None else after
        stream = _events(hub, start, page.platform, page.name)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    @router.get("/wall/{platform}/{name}/{post_id}")
    async def post(request: Request, platform: str, name: str, post_id: int) -> Response:
        try:
            page = world.page(as_platform(platform), name)
            view = post_view(world, page, world.post(page, post_id), threads=None)
        except WorldError as error:
            return screens.show(request, "missing.html", error.status)
        if request.query_params.get("part"):
            return screens.show(request, "post.html", page=page_view(page), post=view)
        return screens.show(request, "wall.html", page=page_view(page), posts=[view], older=None, single=True, news=hub.number)

    @router.get(_COMMENT)
    async def comment(request: Request, platform: str, name: str, post_id: int, comment_id: int) -> Response:
        page, found = find_comment(world, platform, name, post_id, comment_id)
        return screens.show(request, "comment.html", page=page_view(page), comment=comment_view(world, page, found))


def _writing(router: APIRouter, world: World) -> None:
    @router.post("/wall/{platform}/{name}/posts")
    async def new_post(request: Request, platform: str, name: str) -> Response:
        page = world.page(as_platform(platform), name)
        text = (await _form(request)).text("text").strip()
        if not text:
            message = "a post needs a text"
            raise WorldError(message)
        post = world.add_post(page, text)
        return _done(request, f"/wall/{platform}/{name}", {"id": str(post.id), "post_id": str(post.id)})

    @router.post("/wall/{platform}/{name}/{post_id}/comments")
    async def write(request: Request, platform: str, name: str, post_id: int) -> Response:
        page = world.page(as_platform(platform), name)
        new = new_comment(await _form(request), world.now())
        made = world.add_comment(page, world.post(page, post_id), new)
        return _done(request, f"/wall/{platform}/{name}", {"id": str(made.id), "post_id": str(post_id)})

    @router.post(f"{_COMMENT}/{{act}}")
    async def change(  # noqa: PLR0913 - the parts of one address
        request: Request, platform: str, name: str, post_id: int, comment_id: int, act: str
    ) -> Response:
        page, found = find_comment(world, platform, name, post_id, comment_id)
        if act == "edit":
            world.edit_comment(page, found, (await _form(request)).text("text"))
        elif act == "delete":
            world.delete_comment(page, found)
        elif act == "restore":
            world.restore_comment(page, found)
        else:
            message = f"nobody can {act} a comment"
            raise WorldError(message, 404)
        return _done(request, f"/wall/{platform}/{name}", {"id": str(comment_id), "post_id": str(post_id)})


def _files(router: APIRouter, world: World) -> None:
    folder = files("connectors.sandbox.wall") / "static"
    contents = {name: (folder / name).read_bytes() for name in _STATIC}

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in contents:
            return Response(status_code=404)
        return Response(contents[name], headers={"Content-Type": _STATIC[name], "Cache-Control": "no-cache"})

    @router.get("/pictures/{name:path}")
    async def get_picture(name: str) -> Response:
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        kept = world.state.uploads.get(name.removesuffix(".png"))
        if kept is not None:
            return Response(kept, media_type=picture_type(kept), headers=headers)
        return Response(picture(name.removesuffix(".png")), media_type="image/png", headers=headers)


async def _form(request: Request) -> Fields:
    form = await request.form()
    # Browsers send line breaks of a text area as CR LF; people wrote LF.
    values: dict[str, Any] = {key: value.replace("\r\n", "\n") for key, value in form.items() if isinstance(value, str) and value}
    values["as_page"] = values.get("as_page") == "1"
    values.setdefault("text", "")
    if not values["as_page"]:
        values.setdefault("author", None)
    return Fields(values)


def _done(request: Request, back: str, answer: dict[str, str]) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        return json_response(ascii_json(answer), 201)
    return RedirectResponse(back, status_code=303)


async def _events(hub: Hub, after: int, platform: str, page: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for fresh in hub.stream(after, _BEAT_SECONDS):
        if fresh is None:
            yield f"id: {hub.number}\nevent: missed\ndata: {{}}\n\n"
            continue
        for news in fresh:
            if (news.platform, news.page) == (platform, page):
                yield _event(news)
        if not fresh:
            yield f"id: {hub.number}\nevent: beat\ndata: {{}}\n\n"


def _event(news: News) -> str:
    data = json.dumps({"op": news.op, "post": news.post_id, "id": news.id})
    return f"id: {news.number}\nevent: news\ndata: {data}\n\n"
