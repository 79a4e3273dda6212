"""Fetching one post or comment that a person pasted a link to: a verb that a connector may have, and what is shared by those that do.

Otklik asks for it with the page when it watches it, else without: then only what the platform shows everybody can be had.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from connectors.contract import Batch

if TYPE_CHECKING:
    from datetime import datetime
    from urllib.parse import SplitResult

    from connectors.contract import AuthorSnapshot, CommentSnapshot, PageRef, PostSnapshot, Reference

LONGEST = 2_000
_PLAIN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What stands at a link: the citizen's words, when they were written and by whom, as far as the platform tells.

    `batch` is the same as snapshots of a page that is watched, the post with it, to be stored like anything that was polled.
    """

    text: str
    written_at: datetime
    author: AuthorSnapshot | None
    batch: Batch


@runtime_checkable
class FetchesReferences(Protocol):
    """A platform that shows one post or comment by its number."""

    async def fetch_reference(self, reference: Reference, page: PageRef | None) -> Fetched:
        """What stands there. `page` is the watched page that it stands under, None for any other.

        Raises Rejected `gone`, `denied`, `unsupported` (this kind cannot be had), AccessLost, TryLater, UnknownPayload.
        """


def fetched(post: PostSnapshot | None, comment: CommentSnapshot | None, author: AuthorSnapshot | None = None) -> Fetched:
    """A comment with the post above it, or a post alone with whoever wrote it."""
    posts = () if post is None else (post,)
    if comment is not None:
        return Fetched(
            text=comment.text, written_at=comment.written_at, author=comment.author, batch=Batch(posts=posts, comments=(comment,))
        )
    assert post is not None  # noqa: S101 - something was fetched
    return Fetched(text=post.text, written_at=post.published_at, author=author, batch=Batch(posts=posts))


def address(link: str, hosts: frozenset[str]) -> SplitResult | None:
    """The parts of a web address on one of these hosts, given with or without its scheme; None for anything else.

    No user, no port, nothing but printable ASCII: what looks like the platform's address is the platform's.
    """
    pasted = link.strip()
    if not _PLAIN.fullmatch(pasted) or len(pasted) > LONGEST:
        return None
    try:
        parts = urlsplit(pasted if "://" in pasted.partition("?")[0] else f"https://{pasted}")
    except ValueError:
        return None
    host = parts.netloc.lower().removeprefix("www.")
    return parts if parts.scheme in {"http", "https"} and host in hosts else None
