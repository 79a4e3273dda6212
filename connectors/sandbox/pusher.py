"""Pushes: what VK's Callback API and the webhooks of Telegram and MAX send by themselves, repeated until it is heard."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.sandbox.journal import Event
from connectors.sandbox.max.updates import update
from connectors.sandbox.model import Page, Platform
from connectors.sandbox.telegram.updates import Updates
from connectors.sandbox.vk.events import VkEvents
from connectors.sandbox.wire import utf8_json
from connectors.sandbox.world import World

_PAUSES = (0.2, 1.0, 5.0, 15.0)
_TELEGRAM_KINDS = frozenset({"comment", "edit", "post", "edit_post"})
_SECRET_HEADERS: dict[Platform, str] = {"telegram": "X-Telegram-Bot-Api-Secret-Token", "max": "X-Max-Bot-Api-Secret"}
_OK = 200


@dataclass(slots=True)
class Hook:
    """Where a page's news is pushed to, and what became of it."""

    platform: Platform
    page: str
    url: str
    secret: str
    delivered: int = 0
    refused: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request on its way."""

    hook: Hook
    body: bytes
    headers: dict[str, str]


class Pusher:
    """Listens to the world and sends; the world never waits for it."""

    def __init__(self, world: World, updates: Updates, vk_events: VkEvents) -> None:
        """Nothing is pushed until a hook is added."""
        self._vk_events = vk_events
        self._state = world.state
        world.listen(self.hear)
        self._updates = updates
        self._hooks: dict[tuple[Platform, str], Hook] = {}
        self._waiting: deque[Parcel] = deque()
        self._news: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    def report(self) -> list[dict[str, Any]]:
        """The hooks, without their secrets."""
        return [
            {"platform": hook.platform, "page": hook.page, "url": hook.url, "delivered": hook.delivered, "refused": hook.refused}
            for hook in self._hooks.values()
        ]

    async def add(self, hook: Hook, page: Page) -> str:
        """Push this page's news from now on; on VK what was answered when it asked for the confirmation code."""
        answered = await self._confirm(hook, page) if hook.platform == "vk" else ""
        self.place(hook)
        return answered

    async def _confirm(self, hook: Hook, page: Page) -> str:
        body = utf8_json({"type": "confirmation", "group_id": page.id, "secret": hook.secret})
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
                return (await client.post(hook.url, content=body)).text
        except httpx.HTTPError as error:
            return f"({type(error).__name__})"

    def hear(self, event: Event) -> None:
        """Take one event of the world, after it happened."""
        hook = self._hooks.get((event.get("platform", "vk"), event.get("page", "")))
        page = None if hook is None else self._state.find(hook.platform, hook.page)
        if hook is None or page is None:
            return
        bodies = self._bodies(event, page, hook)
        headers = {"Content-Type": "application/json"}
        if hook.platform in _SECRET_HEADERS:
            headers[_SECRET_HEADERS[hook.platform]] = hook.secret
        self._waiting.extend(Parcel(hook, utf8_json(body), headers) for body in bodies)
        if self._news is not None:
            self._news.set()

    def _bodies(self, event: Event, page: Page, hook: Hook) -> list[dict[str, Any]]:
        if hook.platform == "vk":
            return self._vk(event, page, hook)
        if hook.platform == "telegram":
            return self._telegram(event, page)
        told = update(self._state, event, page, hook.url.rpartition("/hooks/")[0]) if hook.platform == "max" else None
        return [] if told is None else [told]

    def place(self, hook: Hook) -> None:
        """Push this page's news from now on."""
        self._hooks[hook.platform, hook.page] = hook

    def hook(self, platform: Platform, page: str) -> Hook | None:
        """Where a page's news is pushed to."""
        return self._hooks.get((platform, page))

    def remove(self, hook: Hook) -> None:
        """Push no more."""
        self._hooks.pop((hook.platform, hook.page), None)

    def _vk(self, event: Event, page: Page, hook: Hook) -> list[dict[str, Any]]:
        told = self._vk_events.newest(page, event, hook.url.rpartition("/hooks/")[0])
        return [] if told is None else [told | {"secret": hook.secret}]

    def _telegram(self, event: Event, page: Page) -> list[dict[str, Any]]:
        """The update that each bot of the page has just got: told right after the bots' queues were."""
        if event["op"] not in _TELEGRAM_KINDS:
            return []
        queues = (self._updates.queue(bot.user_id).waiting for bot in self._state.bots.values() if bot.serves(page))
        return [queue[-1].body() for queue in queues if queue]

    def start(self) -> None:
        """Send from now on."""
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run(self._news))

    async def stop(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, news: asyncio.Event) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                await news.wait()
                news.clear()
                while self._waiting:
                    await self._deliver(client, self._waiting.popleft())

    async def _deliver(self, client: httpx.AsyncClient, parcel: Parcel) -> None:
        for pause in (*_PAUSES, None):
            status = 0
            try:
                answer = await client.post(parcel.hook.url, content=parcel.body, headers=parcel.headers)
                status = answer.status_code
                if status == _OK and (parcel.hook.platform != "vk" or answer.text == "ok"):
                    parcel.hook.delivered += 1
                    return
            except httpx.HTTPError:
                status = 0
            parcel.hook.refused.append(status)
            if pause is not None:
                await asyncio.sleep(pause)
