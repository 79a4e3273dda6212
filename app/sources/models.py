"""Tables: pages and what was published and written there, as the platforms gave it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word
from app.sources.rules import Fate


class CredentialRow(Base):
    """A platform token, encrypted. `page_id` is set for a token of one page (a VK community key)."""

    __tablename__ = "credential"

    id: Mapped[int] = row_id()
    platform: Mapped[str] = word()
    kind: Mapped[str] = word()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = moment(default_now=True)
    revoked_at: Mapped[datetime | None] = moment(nullable=True)


class Page(Base):
    """An official page that we watch. Comments older than `watched_since` are context and open nothing.

    What the platform says of it is None where it tells nothing; it is asked again from `describe_at` on.
    `elsewhere`: a search for what is written about us on other pages. Its posts stand there, its comments are what it found.
    """

    __tablename__ = "page"
    __table_args__ = (
        UniqueConstraint("platform", "external_id"),
        Index("ix_page_describe_at", "describe_at", postgresql_where=sql("active")),
        Index("ix_page_title", sql("left(replace(lower(title), 'ё', 'е'), 100)"), "id"),
        Index("ix_page_members", sql("coalesce(members, -1)"), "id"),
        Index("ix_page_elsewhere", "platform", postgresql_where=sql("elsewhere")),
    )

    id: Mapped[int] = row_id()
    platform: Mapped[str] = word()
    external_id: Mapped[str] = word()
    title: Mapped[str] = word()
    link: Mapped[str] = word()
    agency_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("agency.id"), index=True)
    territory_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("territory.id"), index=True)
    sphere_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sphere.id"))
    members: Mapped[int | None] = mapped_column(Integer)
    options: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=sql("'{}'"))
    active: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    connected_at: Mapped[datetime] = moment(default_now=True)
    watched_since: Mapped[datetime] = moment()
    official: Mapped[bool | None] = mapped_column(Boolean)
    comments_open: Mapped[bool | None] = mapped_column(Boolean)
    described_at: Mapped[datetime | None] = moment(nullable=True)
    describe_at: Mapped[datetime] = moment(default_now=True)
    elsewhere: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))


class PageDay(Base):
    """What a platform said of a page on a day: how many follow it, and whether it carries the platform's mark."""

    __tablename__ = "page_day"
    __table_args__ = (Index("ix_page_day_day", "day"),)

    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"), primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    members: Mapped[int | None] = mapped_column(Integer)
    official: Mapped[bool | None] = mapped_column(Boolean)


class PageIntake(Base):
    """A page that somebody connects, and what the worker found of it: theirs alone, for some days."""

    __tablename__ = "page_intake"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'told', 'refused', 'wanted', 'connected')", name="state"),
        Index("ix_page_intake_operator_id", "operator_id", "asked_at"),
        Index("ix_page_intake_asked_at", "asked_at"),
        Index("ix_page_intake_waiting", "id", postgresql_where=sql("state IN ('asked', 'wanted')")),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    platform: Mapped[str] = word()
    link: Mapped[str] = word()
    state: Mapped[str] = word()
    asked_at: Mapped[datetime] = moment()
    code: Mapped[str | None]
    told: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    checks: Mapped[list[Any] | None] = mapped_column(JSONB)
    tokens: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    sphere_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sphere.id"))
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))


class FeedState(Base):
    """A polled unit: a page or the stream of a credential, leased by one worker at a time.

    `listed_at`: its last complete listing began then. `lag_s`: how long comments take to be noticed, the last ones counting most.
    """

    __tablename__ = "feed"
    __table_args__ = (
        UniqueConstraint("platform", "key"),
        Index("ix_feed_due_at", "platform", "due_at"),
        Index("ix_feed_page_id", "page_id"),
        Index("ix_feed_polled_at", sql("coalesce(polled_at, '1970-01-01 00:00:00+00'::timestamp with time zone)"), "page_id"),
        Index("ix_feed_lag", sql("coalesce(CAST(lag_s AS double precision), CAST(-1 AS double precision))"), "page_id"),
    )

    id: Mapped[int] = row_id()
    platform: Mapped[str] = word()
    key: Mapped[str] = word()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    cursor: Mapped[str | None]
    due_at: Mapped[datetime] = moment(default_now=True)
    discover_at: Mapped[datetime] = moment(default_now=True)
    listed_at: Mapped[datetime | None] = moment(nullable=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    polled_at: Mapped[datetime | None] = moment(nullable=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    lag_s: Mapped[float | None] = mapped_column(REAL)


class Post(Base):
    """What a page published. `seen_count` is the counter at the last complete read: a change asks for a new one.

    `weight` (looks are shared out by it) and `heat` (comments lately, as of `heat_at`) are what `rates.py` made of it.
    """

    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("page_id", "external_id"),
        Index("ix_post_page_id_thread_ref", "page_id", "thread_ref", postgresql_where=sql("thread_ref IS NOT NULL")),
        Index("ix_post_page_id_looks", "page_id", "probe_at", postgresql_where=sql("probe_at < 'infinity'")),
    )

    id: Mapped[int] = row_id()
    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"))
    external_id: Mapped[str] = word()
    thread_ref: Mapped[str | None]
    text: Mapped[str] = word()
    link: Mapped[str] = word()
    attachments: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    published_at: Mapped[datetime] = moment()
    observed_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    seen_count: Mapped[int | None] = mapped_column(Integer)
    read_at: Mapped[datetime | None] = moment(nullable=True)
    probe_at: Mapped[datetime] = moment(default_now=True)
    weight: Mapped[float] = mapped_column(REAL, server_default=sql("0"))
    heat: Mapped[float] = mapped_column(REAL, server_default=sql("0"))
    heat_at: Mapped[datetime | None] = moment(nullable=True)
    gone_at: Mapped[datetime | None] = moment(nullable=True)


class Author(Base):
    """The platform identity that wrote a comment: erasable, so nothing else repeats the name.

    Of an erased one a keyed hash of the platform's id stays (`mark`): what they wrote before is recognised and not stored again.
    """

    __tablename__ = "author"
    __table_args__ = (
        UniqueConstraint("platform", "external_id"),
        Index("ix_author_mark", "mark", postgresql_where=sql("mark IS NOT NULL")),
        Index("ix_author_link", "platform", "link", postgresql_where=sql("link IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    platform: Mapped[str] = word()
    external_id: Mapped[str] = word()
    name: Mapped[str] = word()
    link: Mapped[str | None]
    erased_at: Mapped[datetime | None] = moment(nullable=True)
    mark: Mapped[str | None]


class Comment(Base):
    """What a citizen (or the page) wrote, in its newest observed form; older forms are `CommentRevision`s.

    `form_at`, `form_number`: its form by the platform's order, None where it stood there at `observed_at`; `album_parts`: whose is what.
    `text_altered`: NUL or lone surrogates were replaced. `triage_warn_at`: when to tell next of the triage promise, its warning first.
    """

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("page_id", "post_id", "external_id"),
        CheckConstraint(f"fate IN ({', '.join(repr(fate.value) for fate in Fate)})", name="fate"),
        CheckConstraint("fate IS DISTINCT FROM 'opened' OR appeal_id IS NOT NULL", name="opened_has_appeal"),
        Index("ix_comment_unseen", "id", postgresql_where=sql("fate IS NULL")),
        Index("ix_comment_triage", "triage_due_at", "id", postgresql_where=sql("fate = 'in_triage'")),
        Index("ix_comment_triage_warn_at", "triage_warn_at", postgresql_where=sql("fate = 'in_triage' AND triage_warn_at IS NOT NULL")),
        Index("ix_comment_appeal_id", "appeal_id", postgresql_where=sql("appeal_id IS NOT NULL")),
        Index("ix_comment_thread", "post_id", "root_external_id"),
        Index("ix_comment_author_id", "author_id"),
        Index("ix_comment_album", "page_id", "album", postgresql_where=sql("album IS NOT NULL")),
        Index("ix_comment_page_replies", "post_id", "reply_to_external_id", postgresql_where=sql("by_page")),
    )

    id: Mapped[int] = row_id()
    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"))
    post_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("post.id"))
    external_id: Mapped[str] = word()
    root_external_id: Mapped[str] = word()
    reply_to_external_id: Mapped[str | None]
    author_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("author.id"))
    by_page: Mapped[bool] = mapped_column(Boolean)
    text: Mapped[str] = word()
    text_altered: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    attachments: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    link: Mapped[str] = word()
    revision: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    written_at: Mapped[datetime] = moment()
    edited_at: Mapped[datetime | None] = moment(nullable=True)
    deleted_at: Mapped[datetime | None] = moment(nullable=True)
    observed_at: Mapped[datetime] = moment()
    form_at: Mapped[datetime | None] = moment(nullable=True)
    form_number: Mapped[int | None] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime] = moment(default_now=True)
    fate: Mapped[str | None]
    fate_reason: Mapped[str | None]
    appeal_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal.id"))  # of opened, appended and, as an answer, page_own
    triage_due_at: Mapped[datetime | None] = moment(nullable=True)
    triage_warn_at: Mapped[datetime | None] = moment(nullable=True)
    erased_at: Mapped[datetime | None] = moment(nullable=True)
    album: Mapped[str | None]
    album_parts: Mapped[list[Any] | None] = mapped_column(JSONB)


class CommentRevision(Base):
    """A form of a comment as it was observed, with the platform's own bytes. Append-only but for erasure."""

    __tablename__ = "comment_revision"
    __table_args__ = (UniqueConstraint("comment_id", "revision"),)

    id: Mapped[int] = row_id()
    comment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("comment.id"))
    revision: Mapped[int] = mapped_column(Integer)
    text: Mapped[str] = word()
    attachments: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    edited_at: Mapped[datetime | None] = moment(nullable=True)
    observed_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)


class SetAside(Base):
    """A row that would not go in, with its reason and bytes; its batch went on without it.

    Once for the same bytes of the same page and post (`reference`, the platform's id): how many `times` it was met, and when last.
    """

    __tablename__ = "set_aside"
    __table_args__ = (
        UniqueConstraint("platform", "page_id", "reference", "digest", postgresql_nulls_not_distinct=True),
        Index("ix_set_aside_page_id", "page_id", "last_at", postgresql_where=sql("resolved_at IS NULL")),
    )

    id: Mapped[int] = row_id()
    platform: Mapped[str] = word()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    reference: Mapped[str] = mapped_column(server_default=sql("''"))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = word()
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    snapshot: Mapped[str | None]
    times: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    recorded_at: Mapped[datetime] = moment(default_now=True)
    last_at: Mapped[datetime] = moment(default_now=True)
    resolved_at: Mapped[datetime | None] = moment(nullable=True)


class CallShare(Base):
    """How many of a token's places (calls within its window) a worker holds, and until when."""

    __tablename__ = "call_share"

    credential_key: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    places: Mapped[int] = mapped_column(Integer)
    leased_until: Mapped[datetime] = moment()


class CallQuota(Base):
    """Calls of a method with a daily quota that a worker took, at once as a block."""

    __tablename__ = "call_quota"
    __table_args__ = (Index("ix_call_quota_credential_key", "credential_key", "method", "taken_at"),)

    id: Mapped[int] = row_id()
    credential_key: Mapped[str] = word()
    method: Mapped[str] = word()
    calls: Mapped[int] = mapped_column(Integer)
    taken_at: Mapped[datetime] = moment(default_now=True)


class PageHook(Base):
    """A platform may push for a page. Its secret is never stored, only its SHA-256; `confirmation` is what VK wants to hear first.

    `signed`: there is no secret, the platform signs with the page's own token.
    """

    __tablename__ = "page_hook"
    __table_args__ = (Index("ix_page_hook_in_use", "page_id", unique=True, postgresql_where=sql("revoked_at IS NULL")),)

    id: Mapped[int] = row_id()
    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    confirmation: Mapped[str] = mapped_column(server_default=sql("''"))
    signed: Mapped[bool] = mapped_column(server_default=sql("false"))
    created_at: Mapped[datetime] = moment(default_now=True)
    revoked_at: Mapped[datetime | None] = moment(nullable=True)


class PageListener(Base):
    """A page whose news a worker waits for; leased by one worker at a time. `cursor` was stored with the events before it."""

    __tablename__ = "page_listener"

    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"), primary_key=True, autoincrement=False)
    cursor: Mapped[str | None]
    due_at: Mapped[datetime] = moment(default_now=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    heard_at: Mapped[datetime | None] = moment(nullable=True)
    failures: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    started_at: Mapped[datetime] = moment(default_now=True)


class PushedEvent(Base):
    """An event of a platform: in the inbox before the platform was answered. `body` goes when it was handled, its number later."""

    __tablename__ = "pushed_event"
    __table_args__ = (
        UniqueConstraint("page_id", "event_id"),
        Index("ix_pushed_event_waiting", "id", postgresql_where=sql("handled_at IS NULL")),
        Index("ix_pushed_event_handled_at", "handled_at", postgresql_where=sql("handled_at IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"))
    event_id: Mapped[str] = word()
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = moment(default_now=True)
    handled_at: Mapped[datetime | None] = moment(nullable=True)


class LinkLookup(Base):
    """A link that somebody pasted, and what the worker found there: theirs alone, for an hour."""

    __tablename__ = "link_lookup"
    __table_args__ = (
        CheckConstraint("state IN ('wanted', 'stored', 'found', 'refused')", name="state"),
        Index("ix_link_lookup_operator_id", "operator_id", "asked_at"),
        Index("ix_link_lookup_asked_at", "asked_at"),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    platform: Mapped[str] = word()
    link: Mapped[str] = word()
    page: Mapped[str] = word()
    post: Mapped[str | None]
    thread: Mapped[str | None]
    comment: Mapped[str | None]
    root: Mapped[str | None]
    state: Mapped[str] = word()
    asked_at: Mapped[datetime] = moment()
    code: Mapped[str | None]
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id"))
    text: Mapped[str | None]
    author_name: Mapped[str | None]
    written_at: Mapped[datetime | None] = moment(nullable=True)
