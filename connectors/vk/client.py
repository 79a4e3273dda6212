"""VK over HTTP, through vk_api: the only module that knows the SDK. It sends, paces, and tells failures apart."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from typing import TYPE_CHECKING, Final

import jconfig
import requests
import urllib3
import vk_api
from requests.adapters import HTTPAdapter

from connectors import meanings
from connectors.contract import AccessLost, ConnectorError, TryLater
from connectors.pacing import Quota, Window, metered, paced, shared
from connectors.payload import is_object, readable_json
from connectors.tokens import Tokens
from connectors.vk import bundles
from connectors.vk.calls import Answer, Call
from connectors.vk.errors import from_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.contract import Credential, Options

API_VERSION: Final = "5.199"
SDK_ORIGIN: Final = "https://api.vk.ru"
WORKERS: Final = 8
LARGEST_ANSWER: Final = 64 * 1024 * 1024
DAY: Final = 86_400.0
# Calls per second of a token, and wall.get calls a day: PLATFORMS.md; each can be overridden by Options.limits.
DEFAULT_LIMITS: Final[Mapping[str, float]] = {
    "user_per_second": 3,
    "service_per_second": 3,
    "community_per_second": 20,
    "wall_get_per_day": 5_000,
    "search_per_day": 1_000,
    "listen_seconds": 25,
}
QUOTAS: Final = {"wall.get": "wall_get_per_day", "newsfeed.search": "search_per_day"}
"""Methods that VK lets a token call so often in a day."""
# Another token may do what this one may not now.
ANOTHER_TOKEN: Final = frozenset({"reauthorise", "token_kind", "validation", "captcha", "app_off", "quota", "flood"})
REST_SECONDS: Final = 60.0
TOO_MUCH: Final = 13
NOT_ASKED: Final = "an answer about posts that were not asked about"


class TooLargeError(requests.RequestException):
    """An answer past LARGEST_ANSWER."""


class OriginAdapter(HTTPAdapter):
    """Sends what vk_api addresses to VK's origin to the configured one, with a time-out and a bound on the answer."""

    def __init__(self, base_url: str, timeout: float) -> None:
        super().__init__(pool_maxsize=2 * WORKERS, max_retries=0)
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self.last = threading.local()
        """`body` and `date` of this thread's last answer: vk_api gives only the parsed value."""

    def send(self, request: requests.PreparedRequest, *_args: object, **_kwargs: object) -> requests.Response:
        """One request; raises requests' own errors."""
        deadline = time.monotonic() + self._timeout
        request.url = self._base_url + (request.url or "").removeprefix(SDK_ORIGIN)
        response = super().send(request, stream=True, timeout=self._timeout, verify=True, proxies=None)
        with response:
            body = _read(response, deadline)
        fixed = readable_json(body).encode()
        self.last.body, self.last.date = body, _date(response.headers.get("Date"))
        response.raw, response.encoding = BytesIO(fixed), "utf-8"
        return response


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body, but no more than LARGEST_ANSWER and no longer than the deadline however slowly it drips."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := response.raw.read1(65536, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > LARGEST_ANSWER:
                raise TooLargeError
            if time.monotonic() > deadline:
                raise requests.ReadTimeout
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError from error
    return b"".join(parts)


def _date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.utcoffset() is None else moment


class VkClient:
    """All calls to VK of one connector: chooses the token, keeps its pace, speaks the contract's errors."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._scale = options.time_scale
        self._limits = {**DEFAULT_LIMITS, **options.limits}
        self._adapter = OriginAdapter(base_url, options.timeout)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.max_redirects = 0
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.adapters.clear()  # nothing else on the net can be reached by mistake
        self._session.mount(f"{SDK_ORIGIN}/", self._adapter)
        # Apart, so that an answer never queues behind readings of a platform that has become slow.
        self._readers = ThreadPoolExecutor(WORKERS, thread_name_prefix="vk-read")
        self._senders = ThreadPoolExecutor(WORKERS, thread_name_prefix="vk-send")
        self._tokens = Tokens(options.credentials, lambda page: page.lstrip("-"))
        self._windows = {c.key: self._window(c) for c in options.credentials}
        self._quotas: dict[tuple[str, str], Quota] = {}
        self._bundlers = {c.key: self._bundler(c) for c in options.credentials if c.kind in bundles.KINDS}
        self._resting: dict[tuple[str, str], float] = {}

    def _window(self, credential: Credential) -> Window:
        """A page's own token is used for its answers alone, and sends far fewer than it may: it is not shared out."""
        budget = self._options.budget if credential.page_external_id is None else None
        return shared(self.per_second(credential.kind), 1 / self._scale, credential.key, budget)

    async def _count(self, credential: Credential, method: str) -> None:
        """One call of the day. Raises TryLater `quota` when there is none left."""
        budget, seconds, a_day = self._options.budget, DAY / self._scale, int(self._limits[QUOTAS[method]])
        if budget is None:
            self._quotas.setdefault((credential.key, method), Quota(a_day, seconds)).take()
        elif (after := await budget.take(credential.key, method, limit=a_day, seconds=seconds)) is not None:
            code, detail = "quota", f"{a_day} calls are used up"
            raise TryLater(code, detail, after=after)

    def limit(self, name: str) -> float:
        """One of our own figures."""
        return self._limits[name]

    def per_second(self, kind: str) -> int:
        """Calls a second that one token of this kind allows, in VK's own time."""
        return max(1, int(self._limits.get(f"{kind}_per_second", 1)))

    def _bundler(self, credential: Credential) -> bundles.Bundler:
        """Who puts a token's readings together."""
        scene = meanings.Scene(sending=False, credential_key=credential.key, time_scale=self._scale)
        return bundles.Bundler(
            self._windows[credential.key],
            patience=self._options.timeout,
            one=lambda call: self._alone(credential, call, scene),
            many=lambda calls: self._execute(credential, calls, scene),
        )

    def readings_per_second(self, credential: Credential, method: str) -> int:
        """Calls of a reading method a second with this token, those counted that go together."""
        bundled = credential.key in self._bundlers and method in bundles.METHODS
        return self.per_second(credential.kind) * (bundles.MOST if bundled else 1)

    def can(self, kinds: tuple[str, ...], page: str | None) -> bool:
        """Whether any configured token may be used for such a call."""
        return bool(self._candidates(kinds, page, ""))

    async def call(self, call: Call) -> Answer:
        """Carry out a call. A reading goes to the next token when one may not; a send goes to one token only.

        Raises the contract's errors.
        """
        candidates = self._candidates(call.kinds, call.page, call.method)
        if not candidates:
            have = ", ".join(sorted({c.kind for c in self._options.credentials})) or "none"
            code = "token_kind"
            raise AccessLost(code, f"{call.method} needs a token of kind {' or '.join(call.kinds)}; configured: {have}")
        for number, credential in enumerate(candidates, start=1):
            try:
                return await self._call_with(credential, call)
            except (AccessLost, TryLater) as error:
                if error.code in ANOTHER_TOKEN:
                    rest = time.monotonic() + REST_SECONDS / self._scale
                    self._resting[credential.key, call.method] = rest
                if call.sending or error.code not in ANOTHER_TOKEN or number == len(candidates):
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _candidates(self, kinds: tuple[str, ...], page: str | None, method: str) -> list[Credential]:
        """The tokens that may be used: rested ones first, then by preference of kind, then the least busy.

        Of what goes in bundles a token takes more the more of it waits: once the preferred kind is busy, the least busy is next.
        """

        def order(credential: Credential) -> tuple[bool, int, float]:
            resting = self._resting.get((credential.key, method), 0) > time.monotonic()
            window, bundler = self._windows[credential.key], self._bundlers.get(credential.key)
            load = (window.load if bundler is None else bundler.load) / window.limit
            preferred = kinds.index(credential.kind)
            return resting, len(kinds) if method in bundles.METHODS and load >= 1 else preferred, load

        return sorted((one for one in self._tokens.serving(page) if one.kind in kinds), key=order)

    async def _call_with(self, credential: Credential, call: Call) -> Answer:
        scene = meanings.Scene(sending=call.sending, credential_key=credential.key, time_scale=self._scale)
        if call.method in bundles.METHODS and (bundler := self._bundlers.get(credential.key)) is not None:
            return await bundler.call(call)
        if call.method in QUOTAS:
            await self._count(credential, call.method)
        async with paced(self._windows[credential.key], patience=self._options.timeout):
            return await self._alone(credential, call, scene)

    async def _alone(self, credential: Credential, call: Call, scene: meanings.Scene) -> Answer:
        answer = await self._in_thread(credential, call, scene)
        if not bundles.fits(call, answer.value):
            raise _malformed(NOT_ASKED, answer.raw, scene)
        return answer

    async def _in_thread(self, credential: Credential, call: Call, scene: meanings.Scene) -> Answer:
        pool = self._senders if call.sending else self._readers
        with metered(self._options.meter, call.method):
            return await asyncio.get_running_loop().run_in_executor(pool, self._blocking, credential.secret, call, scene)

    async def _execute(self, credential: Credential, calls: Sequence[Call], scene: meanings.Scene) -> list[Answer | ConnectorError]:
        """A bundle: what each of its calls got."""
        call = Call(method="execute", params={"code": bundles.script(calls)}, kinds=calls[0].kinds)
        whole = await self._in_thread(credential, call, scene)
        told = bundles.told(whole.value, len(calls)) if is_object(whole.value) else None
        if told is None:
            raise _malformed("not what execute answers", whole.raw, scene)
        if not all(bundles.fits(one, value) for one, value in zip(calls, told, strict=True)):
            raise _malformed(NOT_ASKED, whole.raw, scene)  # one that stands in another's place makes every place doubtful, an empty one too
        return [_inside(one.entry, whole.raw, scene) if isinstance(one, bundles.Inside) else bundles.part(one, whole) for one in told]

    def _blocking(self, secret: str, call: Call, scene: meanings.Scene) -> Answer:
        """The call itself, in a thread of the pool; of `execute` the whole answer, for its errors stand beside."""
        # A new VkApi is cheap and holds no lock: vk_api's own would let one call of a token go at a time.
        api = vk_api.VkApi(token=secret, session=self._session, api_version=API_VERSION, config=jconfig.MemoryConfig)
        api.RPS_DELAY = 0  # the pace is ours, in scaled time
        api.error_handlers = {}  # its own would sleep and call again
        self._adapter.last.body, self._adapter.last.date = b"", None
        bundle = call.method == "execute"
        try:
            answer = api.method(call.method, dict(call.params), raw=True)
        except Exception as error:
            if bundle and isinstance(error, vk_api.ApiError) and error.code == TOO_MUCH:
                raise bundles.TooMuchError from error
            raise _translated(error, self._adapter.last.body, scene) from error
        body: bytes = self._adapter.last.body
        if not isinstance(answer, dict) or "response" not in answer:
            raise _malformed("no response in the answer", body, scene)
        return Answer(value=answer if bundle else answer["response"], raw=body, date=self._adapter.last.date)

    async def close(self) -> None:
        """Release the threads and sockets; a call under way ends by its time-out."""
        for bundler in self._bundlers.values():
            bundler.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._senders.shutdown(wait=False, cancel_futures=True)
        self._session.close()
        self._adapter.close()


def _translated(error: Exception, body: bytes, scene: meanings.Scene) -> ConnectorError:
    """Any exception of vk_api or requests as the contract's error."""
    if isinstance(error, vk_api.ApiError):
        return _from_api(error.error, body, scene)
    if isinstance(error, vk_api.ApiHttpError):
        return meanings.from_status(error.response.status_code, raw=body, scene=scene)
    if isinstance(error, TooLargeError):
        return meanings.unreadable("too_large", f"an answer past {LARGEST_ANSWER} bytes", raw=b"", scene=scene)
    if isinstance(error, requests.TooManyRedirects):
        return meanings.unreadable("redirect", "the platform's address redirects elsewhere", raw=body, scene=scene)
    if isinstance(error, requests.RequestException) and not isinstance(error, requests.JSONDecodeError):
        return meanings.unreachable(type(error).__name__, left=_may_have_left(error), scene=scene)
    return _malformed(f"not an answer of VK's: {type(error).__name__}", body, scene)


def _malformed(detail: str, body: bytes, scene: meanings.Scene) -> ConnectorError:
    return meanings.unreadable("malformed", detail, raw=body, scene=scene)


def _from_api(told: object, body: bytes, scene: meanings.Scene) -> ConnectorError:
    number = told.get("error_code") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(number, int):
        return _malformed("an error without its number", body, scene)
    words = str(told.get("error_msg", ""))
    address = told.get("redirect_uri")
    detail = f"{words} ({address})" if address else words
    return from_number(number, detail, raw=body, scene=scene)


def _inside(entry: object, body: bytes, scene: meanings.Scene) -> ConnectorError:
    """The failure of one call inside a bundle."""
    return _from_api(entry, body, scene) if entry is not None else _malformed("execute does not say why a call failed", body, scene)


def _may_have_left(error: requests.RequestException) -> bool:
    """False only when the connection was never made: then nothing can have been done."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    reason: object = error.args[0] if error.args else None
    reason = getattr(reason, "reason", reason)
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.NameResolutionError)
    return not isinstance(reason, never)
