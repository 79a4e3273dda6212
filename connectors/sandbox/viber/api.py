"""Viber's API as a whole: whose token it is, then the method's own rules; and whom it pushes to. The status is in the body."""

from dataclasses import dataclass
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import REFUSALS, Fault
from connectors.sandbox.limits import Window
from connectors.sandbox.model import Page, Post, Token
from connectors.sandbox.pusher import Hook, Pusher
from connectors.sandbox.viber import objects
from connectors.sandbox.world import NewComment, World, WorldError

Json = dict[str, Any]
METHODS = ("set_webhook", "get_account_info", "send_message")
_LONGEST_NAME, _LONGEST_TRACK = 28, 4_000
_BAD_TOKEN, _BAD_DATA, _MISSING, _NOBODY, _LEFT, _NO_WEBHOOK, _TOO_MANY = 2, 3, 4, 5, 6, 10, 12
_WORDS = {
    1: "invalidUrl", _BAD_TOKEN: "invalidAuthToken", _BAD_DATA: "badData", _MISSING: "missingData", _NOBODY: "receiverNotRegistered",
    _LEFT: "receiverNotSubscribed", _NO_WEBHOOK: "webhookNotSet", _TOO_MANY: "tooManyRequests",
}  # fmt: skip


class ViberError(Exception):
    """A refusal by its status."""

    def __init__(self, status: int, words: str | None = None) -> None:
        """Carry the parts of the answer."""
        self.status = status
        self.words = words or _WORDS.get(status, "generalError")
        super().__init__(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The parts of a request. `body` None: it was no JSON object."""

    token: str
    body: Json | None
    size: int
    base: str


class ViberApi:
    """Answers calls; never raises for what a caller did."""

    def __init__(self, *, world: World, calls: Calls, pusher: Pusher) -> None:
        """Begin with nobody pushed to."""
        self._world = world
        self._calls = calls
        self._pusher = pusher
        self._unanswered: dict[tuple[str, int], tuple[int, Window]] = {}

    def bot(self, token: str) -> Token | None:
        """The bot that has this token."""
        return self._world.state.tokens.get(("viber", token))

    async def answer(self, method: str, asked: Asked, fault: Fault | None) -> Json:
        """What Viber answers."""
        bot = self.bot(asked.token)
        label = bot.label if bot else None
        try:
            result = await self._invoke(bot, method, asked, fault)
        except ViberError as error:
            self._calls.add("viber", method, label, str(error.status))
            return {"status": error.status, "status_message": error.words, "chat_hostname": objects.HOST}
        self._calls.add("viber", method, label, "ok")
        return {"status": 0, "status_message": "ok"} | result

    async def _invoke(self, bot: Token | None, method: str, asked: Asked, fault: Fault | None) -> Json:
        page = None if bot is None else next((one for one in self._world.state.of("viber") if bot.serves(one)), None)
        if bot is None or page is None:
            raise ViberError(_BAD_TOKEN)
        if fault is not None and fault.kind in REFUSALS:
            codes = {"flood": _TOO_MANY, "revoked": _BAD_TOKEN}
            raise ViberError(codes.get(fault.kind) or fault.code or _BAD_DATA, fault.text)
        if asked.body is None or asked.size > self._world.limits.viber_bytes:
            raise ViberError(_BAD_DATA)
        if method == "set_webhook":
            return await self._set_webhook(page, asked, asked.body)
        if method == "get_account_info":
            hook = self._pusher.hook("viber", page.name)
            return objects.account(page, "" if hook is None else hook.url)
        return self._send(bot, page, asked.body)

    async def _set_webhook(self, page: Page, asked: Asked, body: Json) -> Json:
        """One address of a bot, a new one in the place of the old; the sandbox takes http, too. It must answer 200 at once."""
        url = body.get("url")
        if not isinstance(url, str):
            raise ViberError(_MISSING)
        hook = self._pusher.hook("viber", page.name)
        if not url:
            if hook is not None:
                self._pusher.remove(hook)
            return {"event_types": []}
        new = Hook(platform="viber", page=page.name, url=url, secret=asked.token, base=asked.base)
        if not url.startswith(("https://", "http://")) or not await self._pusher.greet(new):
            raise ViberError(1)
        self._pusher.place(new)
        return {"chat_hostname": objects.HOST, "event_types": list(objects.EVENTS)}

    def _send(self, bot: Token, page: Page, body: Json) -> Json:
        receiver, sender, text = body.get("receiver"), body.get("sender"), body.get("text")
        if not isinstance(receiver, str) or body.get("type") is None:
            raise ViberError(_MISSING)
        name = sender.get("name") if isinstance(sender, dict) else None
        if body["type"] != "text" or not isinstance(text, str) or not text or not isinstance(name, str):
            raise ViberError(_BAD_DATA, "the sandbox sends words under a name")
        if not name or len(name) > _LONGEST_NAME or len(str(body.get("tracking_data") or "")) > _LONGEST_TRACK:
            raise ViberError(_BAD_DATA)
        post = objects.dialog_of(page, receiver)
        if post is None:
            raise ViberError(_NOBODY)
        if not post.comments_open:
            raise ViberError(_LEFT)
        if self._pusher.hook("viber", page.name) is None:
            raise ViberError(_NO_WEBHOOK)
        self._count(page, post)
        try:
            new = NewComment(text=text, voice="bot", author_id=bot.user_id, via_api=True)
            comment = self._world.add_comment(page, post, new)
        except WorldError as error:
            raise ViberError(_BAD_DATA, str(error)) from error
        return {"message_token": comment.id, "chat_hostname": objects.HOST, "billing_status": 1}

    def _count(self, page: Page, post: Post) -> None:
        """At most a hundred messages an hour to whoever does not answer; the count begins anew when they do."""
        limits, now = self._world.limits, self._world.clock.monotonic()
        heard = max((one.id for one in page.comments.values() if one.post_id == post.id and one.voice == "citizen"), default=0)
        before, window = self._unanswered.get((page.name, post.id), (heard, Window(limits.viber_unanswered, limits.hour)))
        if before != heard:
            window = Window(limits.viber_unanswered, limits.hour)
        self._unanswered[page.name, post.id] = heard, window
        if window.wait(now) > 0:
            raise ViberError(_TOO_MANY)
        window.add(now)
