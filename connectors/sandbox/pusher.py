"""Pushes: what VK's Callback API and the webhooks of Telegram, MAX and Viber send by themselves, repeated until it is heard."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors.sandbox.journal import Event
from connectors.sandbox.max.updates import update
from connectors.sandbox.model import Page, Platform
from connectors.sandbox.telegram.updates import Updates
from connectors.sandbox.viber.events import SIGNATURE_HEADER, happened, signature
from connectors.sandbox.viber.objects import greeting
from connectors.sandbox.vk.events import VkEvents
from connectors.sandbox.wire import utf8_json
from connectors.sandbox.world import World

_PAUSES = (0.2, 1.0, 5.0, 15.0)
_SECRET_HEADERS: dict[Platform, str] = {"telegram": "X-Telegram-Bot-Api-Secret-Token", "max": "X-Max-Bot-Api-Secret"}
_OK = 200
_WAITING = frozenset({410, 429, 503})
_LONGEST_WAIT = 3 * 3600


@dataclass(slots=True)
class Hook:
    """Where a page's news is pushed to, and what became of it."""

    platform: Platform
    page: str
    url: str
    secret: str
    base: str = ""
    """Where the sandbox itself is reached: pictures have an address there."""
    delivered: int = 0
    refused: list[int] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    """Seconds that were named by `Retry-After`, each time."""


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
        self._world = world
        self._state = world.state
        world.listen(self.hear)
        self._updates = updates
        self._hooks: dict[tuple[Platform, str], Hook] = {}
        self._waiting: dict[tuple[Platform, str], deque[Parcel]] = {}
        self._sending: dict[tuple[Platform, str], asyncio.Task[None]] = {}
        self._client: httpx.AsyncClient | None = None

    def report(self) -> list[dict[str, Any]]:
        """The hooks, without their secrets."""
        return [
            {
                "platform": hook.platform,
                "page": hook.page,
                "url": hook.url,
                "delivered": hook.delivered,
                "refused": hook.refused,
                "waited": hook.waited,
            }
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

    async def greet(self, hook: Hook) -> bool:
        """Viber's way of asking an address whether it hears: whether it answered 200."""
        body = utf8_json(greeting(self._world.sequence, self._world.now()))
        try:
            return self._client is not None and (
                (await self._client.post(hook.url, content=body, headers=_headers(hook, body))).status_code == _OK
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return False

    def hear(self, event: Event) -> None:
        """Take one event of the world, after it happened."""
        hook = self._hooks.get((event.get("platform", "vk"), event.get("page", "")))
        page = None if hook is None else self._state.find(hook.platform, hook.page)
        if hook is None or page is None:
            return
        self.push(hook, self._bodies(event, page, hook))

    def push(self, hook: Hook, bodies: Iterable[dict[str, Any]]) -> None:
        """Send these there, after what waits already."""
        parcels = [Parcel(hook, body, _headers(hook, body)) for body in map(utf8_json, bodies)]
        self._waiting.setdefault((hook.platform, hook.page), deque()).extend(parcels)
        self._send(hook)

    def _bodies(self, event: Event, page: Page, hook: Hook) -> list[dict[str, Any]]:
        if hook.platform == "vk":
            return self._vk(event, page, hook)
        if hook.platform == "telegram":
            return [update.body() for update in self._updates.fresh]
        if hook.platform == "viber":
            news = happened(self._state, event, page, number=self._world.sequence, base=hook.base)
            return [] if news is None else [news]
        told = update(self._state, event, page, hook.url.rpartition("/hooks/")[0]) if hook.platform == "max" else None
        return [] if told is None else [told]

    def place(self, hook: Hook) -> None:
        """Push this page's news from now on."""
        self._hooks[hook.platform, hook.page] = hook

    def hook(self, platform: Platform, page: str) -> Hook | None:
        """Where a page's news is pushed to."""
        return self._hooks.get((platform, page))

    def of(self, platform: Platform, url: str) -> list[Hook]:
        """The hooks of a platform that lead there."""
        return [hook for hook in self._hooks.values() if hook.platform == platform and hook.url == url]

    def pending(self, hook: Hook) -> int:
        """How many requests to it wait, the one that is being tried included."""
        key = hook.platform, hook.page
        return len(self._waiting.get(key, ())) + (key in self._sending)

    def remove(self, hook: Hook) -> None:
        """Push no more."""
        self._hooks.pop((hook.platform, hook.page), None)

    def _vk(self, event: Event, page: Page, hook: Hook) -> list[dict[str, Any]]:
        told = self._vk_events.newest(page, event, hook.url.rpartition("/hooks/")[0])
        return [] if told is None else [told | {"secret": hook.secret}]

    def start(self) -> None:
        """Send from now on."""
        self._client = httpx.AsyncClient(trust_env=False, timeout=5)

    async def stop(self) -> None:
        """Send no more."""
        for task in self._sending.values():
            task.cancel()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _send(self, hook: Hook) -> None:
        """See to it that a page's parcels leave in turn; one address that makes us wait holds up no other."""
        key = hook.platform, hook.page
        if self._client is not None and key not in self._sending:
            self._sending[key] = asyncio.create_task(self._run(self._client, key))

    async def _run(self, client: httpx.AsyncClient, key: tuple[Platform, str]) -> None:
        try:
            while self._waiting[key]:
                await self._deliver(client, self._waiting[key].popleft())
        finally:
            del self._sending[key]

    async def _deliver(self, client: httpx.AsyncClient, parcel: Parcel) -> None:
        """Until it is heard, four times more; who names a time to come again (VK lets them) is asked then, and that counts as no try."""
        pauses, tries = iter(_PAUSES), 0
        while True:
            answer = await self._ask(client, parcel, tries)
            if answer is not None and answer.status_code == _OK and (parcel.hook.platform != "vk" or answer.text == "ok"):
                parcel.hook.delivered += 1
                return
            tries += 1
            parcel.hook.refused.append(0 if answer is None else answer.status_code)
            named = None if answer is None or parcel.hook.platform != "vk" else _told_to_wait(answer)
            pause = next(pauses, None) if named is None else float(named)
            if pause is None:
                return
            if named is not None:
                parcel.hook.waited.append(named)
            await asyncio.sleep(pause)

    async def _ask(self, client: httpx.AsyncClient, parcel: Parcel, tries: int) -> httpx.Response | None:
        again = {"X-Retry-Counter": str(tries)} if tries and parcel.hook.platform == "vk" else {}
        try:
            return await client.post(parcel.hook.url, content=parcel.body, headers=parcel.headers | again)
        except httpx.HTTPError:
            return None


def _told_to_wait(answer: httpx.Response) -> int | None:
    """The seconds of `Retry-After` that VK heeds: with these statuses, and less than three hours."""
    named = answer.headers.get("Retry-After", "")
    if answer.status_code not in _WAITING or not named.isdecimal():
        return None
    return int(named) if int(named) < _LONGEST_WAIT else None


def _headers(hook: Hook, body: bytes) -> dict[str, str]:
    """By what the receiver knows who sends it."""
    headers = {"Content-Type": "application/json"}
    if hook.platform in _SECRET_HEADERS:
        headers[_SECRET_HEADERS[hook.platform]] = hook.secret
    if hook.platform == "viber":
        headers[SIGNATURE_HEADER] = signature(body, hook.secret)
    return headers
