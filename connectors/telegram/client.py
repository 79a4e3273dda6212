"""Telegram's Bot API over HTTP, through aiogram: the only module that knows the SDK.

aiogram carries the calls and knows the errors. What updates mean is read from the plain JSON: its own models refuse a
whole answer for one update of a shape that they do not know.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiogram import Bot, exceptions
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import (
    DeleteMessage,
    EditMessageCaption,
    EditMessageText,
    GetChat,
    GetChatMember,
    GetChatMemberCount,
    GetFile,
    GetMe,
    GetUpdates,
    GetWebhookInfo,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    TelegramMethod,
)
from aiogram.types import BufferedInputFile, InputMediaPhoto, ReplyParameters
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientConnectorError, ClientError, ClientTimeout, ConnectionTimeoutError

from connectors.contract import AccessLost, Rejected, TryLater, UnknownPayload
from connectors.pacing import Window, metered, paced, shared
from connectors.payload import is_object, maybe_int, maybe_text, readable_json
from connectors.telegram import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import ClientResponse

    from connectors.contract import ConnectorError, Credential, Options, Picture

LARGEST_ANSWER: Final = 64 * 1024 * 1024
KINDS: Final = ("message", "edited_message", "my_chat_member")
# Sendings of a bot, of a bot to one chat, and to one group: PLATFORMS.md; each can be overridden by Options.limits.
DEFAULT_LIMITS: Final = {
    "bot_per_second": 30.0,
    "chat_per_second": 1.0,
    "group_per_minute": 20.0,
    "poll_seconds": 20.0,  # how long an empty getUpdates waits; 0 asks and goes
}
MINUTE: Final = 60.0
LONGER: Final = 3
"""So many times as long as for words a call with pictures may take: they have to get there."""
OK: Final = 200
PLAIN_PATH: Final = re.compile(r"[\w-][\w./-]{0,500}", re.ASCII)


class Plain(TelegramMethod[Any]):
    """Stands for any method when an answer is checked: its result stays plain JSON."""

    __returning__: ClassVar[Any] = Any
    __api_method__: ClassVar[str] = ""


class NeverLeftError(exceptions.TelegramNetworkError):
    """The connection was never made: nothing can have been done."""


class NotThereError(Exception):
    """There is no such file any more."""


class TooLargeError(Exception):
    """The file has more bytes than are wanted."""


@dataclass(kw_only=True, slots=True)
class Answer:
    """What stands under `result`, and the whole answer's bytes."""

    value: object
    raw: bytes


class PlainSession(AiohttpSession):
    """aiogram's session, with a bound on the answer, bytes that need not be UTF-8, and failures told apart."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: float | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> Any:
        """One call: an Answer. Raises aiogram's errors."""
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        form = self.build_form_data(bot=bot, method=method)
        limit = ClientTimeout(total=self.timeout if timeout is None else timeout)
        try:
            async with session.post(url, data=form, timeout=limit, allow_redirects=False) as response:
                body = await _read(response)
        # Never chained: aiohttp's errors may carry the address, and the address holds the token.
        except (ClientConnectorError, ConnectionTimeoutError) as error:
            raise NeverLeftError(method=method, message=type(error).__name__) from None
        except (TimeoutError, ClientError) as error:
            raise exceptions.TelegramNetworkError(method=method, message=type(error).__name__) from None
        if response.status >= errors.FIRST_SERVER_ERROR:
            raise exceptions.TelegramServerError(method=method, message=f"HTTP {response.status}")
        try:
            plain = Plain()
            told = self.check_response(bot=bot, method=plain, status_code=response.status, content=readable_json(body))
        except exceptions.TelegramRetryAfter:
            raise
        except exceptions.TelegramAPIError as error:
            if response.status == errors.TOO_MANY:
                raise exceptions.TelegramRetryAfter(method, error.message, errors.RETRY_SECONDS) from None
            raise
        return Answer(value=told.result, raw=body)

    async def download(self, bot: Bot, path: str, *, most_bytes: int, timeout: float) -> bytes:  # noqa: ASYNC109 - as above
        """A file by its path. Its address holds the token: it stays in here. Raises aiogram's errors, NotThereError, TooLargeError."""
        method = GetFile(file_id=path)
        session = await self.create_session()
        url = self.api.file_url(bot.token, path)
        try:
            async with session.get(url, timeout=ClientTimeout(total=timeout), allow_redirects=False) as response:
                body = await _read(response, most_bytes)
        except (TimeoutError, ClientError) as error:
            raise exceptions.TelegramNetworkError(method=method, message=type(error).__name__) from None
        if response.status >= errors.FIRST_SERVER_ERROR:
            raise exceptions.TelegramServerError(method=method, message=f"HTTP {response.status}")
        if response.status != OK:
            raise NotThereError
        return body


async def _read(response: ClientResponse, most_bytes: int | None = None) -> bytes:
    """The whole body; past `most_bytes` a TooLargeError, past LARGEST_ANSWER a ClientError."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(65536):
        parts.append(part)
        size += len(part)
        if most_bytes is not None and size > most_bytes:
            raise TooLargeError
        if size > LARGEST_ANSWER:
            raise ClientError
    return b"".join(parts)


class TelegramClient:
    """All calls of one connector's bots."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._scale = options.time_scale
        self._limits = {**DEFAULT_LIMITS, **options.limits}
        self._session = PlainSession(api=TelegramAPIServer.from_base(base_url), timeout=options.timeout)
        self._bots: dict[str, Bot] = {}
        self._windows: dict[str, Window] = {}
        self._silent: dict[tuple[str, str], float] = {}
        """Until when Telegram wants to hear nothing of a bot in a chat, on the clock of `time.monotonic`."""

    async def updates(self, credential: Credential, *, offset: int | None, limit: int) -> Answer:
        """The updates from `offset` on; waits for the first one. A higher offset confirms all before it."""
        seconds = self._limits["poll_seconds"]
        wait = max(1, round(seconds / self._scale)) if seconds else 0
        method = GetUpdates(offset=offset, limit=limit, timeout=wait, allowed_updates=list(KINDS))
        return await self._call(credential, method, patience=wait + self._options.timeout)

    async def send(self, credential: Credential, *, chat: str, reply_to: int, text: str, pictures: Sequence[Picture] = ()) -> Answer:
        """Publish a message in reply to another, or not at all when that one is gone: with pictures one of them or an album."""
        reply = ReplyParameters(message_id=reply_to, allow_sending_without_reply=False)
        # No message_thread_id: a discussion group is no forum, the reply itself puts the message in its thread.
        method: TelegramMethod[Any] = SendMessage(chat_id=chat, text=text, reply_parameters=reply)
        files = [BufferedInputFile(one.content, filename=one.name) for one in pictures]
        caption = text or None
        if len(files) == 1:
            method = SendPhoto(chat_id=chat, photo=files[0], caption=caption, reply_parameters=reply)
        elif files:
            first, *others = files
            album = [InputMediaPhoto(media=first, caption=caption), *(InputMediaPhoto(media=one) for one in others)]
            method = SendMediaGroup(chat_id=chat, media=album, reply_parameters=reply)  # type: ignore[arg-type]  # a list of one of its kinds
        return await self._into(credential, chat, method, patience=self._options.timeout * (LONGER if files else 1))

    async def edit(self, credential: Credential, *, chat: str, message: int, text: str, caption: bool) -> Answer:
        """Put another text into a message of the bot's own, or (`caption`) under its picture."""
        method: TelegramMethod[Any] = EditMessageText(chat_id=chat, message_id=message, text=text)
        if caption:
            method = EditMessageCaption(chat_id=chat, message_id=message, caption=text)
        return await self._into(credential, chat, method, patience=self._options.timeout)

    async def _into(self, credential: Credential, chat: str, method: TelegramMethod[Any], *, patience: float) -> Answer:
        """Publish something in a chat. One refusal that says how long to wait holds up all that is meant for the same chat."""
        place = credential.key, chat
        self._not_silent(place)
        async with paced(*self._sending_windows(credential, chat), patience=self._options.timeout):
            self._not_silent(place)  # a refusal may have come while we stood in line
            try:
                return await self._call(credential, method, patience=patience, sending=True)
            except TryLater as error:
                if error.code == "rate" and error.after is not None:
                    self._silent[place] = time.monotonic() + error.after.total_seconds()
                raise

    def _not_silent(self, place: tuple[str, str]) -> None:
        """Raises TryLater while nothing may be sent there."""
        left = self._silent.get(place, 0.0) - time.monotonic()
        if left > 0:
            raise errors.too_many(math.ceil(left), errors.Scene(sending=True, credential_key=place[0], time_scale=self._scale))
        self._silent.pop(place, None)

    async def delete(self, credential: Credential, *, chat: str, message: int) -> Answer:
        """Delete a message."""
        method = DeleteMessage(chat_id=chat, message_id=message)
        return await self._call(credential, method, patience=self._options.timeout, sending=True)

    async def chat(self, credential: Credential, chat: str) -> Answer:
        """A chat as the bot sees it."""
        return await self._call(credential, GetChat(chat_id=chat), patience=self._options.timeout)

    async def file(self, credential: Credential, file_id: str, *, most_bytes: int) -> bytes:
        """A file's bytes. Rejected `too_large` past `most_bytes`, UnknownPayload for a path that leads elsewhere."""
        answer = await self._call(credential, GetFile(file_id=file_id), patience=self._options.timeout)
        told = answer.value if is_object(answer.value) else {}
        path, size = maybe_text(told.get("file_path")) or "", maybe_int(told.get("file_size")) or 0
        if size > most_bytes:
            raise Rejected("too_large", f"the file has {size} bytes", credential_key=credential.key)
        if not PLAIN_PATH.fullmatch(path) or ".." in path:
            raise UnknownPayload("malformed", "getFile names no plain path", raw=answer.raw, credential_key=credential.key)
        scene = errors.Scene(sending=False, credential_key=credential.key, time_scale=self._scale)
        try:
            return await self._session.download(self._bot(credential), path, most_bytes=most_bytes, timeout=self._options.timeout)
        except TooLargeError:
            raise Rejected("too_large", f"the file has more than {most_bytes} bytes", credential_key=credential.key) from None
        except NotThereError:
            raise Rejected("gone", "the file is not there any more", credential_key=credential.key) from None
        except Exception as error:  # noqa: BLE001 - as of any call
            raise _translated(error, scene) from None

    async def webhook(self, credential: Credential) -> Answer:
        """Where the bot's updates are pushed to."""
        return await self._call(credential, GetWebhookInfo(), patience=self._options.timeout)

    async def me(self, credential: Credential) -> Answer:
        """The bot itself."""
        return await self._call(credential, GetMe(), patience=self._options.timeout)

    async def member(self, credential: Credential, chat: str, user: int) -> Answer:
        """What a member may do in a chat."""
        method = GetChatMember(chat_id=chat, user_id=user)
        return await self._call(credential, method, patience=self._options.timeout)

    async def member_count(self, credential: Credential, chat: str) -> Answer:
        """How many follow a chat."""
        return await self._call(credential, GetChatMemberCount(chat_id=chat), patience=self._options.timeout)

    def _sending_windows(self, credential: Credential, chat: str) -> list[Window]:
        """All workers share what a bot may send in a second, and to a group in a minute; a chat's second lets short bursts pass."""
        second, minute, key, budget = 1 / self._scale, MINUTE / self._scale, credential.key, self._options.budget
        wanted = (
            (key, "bot_per_second", second, budget),
            (f"{key} {chat}", "chat_per_second", second, None),
            (f"{key} {chat} by the minute", "group_per_minute", minute, budget),
        )
        for scope, name, seconds, ours in wanted:
            if scope not in self._windows:
                self._windows[scope] = shared(max(1, int(self._limits[name])), seconds, scope, ours)
        return [self._windows[scope] for scope, *_ in wanted]

    async def _call(self, credential: Credential, method: TelegramMethod[Any], *, patience: float, sending: bool = False) -> Answer:
        with metered(self._options.meter, method.__api_method__):
            return await self._called(credential, method, patience=patience, sending=sending)

    async def _called(self, credential: Credential, method: TelegramMethod[Any], *, patience: float, sending: bool) -> Answer:
        scene = errors.Scene(sending=sending, credential_key=credential.key, time_scale=self._scale)
        try:
            answer: Answer = await self._session.make_request(self._bot(credential), method, timeout=patience)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises has a word in the contract
            raise _translated(error, scene) from None
        return answer

    def _bot(self, credential: Credential) -> Bot:
        if credential.key not in self._bots:
            self._bots[credential.key] = Bot(credential.secret, session=self._session)
        return self._bots[credential.key]

    async def close(self) -> None:
        """Release the sockets."""
        await self._session.close()


_STATUSES: Final[tuple[tuple[type[exceptions.TelegramAPIError], int], ...]] = (
    (exceptions.TelegramBadRequest, 400),
    (exceptions.TelegramUnauthorizedError, 401),
    (exceptions.TelegramForbiddenError, 403),
    (exceptions.TelegramNotFound, 404),
    (exceptions.TelegramConflictError, 409),
    (exceptions.TelegramEntityTooLarge, 413),
    (exceptions.TelegramServerError, 500),
)


def _translated(error: Exception, scene: errors.Scene) -> ConnectorError:
    """Any exception of aiogram as the contract's error."""
    if isinstance(error, TokenValidationError):
        return AccessLost("reauthorise", "not the form of a bot's token", credential_key=scene.credential_key)
    if isinstance(error, exceptions.TelegramAPIError):
        return _from_api(error, scene)
    if isinstance(error, exceptions.ClientDecodeError):
        raw = error.data if isinstance(error.data, str) else json.dumps(error.data)
        detail = f"not an answer of Telegram's: {type(error.original).__name__}"
        return errors.unreadable("malformed", detail, raw=raw.encode("utf-8", "surrogatepass"), scene=scene)
    # aiogram meets hostile answers with whatever Python raises.
    return errors.unreadable("malformed", type(error).__name__, raw=b"", scene=scene)


def _from_api(error: exceptions.TelegramAPIError, scene: errors.Scene) -> ConnectorError:
    if isinstance(error, exceptions.TelegramRetryAfter):
        return errors.too_many(error.retry_after, scene)
    if isinstance(error, exceptions.TelegramMigrateToChat):
        return errors.moved(error.migrate_to_chat_id, scene)
    if isinstance(error, NeverLeftError):
        return errors.later("network", error.message, scene)
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 0)
    if status == 0 and isinstance(error, exceptions.TelegramNetworkError):
        return errors.failed("network", error.message, scene)
    return errors.from_status(status, error.message or "", raw=b"", scene=scene)
