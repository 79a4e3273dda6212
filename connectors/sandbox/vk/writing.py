"""VK's writing methods."""

import re
from collections.abc import Callable

from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.galleries import found_for_writing
from connectors.sandbox.vk.objects import Json
from connectors.sandbox.vk.uploads import attached
from connectors.sandbox.world import NewComment, WorldError

_LINK = re.compile(r"https?://|www\.|\b[\w-]+\.(?:ru|com|org|net|рф)\b", re.IGNORECASE)
_GUID = 255


def create_comment(call: Call) -> Json:
    """Write a comment as a user or as the community; the same `guid` on a wall never writes twice."""
    page = call.page(call.params.number("owner_id", call.token.user_id))
    return _created(_written(call, page, call.post(page, call.params.number("post_id", low=0))))


def beside(kind: str) -> Callable[[Call], int]:
    """The method that writes under a photo, a video or in a discussion: it answers with the number alone."""
    find = found_for_writing(kind)
    return lambda call: _written(call, *find(call)).id


def _written(call: Call, page: Page, post: Post) -> Comment:
    guest = _guest(call, page)
    as_page = guest is None and _speaks_as_page(call, page)
    guid = call.params.text("guid")[:_GUID] or None
    if guid is not None:
        guid = f"{-page.id if as_page else -guest.id if guest else call.token.user_id}:{guid}"
        if (known := page.guids.get(guid)) is not None:
            return page.comments[known]
    text, photos = call.params.text("message"), attached(call)
    _check(call, page, post, text, photos)
    reply_to = call.params.optional("reply_to_comment")
    if reply_to is not None:
        parent = page.comments.get(reply_to)
        if parent is None or parent.post_id != post.id or parent.deleted_at is not None:
            raise VkError(100, "reply_to_comment is incorrect")
    new = NewComment(
        text=text,
        photo=photos[0] if photos else None,
        more=tuple(photos[1:]),
        voice="page" if as_page else "citizen",
        author=None if as_page else guest.title if guest else call.token.label,
        author_id=0 if as_page else -guest.id if guest else call.token.user_id,
        reply_to=reply_to,
        via_api=True,
        guid=guid,
    )
    return call.world.add_comment(page, post, new)


def edit_comment(call: Call) -> int:
    """Change an own comment, or the page's as its administrator."""
    page, comment = _own(call)
    if comment.deleted_at is not None:
        raise VkError(211)
    text, photos = call.params.text("message"), attached(call)
    if not text and not photos:
        raise VkError(100, "message is empty")
    try:
        call.world.edit_comment(page, comment, text, pictures=photos)  # what is not named again is gone
    except WorldError as error:
        raise VkError(100, "message is too long") from error
    return 1


def delete_comment(call: Call) -> int:
    """Delete an own comment; an administrator deletes anybody's."""
    page, comment = _own(call, moderates=True)
    if comment.deleted_at is not None:
        raise VkError(104)
    call.world.delete_comment(page, comment)
    return 1


def restore_comment(call: Call) -> int:
    """Bring a deleted comment back."""
    page, comment = _own(call, moderates=True)
    if comment.deleted_at is None:
        raise VkError(243)
    call.world.restore_comment(page, comment)
    return 1


def comments_switch(*, is_open: bool) -> Callable[[Call], int]:
    """The method that opens or closes a post for comments."""

    def switch(call: Call) -> int:
        page = call.page(call.params.number("owner_id"))
        if not call.is_admin(page):
            raise VkError(15)
        call.world.open_comments(page, call.post(page, call.params.number("post_id", low=0)), is_open=is_open)
        return 1

    return switch


def _guest(call: Call, page: Page) -> Page | None:
    """Another community in whose name its administrator writes on this wall."""
    group = call.params.number("from_group", 0, low=0)
    guest = call.world.state.by_id.get(("vk", group)) if call.token.kind == "user" and group not in {0, 1, page.id} else None
    return guest if guest is not None and call.is_admin(guest) else None


def _speaks_as_page(call: Call, page: Page) -> bool:
    group = call.params.number("from_group", 0, low=0)
    if call.token.kind == "community":
        if not call.is_admin(page):
            raise VkError(15, "group auth of another community")
        return True
    if group == 0:
        return False
    if group not in {1, page.id} or not call.is_admin(page):
        raise VkError(15, "no rights to write as this community")
    return True


def _check(call: Call, page: Page, post: Post, text: str, photos: list[str]) -> None:
    if not text and not photos:
        raise VkError(100, "message is empty")
    if len(text) > call.world.limits.vk_text:
        raise VkError(100, "message is too long")
    if not post.comments_open:
        raise VkError(213)
    if page.links_forbidden and _LINK.search(text):
        raise VkError(222)


def _own(call: Call, *, moderates: bool = False) -> tuple[Page, Comment]:
    page = call.page(call.params.number("owner_id", call.token.user_id))
    comment = page.comments.get(call.params.number("comment_id", low=0))
    if comment is None:
        raise VkError(211)
    mine = comment.voice == "citizen" and comment.author_id == call.token.user_id
    if not mine and not (call.is_admin(page) and (moderates or comment.voice == "page")):
        raise VkError(211)
    return page, comment


def _created(comment: Comment) -> Json:
    return {"comment_id": comment.id, "parents_stack": [] if comment.root_id is None else [comment.root_id]}
