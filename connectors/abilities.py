"""What a plugin tells of itself before anything is built, its tokens, and what some platforms can do beside the verbs of the contract.

Standard library only. A reader is pure: it knows no token, opens nothing and keeps nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """One token. `kind` is the platform's own word: user, service, community (VK), bot (Telegram, MAX, Viber)."""

    key: str
    kind: str
    secret: str = field(repr=False)
    page_external_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capability:
    """What a verb costs: the platform's methods it calls, the kinds of token it may use, calls per use.

    `within`: of an answer that stands, how long after its publishing the platform lets it be done; None: always.
    `at`: the one kind of place (`Plugin.places`) that it is for; None: everywhere.
    """

    verb: str
    methods: tuple[str, ...]
    token_kinds: tuple[str, ...]
    calls: int
    within: timedelta | None = None
    at: str | None = None


@runtime_checkable
class Paced(Protocol):
    """A connector that knows how many calls its tokens allow, so that polling can share them out."""

    def calls_per_second(self, verb: str) -> float:
        """Calls for this verb in a second of the platform's own time, by all its tokens together; 0 without a fitting token."""


@runtime_checkable
class Rationed(Protocol):
    """A connector some of whose verbs have a quota of a day beside their pace."""

    def calls_a_day(self, verb: str) -> float | None:
        """Calls for this verb in any day of the platform's own time, by all its tokens together; None: as many as the pace allows."""


class Budget(Protocol):
    """What a token allows, when several processes use it: each keeps to its part. Otklik's worker hands one in."""

    def places(self, credential_key: str, limit: int, held: int) -> int:
        """How many of the `limit` calls of one window this process may make now; `held` are under way or too fresh."""

    async def take(self, credential_key: str, method: str, *, limit: int, seconds: float) -> timedelta | None:
        """Count one of at most `limit` calls in any `seconds`. None, or after how long there will be one."""


class Meter(Protocol):
    """Counts calls. Otklik's worker hands one in; the name of a method never holds an id."""

    def called(self, method: str, outcome: str) -> None:
        """A call has ended: `ok`, or the code of its error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A row of an otherwise good answer that could not be mapped: set aside with its reason, the rest goes on.

    `reference`: the post that it belongs to, where that is known. The same bytes about the same thing are one thing, however often told.
    """

    reason: str
    raw: bytes
    page_external_id: str | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PushRequest:
    """A request that claims to come from the platform. Names of headers are in lower case."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """What such a request says of itself; nothing of it is proved before Otklik has compared the secret.

    `event_id` is empty for a request that only asks for the confirmation code. `page_external_id`: for whom it says it is, where the
    platform tells. `happened_at`: where the platform tells, so that what is too old is not taken for news. `kept`: the event without its
    secret, where that stands in it; None: the whole body is kept.
    """

    secret: str = field(repr=False)
    event_id: str
    page_external_id: str | None = None
    happened_at: datetime | None = None
    kept: bytes | None = None


@runtime_checkable
class FetchesMedia(Protocol):
    """A platform whose pictures have no address that others may see: it would hold our token (Telegram)."""

    async def fetch_media(self, external_id: str, *, page_external_id: str, page_options: Mapping[str, str], most_bytes: int) -> bytes:
        """The bytes behind an `Attachment.external_id` of this page. Rejected `gone` when there are none, `too_large` past `most_bytes`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardEvent:
    """An event as the platform told it: for the inbox, and from there for `AcceptsPush.parse_push`."""

    event_id: str
    body: bytes = field(repr=False)
    happened_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What was heard since a cursor. `missed`: the platform says that it no longer has all there was in between."""

    events: tuple[HeardEvent, ...]
    cursor: str | None
    missed: bool = False


@runtime_checkable
class Listens(Protocol):
    """A platform whose news of one page can be waited for: instead of being pushed, and beside the polling that is complete alone."""

    async def listen(self, page_external_id: str, cursor: str | None) -> Heard:
        """The events of this page after `cursor` (None: from now on); waits some seconds for the first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """What a pasted link names: a post, or a comment under it. Everything is text of the link, nothing was asked of the platform.

    `link`: its address as it is shown and compared. `page`: the page's id, or its name in lower case. The post is named by its id or, where
    the link has none, by its thread (`PostSnapshot.thread_ref`). `root`: the top comment, where the link names it.
    """

    link: str
    page: str
    post: str | None = None
    thread: str | None = None
    comment: str | None = None
    root: str | None = None


class LinkReader(Protocol):
    """Knows the addresses of its platform, and no other host."""

    def read(self, link: str) -> Reference | None:
        """What a link names; None for another host, or when it names neither a post nor a comment."""


@runtime_checkable
class ChecksSignatures(Protocol):
    """A reader whose platform tells no secret of ours but signs with the page's own token."""

    def is_genuine(self, request: PushRequest, token: str) -> bool:
        """Whether this very request was signed with this token. Compares in constant time."""


class PushReader(Protocol):
    """Reads what a platform pushes, and answers as it expects."""

    def read(self, request: PushRequest) -> Pushed:
        """The secret and the event's number. Raises UnknownPayload when it is nothing of this platform."""

    def answer(self, pushed: Pushed, *, confirmation: str) -> bytes:
        """What the platform wants to hear once the event is safe."""
