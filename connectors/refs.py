"""What a connector is handed to work with: tokens, pages, posts. Standard library only; the contract offers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


Made = TypeVar("Made")


class Timed:
    """Refuses a moment (a field named `…_at`) without an offset: it would be stored hours away from the truth."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.__slots__:
            moment = getattr(self, name) if name.endswith("_at") else None
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(f"A moment without a time zone: {name} {moment!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRef:
    """A page we watch. `options` is what `describe_page` found and the connector wants back (strings only)."""

    external_id: str
    options: Mapping[str, str] = field(default_factory=dict)


class Pages(tuple[PageRef, ...]):  # noqa: SLOT001 - a tuple of any length has no slots, and it remembers what was made
    """All pages of a platform, for many events: what a connector makes of them all is made once, not for each event."""

    _made: dict[object, Any]

    def once(self, key: object, make: Callable[[Sequence[PageRef]], Made]) -> Made:
        """What `make` gives of these pages; `key` says what it is."""
        made = self.__dict__.setdefault("_made", {})
        if key not in made:
            made[key] = make(self)
        found: Made = made[key]
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class PostRef:
    """A post of a page. `thread_ref` is the connector's own address of its comments, where it differs from the id."""

    page: PageRef
    external_id: str
    thread_ref: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """The polled unit: a credential and the pages that its stream carries."""

    key: str
    credential_key: str
    pages: tuple[PageRef, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CannotTell:
    """The platform gives no way to know: a person decides."""

    reason: str
