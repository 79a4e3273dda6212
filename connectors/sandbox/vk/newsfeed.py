"""VK's newsfeed methods: posts and comments of all walls that hold some words, or name a community."""

from collections.abc import Callable, Iterator

from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.objects import Json, author_id, comment_object, people, post_object

_FOUND = 200
_MENTIONS = 50
_DAY = 86_400


def search(call: Call) -> Json:
    """Posts and comments that hold every word, the newest first; by default of the last day."""
    words = call.params.text("q").lower().split()
    if not words:
        raise VkError(100, "q is undefined")
    count, start = call.params.number("count", 30, low=0, high=_FOUND), call.params.number("start_from", 0, low=0)
    found = _newest(call, lambda text: all(word in text for word in words))
    shown = found[start : start + count]
    answer: Json = {"count": len(found), "total_count": len(found), "items": [_item(call, page, one) for _, page, one in shown]}
    if start + count < len(found):
        answer["next_from"] = str(start + count)
    if call.params.flag("extended"):
        authors = {-page.id for _, page, _ in shown} | {author_id(page, one) for _, page, one in shown if isinstance(one, Comment)}
        profiles, groups = people(call.world.state, authors, call.base, frozenset(call.params.words("fields")))
        answer |= {"profiles": profiles, "groups": groups}
    return answer


def mentions(call: Call) -> Json:
    """Posts and comments that name a community; by default of the last day."""
    page = call.page(call.params.number("owner_id", call.token.user_id))
    names = (f"[club{page.id}|", f"@club{page.id}", f"@{page.name.lower()}", f"*{page.name.lower()}")
    count, offset = call.params.number("count", 20, low=0, high=_MENTIONS), call.params.number("offset", 0, low=0)
    found = _newest(call, lambda text: any(name in text for name in names))
    return {"count": len(found), "items": [_item(call, page, one) for _, page, one in found[offset : offset + count]]}


def _newest(call: Call, fits: Callable[[str], bool]) -> list[tuple[int, Page, Post | Comment]]:
    now = call.world.now()
    since, until = call.params.number("start_time", now - _DAY, low=0), call.params.number("end_time", now, low=0)
    rows = [(one.written_at, page, one) for page, one in _all(call) if since <= one.written_at <= until and fits(one.text.lower())]
    return sorted(rows, key=lambda row: (row[0], row[2].id), reverse=True)


def _all(call: Call) -> Iterator[tuple[Page, Post | Comment]]:
    for page in call.world.state.of("vk"):
        for post_id in page.order:
            yield page, page.posts[post_id]
            yield from ((page, one) for one in page.thread_of(page.posts[post_id]) if one.deleted_at is None)


def _item(call: Call, page: Page, one: Post | Comment) -> Json:
    """A post as walls show it; a comment goes as a post of the type `reply`."""
    if isinstance(one, Post):
        return post_object(page, one, call.base, can_post=call.token.kind == "user")
    told = comment_object(page, one, call.base, likes=False, preview=0)
    kept = {
        key: told[key] for key in ("id", "from_id", "date", "text", "post_id", "owner_id", "parents_stack", "attachments") if key in told
    }
    return kept | {"inner_type": "wall_wallpost", "post_type": "reply"}
