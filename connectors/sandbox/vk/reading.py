"""VK's reading methods."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.objects import (
    Json,
    author_id,
    comment_object,
    deleted_object,
    group_object,
    people,
    post_object,
    user_object,
)
from connectors.sandbox.vk.params import whole

_POSTS = 100
_COMMENTS = 100
_IDS = 500
_USERS = 1_000
_IN_THREAD = 10


def users_get(call: Call) -> list[Json]:
    """People by id or `id123`; without ids a user token gets its own person."""
    asked = call.params.words("user_ids")[:_USERS]
    if not asked and call.token.kind == "user":
        asked = [str(call.token.user_id)]
    if not asked:
        raise VkError(100, "user_ids is undefined")
    fields = frozenset(call.params.words("fields"))
    found = []
    for word in asked:
        author = call.world.state.authors.get("vk", whole(word.removeprefix("id")) or 0)
        if author is not None:
            found.append(user_object(author, call.base, fields))
    return found


def groups_get_by_id(call: Call) -> Any:
    """Communities by id or screen name; a community token without ids gets its own."""
    asked = (call.params.words("group_ids") or call.params.words("group_id"))[:_IDS]
    if not asked and call.token.kind == "community":
        asked = sorted(call.token.pages or ())
    fields = frozenset(call.params.words("fields"))
    pages = [page for word in asked if (page := call.world.state.find("vk", word))]
    if not pages:
        raise VkError(100, "group_ids is undefined")
    groups = [group_object(page, call.base, fields) for page in pages]
    return {"groups": groups, "profiles": []} if call.new_shapes else groups


def long_poll_server(call: Call) -> Json:
    """Where a community's events are waited for."""
    page = call.page(-call.params.number("group_id", low=1))
    if not call.is_admin(page):
        raise VkError(15)
    return call.events.open(page, call.base)


def resolve_screen_name(call: Call) -> Json:
    """The object behind a screen name."""
    name = call.params.text("screen_name")
    if not name:
        raise VkError(100, "screen_name is undefined")
    if page := call.world.state.find("vk", name):
        return {"object_id": page.id, "type": "group"}
    if name.startswith("id") and call.world.state.authors.get("vk", whole(name[2:]) or 0):
        return {"object_id": int(name[2:]), "type": "user"}
    raise VkError(104)


def wall_get(call: Call) -> Json:
    """A wall's posts, newest first."""
    owner_id = call.params.number("owner_id", 0)
    domain = call.params.text("domain")
    page = call.world.state.find("vk", domain) if domain and not owner_id else None
    if page is None:
        page = call.page(owner_id)
    count = call.params.number("count", 20, low=0, high=_POSTS)
    offset = call.params.number("offset", 0, low=0)
    end = max(0, len(page.order) - offset)
    ids = page.order[max(0, end - count) : end][::-1]
    posts = [(page, page.posts[post_id]) for post_id in ids]
    if call.params.text("filter", "all") not in {"all", "owner"}:
        posts = []
    answer: Json = {"count": len(page.order), "items": _posts(call, posts)}
    return answer | extended(call, {-page.id for page, _ in posts})


def wall_get_by_id(call: Call) -> Any:
    """Up to 100 posts of any owners; what is gone is left out."""
    asked = call.params.words("posts")
    if not asked:
        raise VkError(100, "posts is undefined")
    if len(asked) > _POSTS:
        raise VkError(100, f"posts should contain {_POSTS} items at most")
    found: list[tuple[Page, Post]] = []
    for word in asked:
        owner, _, item = word.partition("_")
        page = call.world.state.by_id.get(("vk", -(whole(owner) or 0)))
        post = page.posts.get(whole(item.partition("_")[0]) or 0) if page else None
        if page and post and post.deleted_at is None and post.kind == "wall":
            found.append((page, post))
    items = _posts(call, found)
    if not call.new_shapes and not call.params.flag("extended"):
        return items
    return {"items": items} | extended(call, {-page.id for page, _ in found})


def wall_get_comments(call: Call) -> Json:
    """Comments of a post, or of one thread when `comment_id` is given."""
    page = call.page(call.params.number("owner_id", call.token.user_id))
    answer = threaded(call, page, call.post(page, call.params.number("post_id", low=0)))
    if call.params.flag("extended"):
        answer["post_author_id"] = -page.id
    return answer


def threaded(call: Call, page: Page, post: Post) -> Json:
    """Comments as walls and videos tell them: with the threads under them."""
    thread_id = call.params.optional("comment_id")
    ids: Sequence[int] = post.top
    if thread_id is not None:
        root = page.comments.get(thread_id)
        if root is None or root.post_id != post.id or (root.deleted_at is not None and thread_id not in post.threads):
            raise VkError(100, "comment_id is incorrect")
        ids = post.thread(root.root_id or root.id)
    newest_first = call.params.text("sort", "asc") == "desc"
    chosen, real_offset = sliced(call, ids, newest_first=newest_first)
    depth = 0 if thread_id is not None else call.params.number("thread_items_count", 0, low=0, high=_IN_THREAD)
    authors: set[int] = set()
    items = [_comment(call, page, post, page.comments[item], depth, authors) for item in chosen]
    answer: Json = {
        "count": post.live if thread_id is None else len(ids),
        "items": items,
        "current_level_count": len(ids),
        "can_post": post.comments_open,
        "show_reply_button": post.comments_open,
        "groups_can_post": post.comments_open,
    }
    if real_offset is not None:
        answer["real_offset"] = real_offset
    if call.params.flag("extended"):
        authors.add(-page.id)
    return answer | extended(call, authors)


def wall_get_comment(call: Call) -> Json:
    """One comment; a deleted one is shown as deleted."""
    page = call.page(call.params.number("owner_id", call.token.user_id))
    comment = page.comments.get(call.params.number("comment_id", low=0))
    if comment is None:
        raise VkError(212)
    post = page.posts[comment.post_id]
    authors: set[int] = set()
    item = _comment(call, page, post, comment, 0, authors)
    answer: Json = {
        "items": [item],
        "can_post": post.comments_open,
        "show_reply_button": post.comments_open,
        "groups_can_post": post.comments_open,
    }
    if call.params.flag("extended"):
        answer["post_author_id"] = -page.id
    return answer | extended(call, authors)


def sliced(call: Call, ids: Sequence[int], *, newest_first: bool) -> tuple[Sequence[int], int | None]:
    """The part of a list of comments that was asked for, and its real offset where a comment was named to begin with."""
    count = call.params.number("count", 10, low=0, high=_COMMENTS)
    offset = call.params.number("offset", 0)
    start_id = call.params.optional("start_comment_id")
    total = len(ids)
    start = 0
    if start_id is not None:
        place = bisect_left(ids, start_id)
        start = total - 1 - place if newest_first else place
        if newest_first and (place == total or ids[place] != start_id):
            start += 1
    start = max(0, start + offset)
    end = min(total, start + count)
    chosen = ids[max(0, total - end) : max(0, total - start)][::-1] if newest_first else ids[start:end]
    return chosen, start if start_id is not None else None


def _comment(call: Call, page: Page, post: Post, comment: Comment, depth: int, authors: set[int]) -> Json:  # noqa: PLR0913 - one shape, one place
    if comment.deleted_at is not None:
        item = deleted_object(comment)
    else:
        item = comment_object(
            page,
            comment,
            call.base,
            likes=call.params.flag("need_likes"),
            preview=call.params.number("preview_length", 0, low=0),
        )
        authors.add(author_id(page, comment))
    if comment.root_id is None:
        replies = post.thread(comment.id)
        item["thread"] = {
            "count": len(replies),
            "items": [_comment(call, page, post, page.comments[reply], 0, authors) for reply in replies[:depth]],
            "can_post": post.comments_open,
            "show_reply_button": post.comments_open,
            "groups_can_post": post.comments_open,
        }
    return item


def _posts(call: Call, posts: list[tuple[Page, Post]]) -> list[Json]:
    return [post_object(page, post, call.base, can_post=call.token.kind == "user") for page, post in posts]


def extended(call: Call, ids: set[int]) -> Json:
    """Who stands behind these ids, when that was asked for."""
    if not call.params.flag("extended"):
        return {}
    profiles, groups = people(call.world.state, ids, call.base, frozenset(call.params.words("fields")))
    return {"profiles": profiles, "groups": groups}
