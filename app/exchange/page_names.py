"""Finding a watched page by what people call it: its link, `platform:screen_name` or `platform:id`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from app.kernel.db import ReadSession


@dataclass(frozen=True, slots=True)
class PageNames:
    """All names of all watched pages."""

    ids: dict[str, int]

    @classmethod
    async def load(cls, session: ReadSession) -> PageNames:
        """As they are now."""
        ids: dict[str, int] = {}
        for row in await session.execute(text("SELECT id, platform, external_id, link FROM page ORDER BY id")):
            for name in (f"{row.platform}:{row.external_id}", f"{row.platform}:{screen_name(row.link)}", plain_link(row.link)):
                ids.setdefault(name.casefold(), row.id)
        return cls(ids)

    def find(self, name: str) -> int | None:
        """The page's id, if one is called so."""
        return self.ids.get(name.casefold()) or self.ids.get(plain_link(name).casefold())


def plain_link(link: str) -> str:
    """A link without scheme, www and trailing slash."""
    return link.strip().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


def screen_name(link: str) -> str:
    """The last part of a link: the name by which the platform knows the page."""
    return plain_link(link).rpartition("/")[2].removeprefix("@")
