"""Answers of ours that stand on a platform: put other words in their place, take them away, look at them.

Optional abilities, each declared as a `Capability`. Standard library only; the contract offers it. Doing one twice changes
nothing, so what may have been done is looked at, or simply done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from connectors.refs import CannotTell, Timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from connectors.pictures import Picture
    from connectors.refs import PostRef


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing(Timed):
    """An answer of ours, in the page's name, as `Sent` told it; `parts` beside it are what its pictures were told as."""

    post: PostRef
    external_id: str
    root_external_id: str
    published_at: datetime
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StandsAs:
    """It stands there with this text."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotThere:
    """It does not stand there any more."""


Look = StandsAs | NotThere | CannotTell


class PlaceReader(Protocol):
    """Knows of what kind the place is that a post stands for, where one platform lets more be done here than there. Pure."""

    def __call__(self, post: PostRef) -> str:
        """The platform's own word for it: wall, photo, dialogs."""


@runtime_checkable
class EditsAnswers(Protocol):
    """A platform that lets the page change its own comments. Their pictures stay."""

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place; the same text once more changes nothing.

        Raises as `send` does; Rejected `gone` when it is not there any more, `too_late` when the platform lets it be changed no longer.
        """


@runtime_checkable
class AttachesPictures(Protocol):
    """A platform where a long text and pictures are no one message: the text goes first (`Sent.pictures_left`), they follow it."""

    async def attach_pictures(self, standing: Standing, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Put them there; the answer's `parts` from then on. Once: doing it twice would double them. Raises as `send` does."""


@runtime_checkable
class DeletesAnswers(Protocol):
    """A platform that lets the page delete its own comments."""

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away, with its pictures; one that is gone already is taken away. Raises as `edit_answer` does, but never `gone`."""


@runtime_checkable
class LooksAtAnswers(Protocol):
    """A platform that shows a single comment, so that an act of unknown outcome is looked up."""

    async def look_at_answer(self, standing: Standing) -> Look:
        """Whether it stands there, and with which text."""
