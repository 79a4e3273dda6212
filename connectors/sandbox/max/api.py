"""MAX's API as a whole: whose token it is, its rate, then the method's own rules; and who is pushed to."""

from dataclasses import dataclass
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import REFUSALS, Fault
from connectors.sandbox.max.errors import MaxError, bad
from connectors.sandbox.max.methods import METHODS, Call
from connectors.sandbox.max.updates import Updates
from connectors.sandbox.model import Token
from connectors.sandbox.pacing import Pacing
from connectors.sandbox.pusher import Hook, Pusher
from connectors.sandbox.world import World, WorldError

Json = dict[str, Any]
_TOO_MANY, _REFUSED = 429, 403
_MOST_UPDATES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parts of a request; `body` None: it was no JSON."""

    path: dict[str, str]
    query: dict[str, str]
    body: Json | None
    base: str


class MaxApi:
    """Answers calls; never raises for what a caller did."""

    def __init__(self, *, world: World, calls: Calls, pusher: Pusher) -> None:
        """Begin with all windows empty and nobody pushed to."""
        self._world = world
        self._calls = calls
        self._pusher = pusher
        self._updates = Updates(world)
        self._pacing = Pacing(world, calls, world.limits.max_per_second)

    def bot(self, token: str) -> Token | None:
        """The bot that has this token."""
        return self._world.state.tokens.get(("max", token))

    def answer(self, token: str, method: str, asked: Asked, fault: Fault | None) -> tuple[int, Json]:
        """Status and body of what MAX answers."""
        bot = self.bot(token)
        try:
            result = self._invoke(bot, method, asked, fault)
        except MaxError as error:
            self._calls.add("max", method, bot.label if bot else None, str(error.status))
            return error.status, error.body()
        self._calls.add("max", method, bot.label if bot else None, "ok")
        return 200, result

    def brought(self, content: bytes) -> tuple[int, Json]:
        """What the upload server says of a file."""
        try:
            name = self._world.upload(content)
        except WorldError:
            return 400, {"error_code": "4", "error_data": "BAD_REQUEST"}
        return 200, {"photos": {name: {"token": name}}}

    def _invoke(self, bot: Token | None, method: str, asked: Asked, fault: Fault | None) -> Json:
        if bot is None:
            raise MaxError(401, "verify.token", "Invalid access_token")
        if not self._pacing.admits(bot):
            raise MaxError(_TOO_MANY, "too.many.requests")
        if fault is not None and fault.kind in REFUSALS:
            raise _refusal(fault)
        if asked.body is None:
            raise bad("the body is not JSON")
        if method == "getUpdates":
            return self._heard(bot, asked)
        if method in {"subscribe", "unsubscribe", "getSubscriptions"}:
            return self._subscriptions(bot, method, asked.query, asked.body)
        return METHODS[method](Call(world=self._world, bot=bot, path=asked.path, query=asked.query, body=asked.body, base=asked.base))

    def _heard(self, bot: Token, asked: Asked) -> Json:
        """The long poll; the sandbox answers at once."""
        marker, limit = asked.query.get("marker"), asked.query.get("limit", "100")
        if not limit.isdecimal() or not 1 <= int(limit) <= _MOST_UPDATES or not (marker is None or marker.isdecimal()):
            raise bad("limit or marker")
        kinds = frozenset(kind for kind in asked.query.get("types", "").split(",") if kind)
        return self._updates.since(bot, marker=None if marker is None else int(marker), limit=int(limit), kinds=kinds, base=asked.base)

    def _subscriptions(self, bot: Token, method: str, query: dict[str, str], body: Json) -> Json:
        """Who is pushed to: one address for all pages of a bot. The sandbox takes http, too."""
        pages = [page for page in self._world.state.of("max") if bot.hears(page)]
        if method == "subscribe":
            url, secret = body.get("url"), body.get("secret", "")
            if not isinstance(url, str) or not url.startswith(("https://", "http://")) or not isinstance(secret, str):
                raise bad("url")
            for page in pages:
                self._pusher.place(Hook(platform="max", page=page.name, url=url, secret=secret))
            return {"success": True}
        hooks = [hook for page in pages if (hook := self._pusher.hook("max", page.name)) is not None]
        if method == "unsubscribe":
            for hook in hooks:
                if hook.url == query.get("url"):
                    self._pusher.remove(hook)
            return {"success": True}
        return {"subscriptions": [{"url": url, "time": 0, "update_types": None} for url in sorted({hook.url for hook in hooks})]}


def _refusal(fault: Fault) -> MaxError:
    if fault.kind == "flood":
        return MaxError(_TOO_MANY, "too.many.requests")
    if fault.kind == "revoked":
        return MaxError(401, "verify.token", "Invalid access_token")
    status = fault.code or (_REFUSED if fault.kind == "captcha" else 400)
    return MaxError(status, fault.text or "injected.fault")
