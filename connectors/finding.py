"""What is asked of a connector beside the contract: what is written elsewhere, where else people comment, how much goes at once.

Standard library only. All are optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection

    from connectors.contract import Batch


@runtime_checkable
class Bundles(Protocol):
    """A connector whose calls go as one when they are made side by side: so many at most. Others are asked one after the other."""

    bundle: int


@runtime_checkable
class PushedAlone(Protocol):
    """A connector whose pushed events tell of their own page alone: `parse_push` is given no other pages. A country has very many."""

    pushed_alone: bool


@runtime_checkable
class FindsMentions(Protocol):
    """A platform that can be searched for what is written about us elsewhere: a search is watched like a page."""

    async def mentions(self, page_external_id: str, *, limit: int, own: Collection[str]) -> Batch:
        """The newest `limit` finds, each a comment of the post where it stands; what pages of `own` wrote or hold is only counted."""


@runtime_checkable
class ListsPlaces(Protocol):
    """A platform where people comment also beside the wall: under pictures, videos, in discussions."""

    async def list_places(self, page_external_id: str) -> Batch:
        """Such places as posts; nothing when it was asked only lately."""
