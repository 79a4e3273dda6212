"""Reading: one call's worth of a post's comments, and what a refusal says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from app.flows.platforms import calling
from app.flows.polling_batches import aside, post_ref
from app.kernel.log import logger
from app.sources.rules import OF_TOKENS
from connectors.contract import AccessLost, Batch, ConnectorError, ReadsThreads, Rejected, TryLater, UnknownPayload

if TYPE_CHECKING:
    from app.sources.service import WatchedPost

NO_REST = timedelta()


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one call told of a post's comments; `whole`: the last call of this reading."""

    batch: Batch
    whole: bool
    gone: bool = False
    refused: bool = False


def of_one_page(error: ConnectorError) -> bool:
    """Whether it may concern some pages alone: their right or their own token is lost, or they trip the connector over a bug of its own."""
    return isinstance(error, AccessLost) or error.code == "bug"


def rest_of(error: ConnectorError, failures: int, again: timedelta) -> timedelta:
    """How long a page rests at least that could not be listed: a wall that is closed to us until its next listing, from the second time on.

    Each listing is one of the day's quota, which all walls share. Whoever opens it says so on its card.
    """
    return again if error.code == "no_right" and failures > 0 else NO_REST


async def read_part(connector: ReadsThreads, platform: str, post: WatchedPost, cursor: str | None) -> Part:
    """One call's worth of a post's comments. A post that cannot be read holds up no other.

    AccessLost for what a person has to mend before anything of its page can be read.
    """
    try:
        with calling(platform, "read_thread"):
            batch = await connector.read_thread(post_ref(post), root_external_id=None, cursor=cursor)
    except (Rejected, AccessLost, TryLater) as error:
        if error.code in OF_TOKENS or not (isinstance(error, Rejected) or of_one_page(error)):
            raise
        logger.warning("post_refused", platform=platform, post=post.id, code=error.code)
        return Part(batch=Batch(), whole=False, gone=error.code == "gone", refused=True)
    except UnknownPayload as error:
        return Part(batch=aside(error, post.page_external_id, post.external_id), whole=False)
    return Part(batch=batch, whole=batch.cursor is None)
