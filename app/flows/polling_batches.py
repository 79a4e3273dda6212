"""What is asked about and what is stored, put in the connectors' words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from connectors.contract import Batch, PageRef, PostRef, UnknownPayload, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.sources.service import WatchedPage, WatchedPost


def page_ref(page: WatchedPage) -> PageRef:
    """A page as its connector is asked about it."""
    return PageRef(external_id=page.external_id, options=page.options)


def post_ref(post: WatchedPost) -> PostRef:
    """A post as its connector is asked about it."""
    return PostRef(
        page=PageRef(external_id=post.page_external_id, options=post.page_options), external_id=post.external_id, thread_ref=post.thread_ref
    )


def together(batches: Sequence[Batch]) -> Batch:
    """Several batches as one, so that they are stored and decided in one go; of a page's option the last one told stands."""
    options: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for batch in batches:
        for page, changed in batch.page_options.items():
            options[page] |= changed
    return Batch(
        posts=tuple(row for batch in batches for row in batch.posts),
        comments=tuple(row for batch in batches for row in batch.comments),
        deletions=tuple(row for batch in batches for row in batch.deletions),
        unreadable=tuple(row for batch in batches for row in batch.unreadable),
        complete_for=tuple(row for batch in batches for row in batch.complete_for),
        page_options=options,
        look_at=tuple(page for batch in batches for page in batch.look_at),
    )


def aside(error: UnknownPayload, page_external_id: str | None, post_external_id: str | None = None) -> Batch:
    """An answer that cannot be read, as a batch: it is set aside with its bytes."""
    reason = f"{error.code}: {error.detail}"
    row = Unreadable(reason=reason, raw=error.raw, page_external_id=page_external_id, reference=post_external_id)
    return Batch(unreadable=(row,))
