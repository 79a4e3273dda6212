"""The bots of notices answer whoever writes to them with the number of the chat: a person needs it for their preferences.

Nothing is stored. What was read is confirmed by the next look; after a crash, or with several workers, somebody may be
answered twice, which does no harm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from app.flows.couriers import MAX_URL, TELEGRAM_URL, MaxCourier, Parcel, TelegramCourier
from app.kernel.log import logger
from app.kernel.outgoing import Outgoing, RefusedError, parse_hosts, target
from app.notices.wording import Writer

if TYPE_CHECKING:
    from app.flows.couriers import Courier
    from app.kernel.clock import Clock
    from app.kernel.parts import NoticeParts

AT_ONCE = 20
SEND_SECONDS = 15.0
MOST_ANSWER_BYTES = 1_000_000
_COMMAND = "/start"
_FINE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Somebody wrote in a chat; `locale` is "" where the platform does not tell it."""

    chat: str
    locale: str = ""


class Bot(ABC):
    """What one platform's bot has read; `courier` answers."""

    name: str
    courier: Courier

    @property
    @abstractmethod
    def address(self) -> str:
        """Where news is read from now on."""

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {}

    @abstractmethod
    def take(self, answer: Any) -> list[Written]:  # noqa: ANN401 - JSON of the platform
        """Who wrote; what was read is not read again. LookupError, TypeError or ValueError for what cannot be read."""


class TelegramBot(Bot):
    """By getUpdates without waiting."""

    name = "telegram"

    def __init__(self, outgoing: Outgoing, *, url: str, token: str) -> None:
        self.courier = TelegramCourier(outgoing, url=url, token=token)
        self._url = f"{url.rstrip('/')}/bot{token}/getUpdates?timeout=0&limit={AT_ONCE}&allowed_updates=%5B%22message%22%5D"
        self._offset = 0

    @property
    def address(self) -> str:
        """From the first update that was not confirmed."""
        return f"{self._url}&offset={self._offset}" if self._offset else self._url

    def take(self, answer: Any) -> list[Written]:  # noqa: ANN401 - JSON of the platform
        """Private chats, and groups where somebody called the bot."""
        found = []
        for one in answer["result"]:
            self._offset = max(self._offset, int(one["update_id"]) + 1)
            told = one.get("message") or {}
            chat, words = told.get("chat") or {}, str(told.get("text") or "")
            if "id" in chat and (chat.get("type") == "private" or words.startswith(_COMMAND)):
                found.append(Written(chat=str(int(chat["id"])), locale=str((told.get("from") or {}).get("language_code") or "")))
        return found


class MaxBot(Bot):
    """By the list of updates without waiting."""

    name = "max"

    def __init__(self, outgoing: Outgoing, *, url: str, token: str) -> None:
        self.courier = MaxCourier(outgoing, url=url, token=token)
        self._url = f"{url.rstrip('/')}/updates?timeout=0&limit={AT_ONCE}&types=bot_started,message_created"
        self._token = token
        self._marker: int | None = None

    @property
    def address(self) -> str:
        """From where the last list ended."""
        return self._url if self._marker is None else f"{self._url}&marker={self._marker}"

    @property
    def headers(self) -> dict[str, str]:
        """Its token."""
        return {"Authorization": self._token}

    def take(self, answer: Any) -> list[Written]:  # noqa: ANN401 - JSON of the platform
        """Dialogues, and chats where somebody called the bot."""
        found = []
        for one in answer["updates"]:
            locale = str(one.get("user_locale") or "")
            if one.get("update_type") == "bot_started":
                found.append(Written(chat=str(int(one["user"]["user_id"])), locale=locale))
            elif told := one.get("message"):
                to, words = told["recipient"], str((told.get("body") or {}).get("text") or "")
                if to.get("chat_type") == "dialog":
                    found.append(Written(chat=str(int(told["sender"]["user_id"])), locale=locale))
                elif words.startswith(_COMMAND):
                    found.append(Written(chat=str(int(to["chat_id"])), locale=locale))
        if answer.get("marker") is not None:
            self._marker = int(answer["marker"])
        return found


def build_bots(parts: NoticeParts) -> list[tuple[Bot, Outgoing]]:
    """The bots that the settings name, each with what calls its platform alone."""
    bots: list[tuple[Bot, Outgoing]] = []
    if parts.telegram_token:
        url = parts.telegram_url or TELEGRAM_URL
        outgoing = calls_to(url, most_bytes=MOST_ANSWER_BYTES)
        bots.append((TelegramBot(outgoing, url=url, token=parts.telegram_token), outgoing))
    if parts.max_token:
        url = parts.max_url or MAX_URL
        outgoing = calls_to(url, most_bytes=MOST_ANSWER_BYTES)
        bots.append((MaxBot(outgoing, url=url, token=parts.max_token), outgoing))
    return bots


def calls_to(url: str, *, most_bytes: int) -> Outgoing:
    """Calls this one host: a public one by https, or this machine. RefusedError for an address that is none."""
    hosts = parse_hosts(url.partition("://")[2].partition("/")[0])
    target(url, hosts)
    return Outgoing(hosts, seconds=SEND_SECONDS, most_bytes=most_bytes)


class Greeter:
    """One bot's rounds."""

    def __init__(self, bot: Bot, outgoing: Outgoing, clock: Clock, *, parts: NoticeParts) -> None:
        self._bot = bot
        self._outgoing = outgoing
        self._clock = clock
        self._parts = parts
        self._trouble = ""

    async def round(self) -> bool:
        """Answer whoever wrote since; whether there may be more at once. A platform that does not answer is named once."""
        try:
            answer = await self._outgoing.call("GET", self._bot.address, headers=self._bot.headers)
            if answer.status != _FINE:
                return self._troubled(str(answer.status))
            written = self._bot.take(orjson.loads(answer.body))
        except RefusedError as error:
            return self._troubled(error.code)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return self._troubled(type(error).__name__)
        self._trouble = ""
        for one in {each.chat: each for each in written}.values():
            locale = one.locale[:2] if one.locale[:2] in {"ru", "en"} else self._parts.locale
            writer = Writer(self._parts.catalogue(locale), language=locale, timezone=self._parts.timezone, address=self._parts.address)
            guid = f"greeting-{one.chat}"
            await self._bot.courier.carry(Parcel(address=one.chat, wording=writer.chat(one.chat), guid=guid, at=self._clock.now()))
        return len(written) >= AT_ONCE

    def _troubled(self, code: str) -> bool:
        if code != self._trouble:
            logger.warning("notice_bot_unheard", carrier=self._bot.name, code=code)
        self._trouble = code
        return False
