"""What a connector may also tell of pages: many of them in one call, and, live, what its tokens may do on one.

Standard library only. Both are optional: whoever lacks them is asked by `describe_page`, page by page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from connectors.errors import ConnectorError, TryLater

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Ability = Literal["see", "read", "answer", "open"]
ABILITIES: tuple[Ability, ...] = ("see", "read", "answer", "open")


@dataclass(frozen=True, kw_only=True, slots=True)
class AbilityCheck:
    """What a live check found of one ability on one page.

    `see`: the page is there. `read`: its comments can be read. `answer`: we may answer in its name. `open`: people may comment.
    `unclear`: the platform gives no way to know without doing it, or could not be asked now. `code` is a stable word for what
    is missing (connectors/README.md lists them), `detail` is for the log; tokens of `token_kinds` would do it.
    """

    ability: Ability
    state: Literal["yes", "no", "unclear"]
    code: str = ""
    detail: str = ""
    token_kinds: tuple[str, ...] = ()


def refused(ability: Ability, error: ConnectorError, token_kinds: tuple[str, ...] = ()) -> AbilityCheck:
    """What a refusal says of an ability: a platform that wants to be left alone says nothing."""
    state: Literal["no", "unclear"] = "unclear" if isinstance(error, TryLater) else "no"
    return AbilityCheck(ability=ability, state=state, code=error.code, detail=error.detail, token_kinds=token_kinds)


def token_missing(ability: Ability, token_kinds: tuple[str, ...]) -> AbilityCheck:
    """No token of a fitting kind is there."""
    return AbilityCheck(ability=ability, state="no", code="token_kind", token_kinds=token_kinds)


@runtime_checkable
class ChecksAbilities(Protocol):
    """A connector that can say, live and without publishing anything, what its tokens may do on a page."""

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:
        """One check of each ability. Raises nothing: what the platform refuses is a finding, what it cannot say now is `unclear`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFacts:
    """What a platform says of a page; what it does not tell is None. `official`: it carries the platform's mark.

    `elsewhere`: it is a search (`connectors.finding.FindsMentions`).
    """

    external_id: str
    title: str
    link: str
    members: int | None = None
    official: bool | None = None
    comments_open: bool | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    elsewhere: bool = False


@runtime_checkable
class TellsPages(Protocol):
    """A platform that tells of many pages in one call."""

    pages_limit: int

    async def tell_pages(self, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
        """What there is to say of at most `pages_limit` pages, each named by a link, a screen name or an id; why not, of the others.

        Raises TryLater or AccessLost when the platform tells of none.
        """
