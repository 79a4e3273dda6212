"""The methods of OK that comments need, by the shapes of its documentation. Ids are text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connectors.sandbox.model import Comment, Page, Post, Token
from connectors.sandbox.ok.errors import OkError
from connectors.sandbox.world import NewComment, World, WorldError

Json = dict[str, Any]
TOPIC = "GROUP_TOPIC"
_MOST = 100


@dataclass(frozen=True, slots=True)
class Call:
    """What a method needs to know."""

    world: World
    token: Token
    values: dict[str, str]
    base: str

    def text(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.values.get(name, "")
        if not value:
            raise OkError(100, name)
        return value

    def count(self) -> int:
        """How many rows are asked for."""
        raw = self.values.get("count", "20")
        if not raw.isdecimal() or not 1 <= int(raw) <= _MOST:
            raise OkError(100, "count")
        return int(raw)

    def pages(self) -> list[Page]:
        """The groups that the token's owner administers."""
        return [page for page in self.world.state.of("ok") if self.token.serves(page)]

    def discussion(self, kind: str, number: str) -> tuple[Page, Post]:
        """A living discussion of any group; the rights to it are another matter."""
        if self.text(kind) != TOPIC:
            raise OkError(106, "only topics stand in the sandbox")
        raw = self.text(number)
        for page in self.world.state.of("ok"):
            post = page.posts.get(int(raw)) if raw.isdecimal() else None
            if post is not None and post.deleted_at is None:
                return page, post
        raise OkError(300, raw)


def url_info(call: Call) -> Json:
    """What an address names."""
    name = call.text("url").rstrip("/").rpartition("/")[2]
    page = call.world.state.find("ok", name)
    if page is None:
        return {"type": "UNKNOWN", "objectId": 0, "objectIdStr": "0"}
    return {"type": "GROUP", "objectId": page.id, "objectIdStr": str(page.id)}


def group_info(call: Call) -> list[Json]:
    """Groups by number."""
    found = (call.world.state.by_id.get(("ok", int(raw))) for raw in call.text("uids").split(",") if raw.isdecimal())
    return [
        {"uid": str(page.id), "name": page.title, "shortname": page.name, "members_count": page.members}
        for page in found
        if page is not None
    ]


def discussions(call: Call) -> Json:
    """What is discussed in the groups of the token's owner, the latest activity first."""
    if call.values.get("category") != "GROUP":
        raise OkError(100, "category")
    rows = [(page, page.posts[number]) for page in call.pages() for number in page.order]
    rows.sort(key=lambda row: (_active_at(*row), row[1].id), reverse=True)
    start, count = _offset(call), call.count()
    part = rows[start : start + count]
    return {"discussions": [_discussion(page, post) for page, post in part], "anchor": f"a{start + len(part)}"}


def one_discussion(call: Call) -> Json:
    """One topic."""
    return {"discussion": _discussion(*call.discussion("discussionType", "discussionId"))}


def comments(call: Call) -> Json:
    """Comments of a discussion, the oldest first; removed ones are not there."""
    page, post = call.discussion("discussionType", "discussionId")
    living = sorted((one for one in page.thread_of(post) if one.deleted_at is None), key=lambda one: one.id)
    anchor = call.values.get("anchor", "FIRST")
    after = 0 if anchor == "FIRST" else _number(anchor, "anchor")
    rest = [one for one in living if one.id > after]
    part = rest[: call.count()]
    return {
        "has_more": len(rest) > len(part),
        "discussionId": str(post.id),
        "discussionType": TOPIC,
        "anchor": f"c{part[-1].id}" if part else anchor,
        "comments": [_comment(call, page, one) for one in part],
    }


def comments_count(call: Call) -> int:
    """How many comments a discussion has."""
    return call.discussion("entityType", "entityId")[1].live


def one_comment(call: Call) -> Json:
    """One comment."""
    page, post = call.discussion("discussionType", "discussionId")
    return {"comment": _comment(call, page, _living(page, post, call.text("comment_id")))}


def add_comment(call: Call) -> str:
    """Write a comment, in the group's name when `as_admin`; answers its number."""
    page, post = call.discussion("entityType", "entityId")
    as_admin = call.values.get("as_admin") == "true"
    if as_admin and not call.token.serves(page):
        raise OkError(50)
    if not post.comments_open:
        raise OkError(456)
    parent = call.values.get("reply_to_comment_id")
    new = NewComment(
        text=call.text("comment"),
        voice="page" if as_admin else "citizen",
        author=None if as_admin else call.token.label,
        author_id=0 if as_admin else call.token.user_id,
        reply_to=_living(page, post, parent).id if parent else None,
        via_api=True,
    )
    try:
        return str(call.world.add_comment(page, post, new).id)
    except WorldError as error:
        raise OkError(100, str(error)) from error


def edit_comment(call: Call) -> Json:
    """Change a comment of one's own, or the group's as its administrator."""
    page, comment = _to_change(call)
    if comment.voice != "page":
        raise OkError(457)
    try:
        call.world.edit_comment(page, comment, call.text("comment"))
    except WorldError as error:
        raise OkError(100, str(error)) from error
    return {"success": True}


def delete_comment(call: Call) -> Json:
    """Delete a comment, as an administrator anybody's."""
    page, comment = _to_change(call)
    call.world.delete_comment(page, comment)
    return {"success": True}


def _to_change(call: Call) -> tuple[Page, Comment]:
    page, post = call.discussion("discussionType", "discussionId")
    if not call.token.serves(page):
        raise OkError(50)
    return page, _living(page, post, call.text("comment_id"))


def calls_left(call: Call) -> list[Json]:
    """How much of the quota is left: the sandbox keeps only the rate, so always the same."""
    return [{"available": True, "callsLeft": 100_000, "name": name} for name in call.text("methods").split(",")]


METHODS: dict[str, Callable[[Call], Any]] = {
    "url.getInfo": url_info,
    "group.getInfo": group_info,
    "discussions.getList": discussions,
    "discussions.get": one_discussion,
    "discussions.getComments": comments,
    "discussions.getDiscussionCommentsCount": comments_count,
    "discussions.getComment": one_comment,
    "discussions.addDiscussionComment": add_comment,
    "discussions.editDiscussionComment": edit_comment,
    "discussions.deleteDiscussionComment": delete_comment,
    "users.getCallsLeft": calls_left,
}


def _discussion(page: Page, post: Post) -> Json:
    return {
        "object_id": str(post.id),
        "object_type": TOPIC,
        "title": post.text[:60],
        "message": post.text,
        "new_comments_count": post.live,
        "total_comments_count": post.live,
        "creation_date_ms": post.written_at * 1000,
        "last_activity_date_ms": _active_at(page, post) * 1000,
        "ref_objects": [{"id": str(page.id), "type": "GROUP"}],
    }


def _active_at(page: Page, post: Post) -> int:
    last = [*post.top[-1:], *(thread[-1] for thread in post.threads.values() if thread)]
    return max([post.written_at, *(page.comments[number].written_at for number in last)])


def _comment(call: Call, page: Page, comment: Comment) -> Json:
    citizen = comment.voice == "citizen"
    row: Json = {
        "id": str(comment.id),
        "text": comment.text,
        "date_ms": comment.written_at * 1000,
        "type": "ACTIVE_MESSAGE",
        "author_id": str(comment.author_id if citizen else page.id),
        "author_ref": f"user:{comment.author_id}" if citizen else f"group:{page.id}",
    }
    if name := call.world.author_name(page, comment):
        row["author_name"] = name
    parent = None if comment.reply_to is None else page.comments[comment.reply_to]
    if parent is not None:
        row |= {"reply_to_comment_id": str(parent.id), "reply_to_id": str(parent.author_id or page.id)}
        row["reply_to_name"] = call.world.author_name(page, parent) or ""
    if comment.photo is not None:
        photo = comment.photo
        address = (
            photo if photo.startswith(("https://", "http://")) else f"{call.base}/pictures/{quote(photo, safe='', errors='replace')}.png"
        )
        row["attachments"] = [{"type": "PHOTO", "id": str(comment.id), "standard_url": address}]
    return row


def _living(page: Page, post: Post, raw: str) -> Comment:
    comment = page.comments.get(int(raw)) if raw.isdecimal() else None
    if comment is None or comment.post_id != post.id or comment.deleted_at is not None:
        raise OkError(700, raw)
    return comment


def _offset(call: Call) -> int:
    anchor = call.values.get("anchor", "")
    return _number(anchor, "anchor") if anchor else 0


def _number(anchor: str, name: str) -> int:
    if not anchor[1:].isdecimal():
        raise OkError(100, name)
    return int(anchor[1:])
