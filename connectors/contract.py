"""The port between Otklik and a platform: standard library only, imported by both sides. Errors are part of it.

A connector turns what a platform tells into `Batch` values and publishes `Outgoing` answers. It keeps no state
that a restart would miss: cursors, counters and the outbox live in Otklik's database and are handed in.

Moments are aware datetimes, and every value here refuses a naive one with ValueError. Ids are the platform's own, as strings. Texts are
exactly what the platform gave: NUL and lone surrogates included (a byte that was not UTF-8 arrives as a lone surrogate U+DC80..U+DCFF).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from connectors.abilities import (
    Budget as Budget,
    Capability as Capability,
    ChecksSignatures as ChecksSignatures,
    Credential as Credential,
    FetchesMedia as FetchesMedia,
    Heard as Heard,
    HeardEvent as HeardEvent,
    LinkReader as LinkReader,
    Listens as Listens,
    Meter as Meter,
    Paced as Paced,
    Pushed as Pushed,
    PushReader as PushReader,
    PushRequest as PushRequest,
    Rationed as Rationed,
    Reference as Reference,
    Unreadable as Unreadable,
)
from connectors.amends import (
    AttachesPictures as AttachesPictures,
    DeletesAnswers as DeletesAnswers,
    EditsAnswers as EditsAnswers,
    Look as Look,
    LooksAtAnswers as LooksAtAnswers,
    NotThere as NotThere,
    PlaceReader as PlaceReader,
    Standing as Standing,
    StandsAs as StandsAs,
)
from connectors.errors import (
    AccessLost as AccessLost,
    ConnectorError as ConnectorError,
    OutcomeUnknown as OutcomeUnknown,
    PushedInstead as PushedInstead,
    Rejected as Rejected,
    TryLater as TryLater,
    UnknownPayload as UnknownPayload,
)
from connectors.pictures import Picture as Picture, Pictures as Pictures
from connectors.refs import CannotTell as CannotTell, Feed as Feed, PageRef as PageRef, Pages as Pages, PostRef as PostRef, Timed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONTRACT_VERSION = 1


def utc_now() -> datetime:
    """The wall clock: what a connector uses when nobody hands it another one."""
    return datetime.now(UTC)  # noqa: TID251 - the connectors' only reading of the clock; Otklik passes its own in


AttachmentKind = Literal["photo", "video", "audio", "document", "sticker", "link", "other"]


# --- what is watched -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSnapshot:
    """What the platform says of a page; `options` travels back in `PageRef.options`. `elsewhere`: a search, see `connectors.finding`."""

    external_id: str
    title: str
    link: str
    members: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A reference to a picture or file: never its bytes."""

    kind: AttachmentKind
    external_id: str | None = None
    url: str | None = None
    title: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorSnapshot:
    """The platform identity that wrote a comment."""

    external_id: str
    name: str
    link: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PostSnapshot(Timed):
    """A post as observed at `observed_at`. `comment_count` includes replies inside threads; None when not told.

    `named_only`: an event named it without showing it. Stored where it is unknown, so that its comments have a place; changes no known one.
    """

    page_external_id: str
    external_id: str
    text: str
    published_at: datetime
    observed_at: datetime
    link: str
    raw: bytes
    comment_count: int | None = None
    thread_ref: str | None = None
    attachments: tuple[Attachment, ...] = ()
    named_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentSnapshot(Timed):
    """A comment as observed at `observed_at`.

    `author` is None when the platform names none (deleted, hidden). `by_page`: written in the page's own name.
    `post_external_id` is None where the platform names only the thread that the comment stands in: `thread_ref` is then
    the `PostSnapshot.thread_ref` of its post, on the same page. One of the two is always given.
    `root_external_id` is the top comment of its thread (itself, when it is the top one); None where the platform
    names only the parent: Otklik then takes the parent's root.
    `edited_at` only where the platform tells it. `form_at` is the moment of this very form by the platform's clock, where it says so
    (a message with its date of editing, an event with its own time); None: it is what stood there at `observed_at`. `form_number`
    is the platform's own count of what it tells, which orders forms of one moment. A comment that the platform shows as a deleted stub has
    `deleted=True` and may have an empty text.
    """

    page_external_id: str
    post_external_id: str | None
    external_id: str
    text: str
    written_at: datetime
    observed_at: datetime
    link: str
    raw: bytes
    thread_ref: str | None = None
    author: AuthorSnapshot | None = None
    by_page: bool = False
    root_external_id: str | None = None
    reply_to_external_id: str | None = None
    edited_at: datetime | None = None
    form_at: datetime | None = None
    form_number: int | None = None
    deleted: bool = False
    attachments: tuple[Attachment, ...] = ()
    album: str | None = None
    """Several messages that are one comment: those of one album on a page; it goes by the first that was stored."""

    def __post_init__(self) -> None:
        Timed.__post_init__(self)  # super() does not know a class that slots=True made anew
        if self.post_external_id is None and self.thread_ref is None:
            msg = f"Comment {self.external_id} names neither its post nor its thread"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion(Timed):
    """The platform says that a comment is gone."""

    page_external_id: str
    post_external_id: str
    external_id: str
    observed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeThread(Timed):
    """The batch holds every living comment of this thread (of the whole post when `root_external_id` is None).

    `observed_at` is the moment before the reading began: a stored comment of it that was written before that moment and
    has not been observed since then has been deleted on the platform.
    """

    page_external_id: str
    post_external_id: str
    observed_at: datetime
    root_external_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One answer of a platform, mapped. `cursor` is opaque; it is stored in the transaction of the rows.

    It may hold several observations of one comment, the oldest first. `skipped` counts, by reason, what was told and is by design
    neither post nor comment (a member joined, chatter of a group outside every thread), so that nothing disappears uncounted.
    """

    posts: tuple[PostSnapshot, ...] = ()
    comments: tuple[CommentSnapshot, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    complete_for: tuple[WholeThread, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    page_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What has become of options of pages (by their ids): a group moved, a right was lost (`no_access`, empty once it is back)."""
    look_at: tuple[str, ...] = ()
    """Pages (by their ids) of which the platform says that we were let in or sent away: they are listed at once."""
    reached: datetime | None = None
    """Of a list that goes on: back to which moment, by what it is ordered by, it was followed. None: it ends, or its rows' dates tell."""
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PostCount(Timed):
    """How many comments a post has now; `gone`: it is shown no more; `active_at`: when something was last written there, if told."""

    page_external_id: str
    external_id: str
    comment_count: int
    observed_at: datetime
    gone: bool = False
    active_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing(Timed):
    """An answer to publish under `reply_to_external_id`, in the page's name.

    `guid` is the same for every attempt at the same answer. `first_tried_at` bounds the search of `find_sent`.
    """

    guid: str
    post: PostRef
    reply_to_external_id: str
    root_external_id: str
    text: str
    first_tried_at: datetime
    pictures: tuple[Picture, ...] = ()
    """No more and none larger than `Plugin.pictures` says; `find_sent` is asked without them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent(Timed):
    """The platform took the answer and published it at `published_at`.

    `parts`: its own names of what belongs to the answer besides, handed back in `Standing`. `pictures_left`: only the text stands, the
    pictures are put there by `AttachesPictures`, in an act of its own.
    """

    external_id: str
    published_at: datetime
    link: str
    parts: tuple[str, ...] = ()
    pictures_left: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """`find_sent` saw the answer on the platform."""

    sent: Sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """`find_sent` read all there is and the answer is not there: sending again is safe."""


SentLookup = Found | Absent | CannotTell


@runtime_checkable
class Connector(Protocol):
    """What every connector does. Each verb raises only `ConnectorError`s; anything else is counted as a bug."""

    async def describe_page(self, link: str) -> PageSnapshot:
        """The page behind a link, a screen name or an id."""

    async def send(self, outgoing: Outgoing) -> Sent:
        """Publish once. Never retried inside.

        Raises TryLater, Rejected or AccessLost when nothing was published, OutcomeUnknown when it may have been.
        """

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Look whether an answer of unknown outcome stands on the platform."""

    async def close(self) -> None:
        """Release sockets and threads."""


@runtime_checkable
class Streams(Protocol):
    """A platform that hands out news in order (Telegram): the stored cursor confirms what came before it."""

    def feeds(self, pages: Sequence[PageRef]) -> Sequence[Feed]:
        """The feeds that carry these pages."""

    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        """The news after `cursor`; may wait for some seconds when there is none."""


@runtime_checkable
class Discovers(Protocol):
    """A platform whose new posts are found by listing the wall."""

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest `limit` posts (no comments)."""


@runtime_checkable
class Probes(Protocol):
    """A platform that tells comment counters of many posts in one call: the cheap change detector."""

    probe_limit: int

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Counters of at most `probe_limit` posts of any pages; a post whose counter was not told is left out.

        AccessLost only when none could be counted: a page that lets us in no more must not hide the counters of others.
        """


@runtime_checkable
class ReadsThreads(Protocol):
    """A platform whose comments are read by post."""

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        """A part of the comments of a post, threads included (of one thread, when `root_external_id` is given).

        `cursor` None starts from the beginning; `Batch.cursor` None means that this was the last part, and then
        `complete_for` covers everything read since the beginning.
        """


@runtime_checkable
class AcceptsPush(Protocol):
    """A platform that tells its news by requests of its own (`Plugin.push` reads their envelope)."""

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:
        """What a pushed body tells of `page`, or of those of `pages` that the same credential carries. Pure. UnknownPayload."""


@runtime_checkable
class RegistersPush(Protocol):
    """A platform that is told by a call where to push. It tries the address before it answers."""

    async def register_push(self, page: PageRef, address: str | None) -> None:
        """Push this page's news there from now on, and nowhere else; None: nowhere. Done twice it does no more than once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a connector is built from. `time_scale` divides every pause and limit window (1 = wall clock).

    `limits` overrides the connector's own figures by name (connectors/README.md lists them), in the platform's time.
    """

    api_url: str | None
    credentials: tuple[Credential, ...]
    time_scale: float = 1.0
    timeout: float = 20.0
    """Seconds until a call without an answer is given up, already scaled."""
    limits: Mapping[str, float] = field(default_factory=dict)
    now: Callable[[], datetime] = utc_now
    budget: Budget | None = None
    """None: no other process uses these tokens."""
    meter: Meter | None = None


class Builder(Protocol):
    """Builds a connector; opens nothing yet."""

    def __call__(self, options: Options) -> Connector:
        """A connector that has opened nothing yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What the entry point names."""

    platform: str
    title: str
    default_api_url: str
    credential_kinds: tuple[str, ...]
    text_limit: int
    """Characters that one answer may have."""
    capabilities: tuple[Capability, ...]
    build: Builder
    push: PushReader | None = None
    links: LinkReader | None = None
    places: PlaceReader | None = None
    hosts: tuple[str, ...] = ()
    """The platform's own sites, with all below them: an address that it tells, of a captcha say, is opened by a person on these alone."""
    pictures: Pictures | None = None
    """None: its answers are text alone."""
    contract_version: int = CONTRACT_VERSION
