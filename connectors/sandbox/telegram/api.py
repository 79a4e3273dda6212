"""The Bot API as a whole: tokens, limits of sending, long polling."""

import json
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import REFUSALS, Fault
from connectors.sandbox.hub import Hub
from connectors.sandbox.limits import Bucket, Window
from connectors.sandbox.model import Page, Token
from connectors.sandbox.pusher import Hook, Pusher
from connectors.sandbox.telegram.errors import TelegramError, bad, too_many
from connectors.sandbox.telegram.methods import METHODS, Call, find_chat, unauthorized
from connectors.sandbox.telegram.params import Params
from connectors.sandbox.telegram.updates import KINDS, Queue, Updates
from connectors.sandbox.world import World

_SENDING = frozenset({"sendmessage", "sendphoto", "sendmediagroup", "editmessagetext", "editmessagecaption"})
_MOST_UPDATES = 100
_HOOKED = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


class TelegramApi:
    """Answers calls: the token first, then the limits of sending, then the method's own rules."""

    def __init__(self, *, world: World, updates: Updates, hub: Hub, calls: Calls, pusher: Pusher) -> None:
        """Begin with all windows empty."""
        self._world = world
        self._updates = updates
        self._hub = hub
        self._calls = calls
        self._pusher = pusher
        self._webhooks: dict[int, str] = {}
        self._hooking = {
            "getwebhookinfo": self._get_webhook_info,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
        }
        self._overall: dict[int, Window] = {}
        self._minutes: dict[tuple[int, int], Window] = {}
        self._chats: dict[tuple[int, int], Bucket] = {}

    def _get_webhook_info(self, call: Call) -> dict[str, Any]:
        url = self._webhooks.get(call.bot.user_id, "")
        hooks = self._pusher.of("telegram", url)
        waiting = sum(map(self._pusher.pending, hooks)) if url else len(self._updates.queue(call.bot.user_id).waiting)
        told: dict[str, Any] = {"url": url, "has_custom_certificate": False, "pending_update_count": waiting}
        statuses = [hook.refused[-1] for hook in hooks if hook.refused and self._pusher.pending(hook)]
        if statuses:
            words = f"Wrong response from the webhook: {statuses[0]}"
            told |= {"last_error_date": int(self._world.clock.time()), "last_error_message": words}
        return told

    def _set_webhook(self, call: Call) -> bool:
        """An empty address takes it away, as `deleteWebhook` does. Telegram itself wants https."""
        self._delete_webhook(call)
        url, bot = call.params.text("url") if call.params.has("url") else "", call.bot
        if url:
            self._webhooks[bot.user_id] = url
            secret = call.params.text("secret_token") if call.params.has("secret_token") else ""
            hooks = [Hook(platform="telegram", page=page.name, url=url, secret=secret) for page in self._heard(bot)]
            for hook in hooks:
                self._pusher.place(hook)
            if hooks:
                self._pusher.push(hooks[0], [update.body() for update in self._updates.queue(bot.user_id).waiting])
        return True

    def _heard(self, bot: Token) -> list[Page]:
        return [page for page in self._world.state.of("telegram") if bot.hears(page)]

    def _delete_webhook(self, call: Call) -> bool:
        for hook in self._pusher.of("telegram", self._webhooks.pop(call.bot.user_id, "")):
            self._pusher.remove(hook)
        if call.params.flag("drop_pending_updates"):
            self._drop_pending(call.bot)
        return True

    def bot(self, token: str) -> Token | None:
        """The bot that has this token."""
        return self._world.state.tokens.get(("telegram", token))

    async def answer(
        self, token: str, method: str, values: dict[str, Any], *, base: str, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of what Telegram answers; never raises for what a caller did."""
        bot = self.bot(token)
        name = method.lower()
        try:
            if bot is None:
                raise unauthorized()
            if fault is not None and fault.kind in REFUSALS:
                raise self._refusal(fault)
            result = await self._invoke(name, Call(self._world, bot, Params(values), base))
        except TelegramError as error:
            self._calls.add("telegram", method, bot.label if bot else None, str(error.status))
            return error.status, error.body()
        self._calls.add("telegram", method, bot.label, "ok")
        return 200, {"ok": True, "result": result}

    async def _invoke(self, name: str, call: Call) -> Any:
        if name == "getupdates":
            return await self._get_updates(call)
        if name in self._hooking:
            return self._hooking[name](call)
        method = METHODS.get(name)
        if method is None:
            raise TelegramError(404, "Not Found")
        if name in _SENDING:
            self._pace(call)
        return method(call)

    async def _get_updates(self, call: Call) -> list[dict[str, Any]]:
        params, bot = call.params, call.bot
        if bot.user_id in self._webhooks:
            raise TelegramError(409, _HOOKED)
        queue = self._updates.queue(bot.user_id)
        limit = min(max(params.number("limit", _MOST_UPDATES), 1), _MOST_UPDATES)
        timeout = min(max(params.number("timeout", 0), 0), self._world.limits.telegram_long_poll)
        self._choose_kinds(bot, queue, params)
        self._confirm(bot, queue, params.number("offset", 0))
        queue.turn += 1
        turn = queue.turn
        deadline = self._world.clock.monotonic() + timeout
        while True:
            if queue.turn != turn:
                raise TelegramError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            queue.expire(int(self._world.clock.time() - self._world.limits.telegram_retention))
            found = queue.first(limit)
            left = deadline - self._world.clock.monotonic()
            if found or left <= 0 or self._hub.closing:
                return [update.body() for update in found]
            await self._hub.wait(left)

    def _choose_kinds(self, bot: Token, queue: Queue, params: Params) -> None:
        asked = params.tree("allowed_updates")
        if asked is None:
            return
        if not isinstance(asked, list) or not all(isinstance(kind, str) for kind in asked):
            raise bad("can't parse allowed updates: expected an Array of String")
        kinds = sorted(set(asked) & set(KINDS)) if asked else sorted(KINDS)
        if queue.allowed != frozenset(kinds):
            self._world.commit({"op": "allowed", "bot": bot.user_id, "kinds": kinds})

    def _confirm(self, bot: Token, queue: Queue, offset: int) -> None:
        if offset < 0:
            keep = min(-offset, len(queue.waiting))
            offset = queue.waiting[-keep].id if keep else 0
        if queue.waiting and queue.waiting[0].id < offset:
            self._world.commit({"op": "offset", "bot": bot.user_id, "offset": offset})

    def _drop_pending(self, bot: Token) -> None:
        queue = self._updates.queue(bot.user_id)
        if queue.waiting:
            self._confirm(bot, queue, queue.waiting[-1].id + 1)

    def _pace(self, call: Call) -> None:
        """Count a sending and refuse it when a limit is reached; a refused one is not counted against the bot."""
        limits, now, bot = self._world.limits, self._world.clock.monotonic(), call.bot
        chat = find_chat(call).id
        overall = self._overall.setdefault(bot.user_id, Window(limits.telegram_per_second, limits.second))
        minute = self._minutes.setdefault((bot.user_id, chat), Window(limits.telegram_group_per_minute, limits.minute))
        burst = self._chats.setdefault(
            (bot.user_id, chat), Bucket(limits.telegram_chat_burst, limits.telegram_chat_per_second, seen_at=now)
        )
        for scope, window in (("second", overall), (f"minute in {chat}", minute)):
            self._calls.rate("telegram", bot.label, scope, limit=window.limit, seconds=window.seconds, now=now)
        full = burst.wait(now) * burst.rate + burst.burst if burst.wait(now) > 0 else burst.level + 1
        self._calls.level("telegram", bot.label, f"burst in {chat}", limit=burst.burst, seconds=1 / burst.rate, level=full)
        wait = max(overall.wait(now), minute.wait(now), burst.wait(now))
        if wait > 0:
            raise too_many(wait)
        overall.add(now)
        minute.add(now)
        burst.add(now)

    def _refusal(self, fault: Fault) -> TelegramError:
        if fault.kind == "flood":
            return too_many(fault.retry_after or self._world.limits.telegram_flood_wait)
        if fault.kind == "revoked":
            return unauthorized()
        code = fault.code or 400
        if code == 429:  # noqa: PLR2004 - HTTP's own number
            return too_many(fault.retry_after or self._world.limits.telegram_flood_wait)
        return TelegramError(code, fault.text or "Bad Request: an injected fault")


def parse_json(body: bytes) -> dict[str, Any]:
    """The parameters of a JSON body. Raises TelegramError(400)."""
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise bad("can't parse JSON object") from error
    if not isinstance(values, dict):
        raise bad("can't parse JSON object")
    return values
