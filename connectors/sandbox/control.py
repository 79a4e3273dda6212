"""The sandbox's own interface: make things happen in the world, ask what is true, order faults, count calls."""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import KINDS, Fault, Faults
from connectors.sandbox.model import PLATFORMS, Comment, Page, Platform
from connectors.sandbox.pusher import Hook, Pusher
from connectors.sandbox.specs import Fields, new_comment, page_event, photo, token_event
from connectors.sandbox.standing import KINDS_OF, Standing
from connectors.sandbox.truth import truth
from connectors.sandbox.wire import ascii_json, json_response
from connectors.sandbox.world import World, WorldError

MEMBERSHIPS = ("member", "left", "kicked")
_COMMENT = "/world/comments/{platform}/{name}/{post_id}/{comment_id}"
_POST = "/world/posts/{platform}/{name}/{post_id}"


@dataclass(frozen=True, slots=True)
class Control:
    """What the control interface needs."""

    world: World
    faults: Faults
    calls: Calls
    time_scale: float


async def body(request: Request) -> Fields:
    """The JSON object of a request. Raises WorldError(400)."""
    try:
        return Fields(json.loads(await request.body()))
    except (ValueError, RecursionError) as error:
        message = "the body must be JSON in UTF-8"
        raise WorldError(message) from error


def reply(value: Any, status: int = 200) -> Response:
    """A JSON answer of the control interface; hostile texts survive it."""
    return json_response(ascii_json(value), status)


def as_platform(text: str) -> Platform:
    """A platform by its name. Raises WorldError(404)."""
    if text not in PLATFORMS:
        message = f"no platform {text!r}: there are {', '.join(PLATFORMS)}"
        raise WorldError(message, 404)
    return text


def find_comment(world: World, platform: str, name: str, post_id: int, comment_id: int) -> tuple[Page, Comment]:
    """A comment by its address. Raises WorldError(404)."""
    page = world.page(as_platform(platform), name)
    return page, world.comment(page, comment_id, post_id)


def placed(comment: Comment) -> dict[str, str]:
    """The ids that a comment got."""
    return {"id": str(comment.id), "post_id": str(comment.post_id)}


def page_routes(control: Control) -> APIRouter:
    """Pages and tokens by program."""
    router = APIRouter()
    world = control.world

    @router.get("/world/pages")
    async def pages() -> Response:
        limits = {platform: world.limits.text(platform) for platform in PLATFORMS}
        return reply({"pages": [_page(page) for page in world.state.pages.values()], "text_limits": limits})

    @router.post("/world/pages", status_code=201)
    async def add_page(request: Request) -> Response:
        return reply(_page(world.add_page(page_event(await body(request)))), 201)

    @router.post("/world/tokens", status_code=201)
    async def add_token(request: Request) -> Response:
        token = world.add_token(token_event(await body(request)))
        return reply({"platform": token.platform, "kind": token.kind, "label": token.label}, 201)

    @router.delete("/world/tokens/{platform}/{token}")
    async def revoke(platform: str, token: str) -> Response:
        known = world.state.tokens.get((as_platform(platform), token))
        if known is None:
            message = "no such token"
            raise WorldError(message, 404)
        world.revoke_token(known)
        return reply({"label": known.label})

    return router


def group_routes(control: Control) -> APIRouter:
    """What befalls the groups and channels in which bots are."""
    router = APIRouter()
    world = control.world

    @router.post("/world/pages/{platform}/{name}/move")
    async def move(platform: str, name: str) -> Response:
        page = world.page(as_platform(platform), name)
        world.move_group(page)
        return reply(_page(page))

    @router.post("/world/pages/{platform}/{name}/members")
    async def member(request: Request, platform: str, name: str) -> Response:
        page, fields = world.page(as_platform(platform), name), await body(request)
        bot = next((one for one in world.state.bots.values() if one.username == fields.name("bot")), None)
        status = fields.word("status")
        if bot is None or bot.platform != page.platform or status not in MEMBERSHIPS:
            message = f"bot must be the name of one on {page.platform}, status one of {', '.join(MEMBERSHIPS)}"
            raise WorldError(message)
        world.set_member(page, bot, status)
        return reply({"bot": bot.username, "status": status})

    return router


def post_routes(control: Control) -> APIRouter:
    """Posts by program."""
    router = APIRouter()
    world = control.world

    @router.post("/world/posts", status_code=201)
    async def add_post(request: Request) -> Response:
        fields = await body(request)
        page = world.page(fields.platform(), fields.text("page"))
        moment = fields.moment("written_at", world.now())
        kind = fields.word("kind") if fields.has("kind") else "wall"
        if kind != "wall" and (page.platform != "vk" or kind not in {"photo", "video", "topic"}):
            message = "kind is wall; on vk also photo, video or topic"
            raise WorldError(message)
        post = world.add_post(page, fields.text("text"), written_at=moment, photo=photo(fields), kind=kind)
        return reply({"id": str(post.id), "post_id": str(post.id)}, 201)

    @router.patch(_POST)
    async def change_post(request: Request, platform: str, name: str, post_id: int) -> Response:
        fields = await body(request)
        page = world.page(as_platform(platform), name)
        post = world.post(page, post_id)
        if fields.has("text"):
            world.edit_post(page, post, fields.text("text"))
        if fields.has("comments_open"):
            world.open_comments(page, post, is_open=fields.flag("comments_open"))
        return reply({"id": str(post.id), "post_id": str(post.id)})

    @router.delete(_POST)
    async def delete_post(platform: str, name: str, post_id: int) -> Response:
        page = world.page(as_platform(platform), name)
        world.delete_post(page, world.post(page, post_id))
        return reply({"id": str(post_id), "post_id": str(post_id)})

    return router


def comment_routes(control: Control) -> APIRouter:
    """Comments by program."""
    router = APIRouter()
    world = control.world

    @router.post("/world/comments", status_code=201)
    async def add_comment(request: Request) -> Response:
        fields = await body(request)
        page = world.page(fields.platform(), fields.text("page"))
        post = world.post(page, fields.number("post_id"))
        return reply(placed(world.add_comment(page, post, new_comment(fields, world.now()))), 201)

    @router.patch(_COMMENT)
    async def edit(request: Request, platform: str, name: str, post_id: int, comment_id: int) -> Response:
        fields = await body(request)
        page, comment = find_comment(world, platform, name, post_id, comment_id)
        world.edit_comment(page, comment, fields.text("text"))
        return reply(placed(comment))

    @router.delete(_COMMENT)
    async def delete(platform: str, name: str, post_id: int, comment_id: int) -> Response:
        page, comment = find_comment(world, platform, name, post_id, comment_id)
        world.delete_comment(page, comment)
        return reply(placed(comment))

    @router.post(f"{_COMMENT}/restore")
    async def restore(platform: str, name: str, post_id: int, comment_id: int) -> Response:
        page, comment = find_comment(world, platform, name, post_id, comment_id)
        world.restore_comment(page, comment)
        return reply(placed(comment))

    return router


def watch_routes(control: Control) -> APIRouter:
    """The truth, the faults and the record of calls."""
    router = APIRouter()

    @router.get("/health")
    async def health() -> Response:
        return reply({"status": "ok", "events": control.world.sequence, "time_scale": control.time_scale})

    @router.get("/truth")
    async def tell(platform: str | None = None, page: str | None = None) -> Response:
        return reply(truth(control.world, platform, page))

    @router.get("/faults")
    async def faults() -> Response:
        return reply(control.faults.report())

    @router.post("/faults", status_code=201)
    async def add_fault(request: Request) -> Response:
        fields = await body(request)
        if fields.has("share"):
            control.faults.stand(_standing(fields))
        else:
            control.faults.add(_fault(fields))
        return reply(control.faults.report(), 201)

    @router.delete("/faults")
    async def clear_faults() -> Response:
        control.faults.clear()
        return reply(control.faults.report())

    @router.get("/calls")
    async def calls() -> Response:
        return reply({"time_scale": control.time_scale, **control.calls.report()})

    @router.delete("/calls")
    async def clear_calls() -> Response:
        control.calls.clear()
        return reply(control.calls.report())

    return router


def hook_routes(control: Control, pusher: Pusher) -> APIRouter:
    """Where the platforms push to: what a page's owner enters in their settings."""
    router = APIRouter()

    @router.get("/world/hooks")
    async def hooks() -> Response:
        return reply({"hooks": pusher.report()})

    @router.post("/world/hooks", status_code=201)
    async def add_hook(request: Request) -> Response:
        fields = await body(request)
        page = control.world.page(fields.platform(), fields.word("page"))
        hook = Hook(platform=page.platform, page=page.name, url=fields.word("url"), secret=fields.word("secret"))
        return reply({"confirmation": await pusher.add(hook, page), "hooks": pusher.report()}, 201)

    return router


def _fault(fields: Fields) -> Fault:
    kind = fields.word("kind")
    if kind not in KINDS:
        message = f"kind must be one of {', '.join(KINDS)}"
        raise WorldError(message)
    return Fault(
        platform=fields.platform(),
        method=fields.word("method"),
        kind=kind,
        count=fields.number("count") or 1,
        code=fields.number("code"),
        text=fields.word("text") if fields.has("text") else None,
        retry_after=fields.number("retry_after"),
        token=fields.word("token") if fields.has("token") else None,
    )


def _standing(fields: Fields) -> Standing:
    platform = fields.platform()
    asked = fields.items("kinds")
    kinds = KINDS_OF[platform] if not asked else tuple(kind for kind in KINDS_OF[platform] if kind in asked)
    if len(kinds) < len(asked):
        message = f"kinds must be some of {', '.join(KINDS_OF[platform])}"
        raise WorldError(message)
    return Standing(
        platform=platform,
        method=fields.word("method", "*"),
        share=fields.share("share"),
        kinds=kinds,
        token=fields.word("token") if fields.has("token") else None,
        seed=fields.number("seed") or 0,
    )


def _page(page: Page) -> dict[str, Any]:
    telegram = page.platform == "telegram"
    known_as: object = page.chat_id if telegram else page.id if page.platform == "ok" else -page.id
    if page.platform == "viber":
        known_as = f"pa:{page.id}"
    return {
        "platform": page.platform,
        "page": page.name,
        "id": page.id,
        "external_id": str(known_as),
        "title": page.title,
        "members": page.members,
        "posts": len(page.order),
        "chat_id": page.chat_id if telegram else None,
        "discussion": page.discussion,
        "discussion_chat_id": page.group_chat_id if telegram and page.discussion is not None else None,
    }
