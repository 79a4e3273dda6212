"""A connector's tokens, found by the page that they serve: tens of thousands of pages may have one of their own. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.contract import Credential


class Tokens:
    """What a connector was built with, walked through once. `bare`: what of a page's id tells it from others."""

    def __init__(self, credentials: Sequence[Credential], bare: Callable[[str], str] = str) -> None:
        self.all = tuple(credentials)
        self._bare = bare
        self._keyed = {one.key: one for one in self.all}
        self._own: defaultdict[str | None, list[Credential]] = defaultdict(list)
        for one in self.all:
            self._own[None if one.page_external_id is None else bare(one.page_external_id)].append(one)

    def keyed(self, key: str | None) -> Credential | None:
        """The token of this key."""
        return None if key is None else self._keyed.get(key)

    def own(self, page: str) -> Sequence[Credential]:
        """A page's own."""
        return self._own.get(self._bare(page), ())

    def serving(self, page: str | None) -> list[Credential]:
        """A page's own, then those of no page in particular; all of them where no page is meant."""
        return list(self.all) if page is None else [*self.own(page), *self._own.get(None, ())]
