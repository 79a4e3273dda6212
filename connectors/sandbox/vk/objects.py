"""VK's objects as its schema 5.199 describes them, made from the sandbox's world."""

from typing import Any
from urllib.parse import quote
from zlib import crc32

from connectors.sandbox.model import Author, Comment, Page, Post
from connectors.sandbox.state import State

Json = dict[str, Any]
_ALBUM = -7  # the album of pictures attached on walls


def author_id(page: Page, comment: Comment) -> int:
    """The `from_id` of a comment: communities are negative."""
    return -page.id if comment.voice == "page" else comment.author_id


def post_object(page: Page, post: Post, base: str, *, can_post: bool) -> Json:
    """A post with its counters; `comments.count` includes replies."""
    item: Json = {
        "inner_type": "wall_wallpost",
        "id": post.id,
        "owner_id": -page.id,
        "from_id": -page.id,
        "date": post.written_at,
        "post_type": "post",
        "text": post.text,
        "attachments": photo_attachments(page, post.photo, post.written_at, base),
        "comments": {
            "can_post": int(can_post and post.comments_open),
            "can_view": 1,
            "count": post.live,
            "groups_can_post": post.comments_open,
        },
        "likes": {"can_like": 1, "count": 0, "user_likes": 0, "can_publish": 1, "repost_disabled": False},
        "reposts": {"count": 0, "user_reposted": 0},
        "views": {"count": post.live * 10 + 1},
        "marked_as_ads": 0,
        "hash": f"{crc32(f'{page.id}_{post.id}'.encode()):08x}",
    }
    if post.edited_at is not None:
        item["edited"] = post.edited_at
    return item


def comment_object(page: Page, comment: Comment, base: str, *, likes: bool, preview: int) -> Json:
    """A living comment. VK gives no time of edit for comments."""
    item: Json = {
        "id": comment.id,
        "from_id": author_id(page, comment),
        "date": comment.written_at,
        "text": _preview(comment.text, preview),
        "post_id": comment.post_id,
        "owner_id": -page.id,
        "parents_stack": [] if comment.root_id is None else [comment.root_id],
    }
    if comment.photo is not None:
        item["attachments"] = [one for photo in comment.pictures for one in photo_attachments(page, photo, comment.written_at, base)]
    if comment.reply_to is not None:
        item["reply_to_comment"] = comment.reply_to
        parent = page.comments[comment.reply_to]
        item["reply_to_user"] = author_id(page, parent)
    if comment.voice == "page":
        item["is_from_post_author"] = True
    if likes:
        item["likes"] = {"can_like": 1, "count": 0, "user_likes": 0, "can_publish": 0}
    return item


def beside_object(page: Page, comment: Comment, base: str) -> Json:
    """A comment as lists without threads tell it: photos name whom it replies to, discussions do not even that."""
    told = comment_object(page, comment, base, likes=False, preview=0)
    kept = ["id", "from_id", "date", "text", "attachments"]
    if page.posts[comment.post_id].kind != "topic":
        kept += ["reply_to_comment", "reply_to_user"]
    return {key: told[key] for key in kept if key in told}


def deleted_object(comment: Comment) -> Json:
    """What VK leaves of a deleted comment with living replies: no author, no text, no post."""
    return {
        "id": comment.id,
        "parents_stack": [] if comment.root_id is None else [comment.root_id],
        "date": comment.written_at,
        "deleted": True,
    }


def photo_attachments(page: Page, photo: str | None, date: int, base: str) -> list[Json]:
    """A picture as an attachment; a reference that is no address is served by the sandbox itself."""
    if photo is None:
        return []
    address = photo if photo.startswith(("https://", "http://")) else f"{base}/pictures/{quote(photo, safe='')}.png"
    sizes = [
        {"type": kind, "url": address, "width": width, "height": width * 3 // 4} for kind, width in (("s", 75), ("m", 130), ("x", 604))
    ]
    return [
        {
            "type": "photo",
            "photo": {
                "id": photo_number(photo),
                "album_id": _ALBUM,
                "owner_id": -page.id,
                "date": date,
                "access_key": f"{crc32(photo.encode('utf-8', 'surrogatepass')):016x}",
                "text": "",
                "has_tags": False,
                "sizes": sizes,
            },
        }
    ]


def photo_number(photo: str) -> int:
    """The number of a picture."""
    return crc32(photo.encode("utf-8", "surrogatepass")) % 2**31


def group_object(page: Page, base: str, fields: frozenset[str]) -> Json:
    """A community."""
    picture = f"{base}/pictures/{quote(page.name, safe='')}.png"
    item: Json = {
        "id": page.id,
        "name": page.title,
        "screen_name": page.name,
        "is_closed": 0,
        "type": "page",
        "photo_50": picture,
        "photo_100": picture,
        "photo_200": picture,
    }
    extra = {
        "members_count": page.members,
        "verified": int(page.verified),
        "description": page.about,
        "wall": 1,
        "can_post": 0,
    }
    return item | {key: value for key, value in extra.items() if key in fields}


def user_object(author: Author, base: str, fields: frozenset[str]) -> Json:
    """A person; a deleted account has VK's usual words instead of a name."""
    if author.name is None:
        return {"id": author.id, "first_name": "DELETED", "last_name": "", "deactivated": "deleted"}
    first, _, last = author.name.partition(" ")
    item: Json = {
        "id": author.id,
        "first_name": first,
        "last_name": last,
        "can_access_closed": True,
        "is_closed": False,
    }
    picture = f"{base}/pictures/id{author.id}.png"
    extra = {
        "screen_name": f"id{author.id}",
        "domain": f"id{author.id}",
        "photo_50": picture,
        "photo_100": picture,
        "photo_200": picture,
    }
    return item | {key: value for key, value in extra.items() if key in fields}


def people(state: State, ids: set[int], base: str, fields: frozenset[str]) -> tuple[list[Json], list[Json]]:
    """The `profiles` and `groups` of an extended answer for the given author ids."""
    profiles: list[Json] = []
    groups: list[Json] = []
    wanted = fields or frozenset({"screen_name", "photo_50", "photo_100"})
    for item in sorted(ids):
        if item < 0 and (page := state.by_id.get(("vk", -item))):
            groups.append(group_object(page, base, wanted))
        elif author := state.authors.get("vk", item):
            profiles.append(user_object(author, base, wanted))
    return profiles, groups


def _preview(text: str, length: int) -> str:
    if length <= 0 or len(text) <= length:
        return text
    return text[:length].rsplit(" ", 1)[0] + "..."
