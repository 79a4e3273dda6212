"""What VK's answers mean: parsed JSON in, snapshots out. No I/O, no clock, no SDK.

A row that is not as described becomes `Unreadable`; an answer that is not raises `OddError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.contract import (
    AuthorSnapshot,
    CommentSnapshot,
    Deletion,
    PageRef,
    PageSnapshot,
    PostCount,
    PostRef,
    PostSnapshot,
    Unreadable,
)
from connectors.payload import (
    Json,
    OddError,
    as_int,
    as_list,
    as_moment,
    as_object,
    as_text,
    is_object,
    maybe_int,
    maybe_text,
    to_bytes,
)
from connectors.vk.attachments import attachments
from connectors.vk.links import SITE, comment_link, post_link, profile_link
from connectors.vk.places import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

People = dict[int, AuthorSnapshot]


@dataclass(frozen=True, kw_only=True, slots=True)
class Under:
    """Where the rows of an answer stand and when they were asked for. `place`: None for a post of the page's wall."""

    page_external_id: str
    post_external_id: str
    observed_at: datetime
    place: Place | None = None

    @property
    def voice(self) -> str:
        """Who speaks in the page's name there."""
        return self.page_external_id if self.place is None else str(self.place.voice)

    def link(self, comment: int, root: int | None) -> str:
        """Where a comment stands."""
        if self.place is not None:
            return self.place.link(comment, root)
        return comment_link(self.page_external_id, self.post_external_id, comment, comment if root is None else root)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of `wall.getComments`: its id and parts, the comment itself last to be trusted."""

    id: int
    thread_count: int
    thread_rows: int
    parsed: tuple[CommentSnapshot | Deletion | Unreadable, ...]
    """The row itself, then the replies that came inside it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentsPage:
    """One answer of `wall.getComments`. Rows without an id are only in `unreadable`."""

    rows: tuple[Row, ...]
    unreadable: tuple[Unreadable, ...]
    told: int
    """Rows in the answer, readable or not."""
    total: int
    """Comments under the post, replies included."""
    level: int | None
    """Comments on the level that was asked for."""


@dataclass(kw_only=True, slots=True)
class Posts:
    """Posts of one answer."""

    posts: list[PostSnapshot] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def page_snapshot(response: object) -> PageSnapshot:
    """The one community of a `groups.getById` answer, in the object form or the older list."""
    groups = as_list(response.get("groups") if is_object(response) else response, "groups")
    if not groups:
        msg = "groups is empty"
        raise OddError(msg)
    group = as_object(groups[0], "group")
    number = as_int(group.get("id"), "group.id")
    screen_name = maybe_text(group.get("screen_name")) or f"club{number}"
    options = {"screen_name": screen_name}
    wall = maybe_int(group.get("wall"))
    if wall is not None:
        options["wall"] = str(wall)
    return PageSnapshot(
        external_id=str(-number),
        title=as_text(group.get("name"), "group.name"),
        link=f"https://vk.com/{screen_name}",
        members=maybe_int(group.get("members_count")),
        options=options,
    )


def resolved(response: object) -> tuple[str, int] | None:
    """Kind and number behind a screen name; None when nobody has that name (VK then answers an empty list)."""
    if response == [] or response is None:
        return None
    found = as_object(response, "resolved")
    kind = as_text(found.get("type"), "resolved.type")
    number = found.get("object_id", found.get("group_id"))
    return kind, as_int(number, "resolved.object_id")


def wall_posts(response: object, *, page_external_id: str, observed_at: datetime) -> Posts:
    """The posts of a `wall.get` answer."""
    result = Posts()
    for item in as_list(as_object(response, "response").get("items"), "items"):
        try:
            result.posts.append(_post(as_object(item, "post"), page_external_id, observed_at))
        except OddError as odd:
            row = Unreadable(reason=str(odd), raw=to_bytes(item), page_external_id=page_external_id)
            result.unreadable.append(row)
    return result


def post_of(
    response: object, *, page_external_id: str, post: int, observed_at: datetime
) -> tuple[PostSnapshot, AuthorSnapshot | None] | None:
    """The post of that number in an answer of `wall.getById`, with whoever wrote it; None when it is not there any more."""
    answer = as_object(response, "response")
    for item in as_list(answer.get("items"), "items"):
        if is_object(item) and item.get("id") == post and item.get("is_deleted") is not True:
            return _post(item, page_external_id, observed_at), author_of(maybe_int(item.get("from_id")), people_of(answer))
    return None


def _post(item: Json, page_external_id: str, observed_at: datetime) -> PostSnapshot:
    number = as_int(item.get("id"), "post.id")
    return PostSnapshot(
        page_external_id=page_external_id,
        external_id=str(number),
        text=as_text(item.get("text"), "post.text"),
        published_at=as_moment(item.get("date"), "post.date"),
        observed_at=observed_at,
        link=post_link(page_external_id, number),
        raw=to_bytes(item),
        comment_count=_comment_count(item),
        attachments=attachments(item.get("attachments")),
    )


def _comment_count(item: Json) -> int | None:
    comments = item.get("comments")
    return maybe_int(comments.get("count")) if is_object(comments) else None


def post_counts(response: object, *, asked: Sequence[PostRef], observed_at: datetime) -> list[PostCount]:
    """Counters from a `wall.getById` answer: posts that it lacks are gone, posts without a counter are left out."""
    items = as_list(response.get("items") if is_object(response) else response, "items")
    told: dict[tuple[int, int], Json] = {}
    for item in items:
        post = as_object(item, "post")
        told[as_int(post.get("owner_id"), "post.owner_id"), as_int(post.get("id"), "post.id")] = post
    counts: list[PostCount] = []
    unread = 0
    for ref in asked:
        place = place_of(ref)
        item = told.get((place.owner, place.number))
        gone = item is None or item.get("is_deleted") is True
        if place.elsewhere and not gone:  # what others write there is not read, so nothing can be made of a counter
            unread += 1
            continue
        count = 0 if item is None or gone else _comment_count(item)
        if count is not None:
            counts.append(
                PostCount(
                    page_external_id=ref.page.external_id,
                    external_id=ref.external_id,
                    comment_count=count,
                    observed_at=observed_at,
                    gone=gone,
                )
            )
    if len(asked) > unread and not counts:
        msg = "no post of the answer has comments.count"
        raise OddError(msg)
    return counts


def comments_page(response: object, under: Under, *, root: int | None = None) -> CommentsPage:
    """One answer of `wall.getComments`; `root` names the thread when one was asked for."""
    answer = as_object(response, "response")
    items = as_list(answer.get("items"), "items")
    people = people_of(answer)
    rows: dict[int, Row] = {}
    unreadable: list[Unreadable] = []
    for item in items:
        number = maybe_int(item.get("id")) if is_object(item) else None
        if number is None or not is_object(item):
            unreadable.append(_unreadable("comment.id is not a whole number", item, under))
        elif number not in rows:  # told twice, it is still one comment
            rows[number] = _row(number, item, people, under, root)
    return CommentsPage(
        rows=tuple(rows.values()),
        unreadable=tuple(unreadable),
        told=len(items),
        total=as_int(answer.get("count"), "count"),
        level=maybe_int(answer.get("current_level_count")),
    )


def _row(number: int, item: Json, people: People, under: Under, root: int | None) -> Row:
    parsed: dict[int, CommentSnapshot | Deletion | Unreadable] = {}
    parsed[number] = _comment(number, item, people, under, root)
    thread = item.get("thread")
    replies = thread.get("items") if is_object(thread) else None
    replies = replies if isinstance(replies, list) else []
    nameless: list[Unreadable] = []
    for reply in replies:
        reply_number = maybe_int(reply.get("id")) if is_object(reply) else None
        if reply_number is None or not is_object(reply):
            nameless.append(_unreadable("reply.id is not a whole number", reply, under))
        elif reply_number not in parsed:
            parsed[reply_number] = _comment(reply_number, reply, people, under, number)
    told = maybe_int(thread.get("count")) if is_object(thread) else None
    rows = len(parsed) - 1 + len(nameless)
    return Row(id=number, thread_count=told or rows, thread_rows=rows, parsed=(*parsed.values(), *nameless))


def comment_of(response: object, under: Under, number: int) -> CommentSnapshot | None:
    """The comment of that number in an answer of `wall.getComment(s)`, or None when it is not among them."""
    answer = as_object(response, "response")
    people = people_of(answer)
    for item in as_list(answer.get("items"), "items"):
        if is_object(item) and item.get("id") == number:
            found = _comment(number, item, people, under, None)
            return found if isinstance(found, CommentSnapshot) else None
    return None


def pushed_comment(
    item: Json, *, page_external_id: str, post_external_id: str, observed_at: datetime
) -> CommentSnapshot | Deletion | Unreadable:
    """A comment that came by itself: VK names its author only by number then."""
    place = place_of(PostRef(page=PageRef(external_id=page_external_id), external_id=post_external_id))
    under = Under(page_external_id=page_external_id, post_external_id=post_external_id, observed_at=observed_at, place=place)
    return _comment(as_int(item.get("id"), "comment.id"), item, {}, under, None)


def named_post(comment: CommentSnapshot, post_external_id: str) -> PostSnapshot:
    """What an event about a comment tells of what it stands under: that it is there."""
    place = place_of(PostRef(page=PageRef(external_id=comment.page_external_id), external_id=post_external_id))
    return PostSnapshot(
        page_external_id=comment.page_external_id, external_id=post_external_id, text="", published_at=comment.written_at,
        observed_at=comment.observed_at, link=f"{SITE}/{place.address}", raw=b"{}", named_only=True,
    )  # fmt: skip


def _comment(number: int, item: Json, people: People, under: Under, root: int | None) -> CommentSnapshot | Deletion | Unreadable:
    deleted = item.get("deleted") is True or item.get("deleted") == 1
    try:
        if deleted and maybe_int(item.get("date")) is None:
            # A stub that has lost its date still says that the comment is gone.
            return Deletion(
                page_external_id=under.page_external_id,
                post_external_id=under.post_external_id,
                external_id=str(number),
                observed_at=under.observed_at,
            )
        return _living(number, item, people, under, root, deleted=deleted)
    except OddError as odd:
        return _unreadable(str(odd), item, under)


def _living(  # noqa: PLR0913 - a comment is read in the light of all of them
    number: int, item: Json, people: People, under: Under, root: int | None, *, deleted: bool
) -> CommentSnapshot:
    stack = item.get("parents_stack")
    top = maybe_int(stack[0]) if isinstance(stack, list) and stack else None
    parent = maybe_int(item.get("reply_to_comment"))
    # Where comments are one list VK names whom a reply is to, but not the thread: then Otklik takes the parent's.
    top = top or root or (None if parent else number)
    parent = parent or (top if top != number else None)
    from_id = maybe_int(item.get("from_id"))
    return CommentSnapshot(
        page_external_id=under.page_external_id,
        post_external_id=under.post_external_id,
        external_id=str(number),
        text=as_text(item.get("text"), "comment.text"),
        written_at=as_moment(item.get("date"), "comment.date"),
        observed_at=under.observed_at,
        link=under.link(number, top),
        raw=to_bytes(item),
        author=author_of(from_id, people),
        by_page=from_id is not None and str(from_id) == under.voice,
        root_external_id=str(top) if top else None,
        reply_to_external_id=str(parent) if parent else None,
        deleted=deleted,
        attachments=attachments(item.get("attachments")),
    )


def author_of(from_id: int | None, people: People) -> AuthorSnapshot | None:
    """Who wrote it: by name where the answer tells it, else by number."""
    if not from_id:
        return None
    known = people.get(from_id)
    return known or AuthorSnapshot(external_id=str(from_id), name=_nameless(from_id), link=profile_link(from_id))


def people_of(answer: Json) -> People:
    """Authors by their number: people are positive, communities negative."""
    people: People = {}
    for kind, sign in (("profiles", 1), ("groups", -1)):
        listed = answer.get(kind)
        for entry in listed if isinstance(listed, list) else []:
            number = maybe_int(entry.get("id")) if is_object(entry) else None
            if not number or not is_object(entry):
                continue
            names = ("first_name", "last_name") if sign > 0 else ("name",)
            name = " ".join(part for part in (maybe_text(entry.get(key)) for key in names) if part)
            who = sign * number
            people[who] = AuthorSnapshot(external_id=str(who), name=name or _nameless(who), link=profile_link(who))
    return people


def _nameless(number: int) -> str:
    return f"id{number}" if number > 0 else f"club{-number}"


def _unreadable(reason: str, item: object, under: Under) -> Unreadable:
    return Unreadable(reason=reason, raw=to_bytes(item), page_external_id=under.page_external_id)
