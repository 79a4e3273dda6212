"""What is written about a community elsewhere on VK: a watched search, and what it finds. No I/O, no clock, no SDK.

A search is a page of its own: `mentions:-4242` (posts that name the community) or `search:-4242:words`. A post elsewhere is
`owner_number`; the mention is a comment of it, and where the post itself is the mention, the comment `post`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from connectors.contract import Batch, CommentSnapshot, PageSnapshot, PostSnapshot, Unreadable
from connectors.payload import Json, OddError, as_int, as_list, as_moment, as_object, as_text, is_object, maybe_int, to_bytes
from connectors.vk import mapping
from connectors.vk.attachments import attachments
from connectors.vk.links import SITE, post_link
from connectors.vk.places import Place

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

POST: Final = "post"
"""The comment that a post elsewhere is."""
MOST_WORDS: Final = 100
_ASKED = re.compile(r"^(mentions|search):([^:#]{1,64})(?::(.{1,300}))?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as somebody wrote it, or as a search's link says it: for which community, and the words."""

    name: str
    words: str | None


def asked(link: str) -> Asked | None:
    """`mentions:NAME`, `search:NAME:WORDS`; None when it is neither. Without words a search is none."""
    text = unquote(link.rpartition("#")[2]) if link.startswith(SITE) else link
    found = _ASKED.match(text.strip())
    if found is None:
        return None
    words = " ".join((found[3] or "").split())[:MOST_WORDS]
    if found[1] == "mentions":
        return Asked(found[2], None) if not words else None
    return Asked(found[2], words) if words else None


def snapshot(search: Asked, community: PageSnapshot) -> PageSnapshot:
    """A search as a page that is watched. Its link shows it on VK, and describes it to us again."""
    screen_name = community.options.get("screen_name", community.external_id)
    if search.words is None:
        number, title = f"mentions:{community.external_id}", f"@{screen_name} · {community.title}"
        link = f"{SITE}/feed?section=mentions#mentions:{screen_name}"
    else:
        number, title = f"search:{community.external_id}:{search.words.lower()}", f"«{search.words}» · {community.title}"
        link = f"{SITE}/search/statuses?q={quote(search.words)}#search:{screen_name}:{quote(search.words)}"
    return PageSnapshot(external_id=number, title=title, link=link, elsewhere=True)


def words_of(page_external_id: str) -> str | None:
    """What is searched for; None for mentions."""
    kind, _, rest = page_external_id.partition(":")
    return rest.partition(":")[2] if kind == "search" else None


def found(response: object, *, page_external_id: str, voice: int, own: Collection[str], observed_at: datetime) -> Batch:
    """The mentions of an answer. What stands on our own pages, is theirs, or only repeats them is counted as skipped."""
    answer = as_object(response, "response")
    people = mapping.people_of(answer)
    posts: list[PostSnapshot] = []
    comments: list[CommentSnapshot] = []
    unreadable: list[Unreadable] = []
    ours = 0
    for item in as_list(answer.get("items"), "items"):
        try:
            entry = as_object(item, "item")
            if _is_ours(entry, {*own, str(voice)}):
                ours += 1
                continue
            post, comment = _mention(entry, people, page_external_id, voice, observed_at)
        except OddError as odd:
            unreadable.append(Unreadable(reason=f"found: {odd}", raw=to_bytes(item), page_external_id=page_external_id))
        else:
            posts.append(post)
            comments.append(comment)
    skipped = {"written by or on our own pages": ours} if ours else {}
    return Batch(posts=tuple(posts), comments=tuple(comments), unreadable=tuple(unreadable), skipped=skipped)


def _is_ours(item: Json, own: Collection[str]) -> bool:
    said = {str(maybe_int(item.get(key))) for key in ("owner_id", "from_id")}
    copied = item.get("copy_history")
    if isinstance(copied, list) and not item.get("text"):  # a repost that adds no word
        said |= {str(maybe_int(one.get("owner_id"))) for one in copied if is_object(one)}
    return not said.isdisjoint(own)


def _mention(item: Json, people: mapping.People, page: str, voice: int, observed_at: datetime) -> tuple[PostSnapshot, CommentSnapshot]:
    owner, number = as_int(item.get("owner_id"), "owner_id"), as_int(item.get("id"), "id")
    under = maybe_int(item.get("post_id")) if item.get("post_type") == "reply" else None
    place = Place(owner=owner, number=under or number, voice=voice, elsewhere=True)
    stack = item.get("parents_stack")
    root = maybe_int(stack[0]) if isinstance(stack, list) and stack else None
    written_at, post_id = as_moment(item.get("date"), "date"), f"{owner}_{place.number}"
    wall = people.get(owner)
    post = PostSnapshot(
        page_external_id=page,
        external_id=post_id,
        text=wall.name if wall is not None else place.address,  # whose wall it is; the mention's own words are its comment's
        published_at=written_at,
        observed_at=observed_at,
        link=post_link(str(owner), place.number),
        raw=b"{}",
    )
    comment = CommentSnapshot(
        page_external_id=page,
        post_external_id=post_id,
        external_id=POST if under is None else str(number),
        text=as_text(item.get("text"), "text"),
        written_at=written_at,
        observed_at=observed_at,
        link=post.link if under is None else place.link(number, root),
        raw=to_bytes(item),
        author=mapping.author_of(maybe_int(item.get("from_id")) or owner, people),
        root_external_id=POST if under is None else str(root or number),
        attachments=attachments(item.get("attachments")),
    )
    return post, comment


def joined(first: Batch, then: Batch) -> Batch:
    """Two answers to one search as one."""
    return Batch(
        posts=(*first.posts, *then.posts),
        comments=(*first.comments, *then.comments),
        unreadable=(*first.unreadable, *then.unreadable),
        skipped={key: first.skipped.get(key, 0) + then.skipped.get(key, 0) for key in {**first.skipped, **then.skipped}},
    )


def answers_only(batch: Batch) -> Batch:
    """Of a thread elsewhere, what was written in our name; the talk of others there is not brought in, and nothing is claimed of it."""
    comments = tuple(comment for comment in batch.comments if comment.by_page)
    others = len(batch.comments) - len(comments) + len(batch.deletions)
    skipped = {"talk elsewhere": others} if others else {}
    return Batch(comments=tuple(_under_post(comment) for comment in comments), skipped=skipped, cursor=batch.cursor)


def _under_post(comment: CommentSnapshot) -> CommentSnapshot:
    """A comment directly under the post answers the post."""
    if comment.reply_to_external_id is not None:
        return comment
    return replace(comment, reply_to_external_id=POST, root_external_id=POST)
