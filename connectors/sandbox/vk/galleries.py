"""VK's photos, videos and discussions: what people comment beside the wall."""

from collections.abc import Callable

from connectors.sandbox.model import Page, Post
from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.objects import Json, author_id, beside_object, photo_attachments
from connectors.sandbox.vk.params import whole
from connectors.sandbox.vk.reading import extended, sliced, threaded

_MOST = 100


def _kept(page: Page, kind: str) -> list[Post]:
    return [post for post in page.posts.values() if post.kind == kind and post.deleted_at is None]


def _owner(call: Call) -> Page:
    return call.page(call.params.number("owner_id", call.token.user_id))


def _living(page: Page, post: Post) -> list[int]:
    return sorted(comment.id for comment in page.thread_of(post) if comment.deleted_at is None)


def _flat(call: Call, page: Page, post: Post) -> Json:
    ids = _living(page, post)
    chosen, real_offset = sliced(call, ids, newest_first=call.params.text("sort", "asc") == "desc")
    comments = [page.comments[number] for number in chosen]
    answer: Json = {"count": len(ids), "items": [beside_object(page, one, call.base) for one in comments]}
    if real_offset is not None:
        answer["real_offset"] = real_offset
    return answer | extended(call, {author_id(page, one) for one in comments})


def _listed(call: Call, name: str, kind: str) -> list[tuple[Page, Post]]:
    """Things named as `owner_number`; what is gone is left out."""
    found = []
    for word in call.params.words(name)[:_MOST]:
        owner, _, number = word.partition("_")
        page = call.world.state.by_id.get(("vk", -(whole(owner) or 0)))
        post = page.posts.get(whole(number.partition("_")[0]) or 0) if page else None
        if page and post and post.kind == kind and post.deleted_at is None:
            found.append((page, post))
    return found


def photo_object(call: Call, page: Page, post: Post) -> Json:
    """A photo; its comments are counted when `extended` asks."""
    (told,) = photo_attachments(page, post.photo or f"photo{post.id}", post.written_at, call.base)
    photo: Json = told["photo"] | {"id": post.id, "text": post.text}
    return photo | ({"comments": {"count": post.live}} if call.params.flag("extended") else {})


def photos_get_by_id(call: Call) -> list[Json]:
    """Photos of any owners."""
    return [photo_object(call, page, post) for page, post in _listed(call, "photos", "photo")]


def photos_all_comments(call: Call) -> Json:
    """The comments of all of a community's photos, the newest first."""
    page = _owner(call)
    found = sorted((number for post in _kept(page, "photo") for number in _living(page, post)), reverse=True)
    count, offset = call.params.number("count", 20, low=0, high=_MOST), call.params.number("offset", 0, low=0)
    items = [page.comments[number] for number in found[offset : offset + count]]
    return {"count": len(found), "items": [beside_object(page, one, call.base) | {"pid": one.post_id} for one in items]}


def photos_get_comments(call: Call) -> Json:
    """The comments of a photo, replies among them."""
    page = _owner(call)
    return _flat(call, page, call.post(page, call.params.number("photo_id", low=0), "photo"))


def video_get(call: Call) -> Json:
    """Videos by name, or the newest of a community."""
    found = _listed(call, "videos", "video")
    if not call.params.words("videos"):
        page = _owner(call)
        found = [(page, post) for post in reversed(_kept(page, "video"))][: call.params.number("count", 100, low=0, high=200)]
    items = [
        {"id": post.id, "owner_id": -page.id, "title": post.text, "date": post.written_at, "comments": post.live, "type": "video"}
        for page, post in found
    ]
    return {"count": len(items), "items": items}


def video_get_comments(call: Call) -> Json:
    """The comments of a video, with their threads."""
    page = _owner(call)
    return threaded(call, page, call.post(page, call.params.number("video_id", low=0), "video"))


def board_get_topics(call: Call) -> Json:
    """Discussions of a community, or those of these numbers."""
    page = call.page(-call.params.number("group_id", low=1))
    wanted = {whole(word) for word in call.params.words("topic_ids")}
    found = [post for post in reversed(_kept(page, "topic")) if not wanted or post.id in wanted]
    items = [
        {"id": post.id, "title": post.text, "created": post.written_at, "created_by": -page.id, "comments": post.live, "is_closed": 0}
        for post in found[: call.params.number("count", 40, low=0, high=_MOST)]
    ]
    return {"count": len(found), "items": items, "default_order": 1, "can_add_topics": 0}


def board_get_comments(call: Call) -> Json:
    """What was written in a discussion."""
    page = call.page(-call.params.number("group_id", low=1))
    return _flat(call, page, call.post(page, call.params.number("topic_id", low=0), "topic"))


def found_for_writing(kind: str) -> Callable[[Call], tuple[Page, Post]]:
    """Where a comment of this kind of place is to go."""

    def find(call: Call) -> tuple[Page, Post]:
        page = call.page(-call.params.number("group_id", low=1)) if kind == "topic" else _owner(call)
        if not call.params.text("message") and not call.params.words("attachments"):
            raise VkError(100, "message is empty")
        return page, call.post(page, call.params.number(f"{kind}_id", low=0), kind)

    return find
