"""What OK's answers mean: parsed JSON in, snapshots out. No I/O, no clock.

A row that is not as described becomes `Unreadable`; an answer that is not raises `OddError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.contract import Attachment, AuthorSnapshot, CommentSnapshot, PageSnapshot, PostSnapshot, Unreadable
from connectors.ok.links import comment_link, page_link, post_id, post_link, profile_link
from connectors.payload import (
    Json,
    OddError,
    as_int,
    as_list,
    as_moment_ms,
    as_object,
    as_text,
    is_object,
    maybe_int,
    maybe_link,
    maybe_moment_ms,
    maybe_text,
    to_bytes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import AttachmentKind

KINDS: dict[str, AttachmentKind] = {
    "photo": "photo",
    "video": "video",
    "movie": "video",
    "music": "audio",
    "sticker": "sticker",
    "link": "link",
}
_GROUP_REF = "group:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Under:
    """Where the rows of an answer stand and when they were asked for."""

    page: str
    post: str
    observed_at: datetime


@dataclass(kw_only=True, slots=True)
class Listing:
    """One answer of `discussions.getList`: what stands in any of the groups of a token."""

    posts: list[PostSnapshot] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    active: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When something last happened in them, by group and number: of a counter nobody says whether it counts replies."""
    told: int = 0
    reached: datetime | None = None
    """When something last happened in the last of them, which is what OK orders by; None where it does not say."""
    anchor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentsPage:
    """One answer of `discussions.getComments`."""

    comments: tuple[CommentSnapshot, ...]
    unreadable: tuple[Unreadable, ...]
    anchor: str | None
    """Where the next call goes on; None when this was the last part."""


def group_behind(answer: object) -> str | None:
    """The number of the group behind an address (`url.getInfo`); None when it is no group's."""
    found = as_object(answer, "url")
    if found.get("type") != "GROUP":
        return None
    return _id(found.get("objectIdStr", found.get("objectId")), "url.objectId")


def page_snapshot(answer: object) -> PageSnapshot | None:
    """The one group of a `group.getInfo` answer; None when OK knows none."""
    groups = as_list(answer, "groups")
    if not groups:
        return None
    group = as_object(groups[0], "group")
    number = _id(group.get("uid"), "group.uid")
    return PageSnapshot(
        external_id=number,
        title=as_text(group.get("name"), "group.name"),
        link=page_link(number, maybe_text(group.get("shortname"))),
        members=maybe_int(group.get("members_count")),
    )


def listing(answer: object, *, observed_at: datetime) -> Listing:
    """What `discussions.getList` told; what stands in no group is left out, for a token's own notes are not our pages'."""
    told = as_object(answer, "answer")
    rows = as_list(told.get("discussions"), "discussions")
    result = Listing(told=len(rows), anchor=maybe_text(told.get("anchor")))
    for row in rows:
        group = _group_of(row)
        try:
            if group is not None:
                told_of = as_object(row, "discussion")
                post = _post(told_of, group, observed_at)
                result.posts.append(post)
                if (active := maybe_moment_ms(told_of.get("last_activity_date_ms"))) is not None:
                    result.active[group, post.external_id] = active
        except OddError as odd:
            result.unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row), page_external_id=group))
    last = rows[-1] if rows else None
    result.reached = maybe_moment_ms(last.get("last_activity_date_ms")) if is_object(last) else None
    return result


def discussion(answer: object, *, group: str, observed_at: datetime) -> tuple[PostSnapshot, AuthorSnapshot | None]:
    """The discussion of a `discussions.get` answer, bare or under `discussion`, with its owner where OK names one. Raises OddError."""
    told = as_object(answer, "answer")
    inner = told.get("discussion")
    row = inner if is_object(inner) else told
    owner = _author(_maybe_id(row.get("owner_uid")), maybe_text(row.get("owner_name")))
    return _post(row, _group_of(row) or group, observed_at), owner


def _group_of(row: object) -> str | None:
    """The group that a discussion stands in, as its references say."""
    references = row.get("ref_objects") if is_object(row) else None
    for one in references if isinstance(references, list) else ():
        if is_object(one) and one.get("type") == "GROUP":
            return maybe_text(one.get("id")) or (str(number) if (number := maybe_int(one.get("id"))) else None)
    return None


def _post(row: Json, group: str, observed_at: datetime) -> PostSnapshot:
    post = post_id(as_text(row.get("object_type"), "discussion.object_type"), _id(row.get("object_id"), "discussion.object_id"))
    written = row.get("creation_date_ms")
    return PostSnapshot(
        page_external_id=group,
        external_id=post,
        text=maybe_text(row.get("message")) or as_text(row.get("title"), "discussion.title"),
        published_at=observed_at if written is None else as_moment_ms(written, "discussion.creation_date_ms"),
        observed_at=observed_at,
        link=post_link(group, post),
        raw=to_bytes(row),
        # Never `new_comments_count`: what is unread goes down when somebody of the group reads, and would hide what came since.
        comment_count=maybe_int(row.get("total_comments_count")),
    )


def comments_count(answer: object) -> int:
    """How many comments a discussion has (`discussions.getDiscussionCommentsCount`: a number, or an object around it)."""
    return as_int(answer.get("count") if is_object(answer) else answer, "count")


def comments_page(answer: object, under: Under) -> CommentsPage:
    """One answer of `discussions.getComments`."""
    told = as_object(answer, "answer")
    comments: dict[str, CommentSnapshot] = {}
    unreadable: list[Unreadable] = []
    for row in as_list(told.get("comments", []), "comments"):
        try:
            comment = _comment(as_object(row, "comment"), under)
            comments[comment.external_id] = comment  # told twice, it is still one comment
        except OddError as odd:
            unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row), page_external_id=under.page))
    anchor = maybe_text(told.get("anchor")) if told.get("has_more") is True else None
    return CommentsPage(comments=tuple(comments.values()), unreadable=tuple(unreadable), anchor=anchor)


def one_comment(answer: object, under: Under) -> CommentSnapshot:
    """The comment of a `discussions.getComment` answer, bare or under `comment`. Raises OddError."""
    told = as_object(answer, "answer")
    inner = told.get("comment")
    return _comment(inner if is_object(inner) else told, under)


def _comment(row: Json, under: Under) -> CommentSnapshot:
    number = _id(row.get("id"), "comment.id")
    parent = maybe_text(row.get("reply_to_comment_id"))
    author = _maybe_id(row.get("author_id"))
    reference = maybe_text(row.get("author_ref")) or ""
    return CommentSnapshot(
        page_external_id=under.page,
        post_external_id=under.post,
        external_id=number,
        text=as_text(row.get("text"), "comment.text"),
        written_at=as_moment_ms(row.get("date_ms"), "comment.date_ms"),
        observed_at=under.observed_at,
        link=comment_link(under.page, under.post, number),
        raw=to_bytes(row),
        author=_author(author, maybe_text(row.get("author_name"))),
        by_page=reference == f"{_GROUP_REF}{under.page}" or author == under.page,
        root_external_id=None if parent else number,
        reply_to_external_id=parent,
        attachments=_attachments(row.get("attachments")),
    )


def _author(number: str | None, name: str | None) -> AuthorSnapshot | None:
    return None if number is None else AuthorSnapshot(external_id=number, name=name or number, link=profile_link(number))


def _attachments(told: object) -> tuple[Attachment, ...]:
    rows = [one for one in told if is_object(one)] if isinstance(told, list) else []
    return tuple(
        Attachment(
            kind=KINDS.get((maybe_text(one.get("type")) or "").lower(), "other"),
            external_id=_maybe_id(one.get("id")),
            url=maybe_link(one.get("standard_url")) or maybe_link(one.get("url")),
        )
        for one in rows
    )


def sent_id(answer: object) -> str:
    """The number of the comment that `discussions.addDiscussionComment` made: bare, or in an object. Raises OddError."""
    if is_object(answer):
        inner = answer.get("comment")
        answer = inner.get("id") if is_object(inner) else answer.get("id", answer.get("comment_id"))
    return _id(answer, "comment id")


def _maybe_id(value: object) -> str | None:
    try:
        return _id(value, "")
    except OddError:
        return None


def _id(value: object, what: str) -> str:
    """An id: OK writes them as text, and takes numbers for them. Raises OddError."""
    if isinstance(value, str) and value:
        return value
    return str(as_int(value, what))
