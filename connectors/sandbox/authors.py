"""Platform identities: the same name is always the same author."""

from zlib import crc32

from connectors.sandbox.model import Author, Platform

_FIRST: dict[Platform, int] = {"vk": 1_000_000, "ok": 560_000_000_000, "telegram": 5_000_000_000, "max": 80_000_000, "viber": 90_000_000}
_SPREAD = 700_000_000


class Authors:
    """Who wrote, by platform, id and name."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._by_id: dict[tuple[Platform, int], Author] = {}
        self._by_name: dict[tuple[Platform, str], Author] = {}
        self._nameless = 0

    def of(self, platform: Platform, name: str | None) -> Author:
        """The author with this name, made when new; no name gives a deleted account of its own."""
        if name is not None and (known := self._by_name.get((platform, name))):
            return known
        seed = name
        if seed is None:
            self._nameless += 1
            seed = f"\0deleted {self._nameless}"
        author_id = _FIRST[platform] + crc32(seed.encode("utf-8", "surrogatepass")) % _SPREAD
        while (platform, author_id) in self._by_id:
            author_id += 1
        return self.remember(platform, Author(author_id, name))

    def remember(self, platform: Platform, author: Author) -> Author:
        """Keep an author whose id is already given."""
        known = self._by_id.get((platform, author.id))
        if known is not None:
            return known
        self._by_id[platform, author.id] = author
        if author.name is not None:
            self._by_name.setdefault((platform, author.name), author)
        return author

    def get(self, platform: Platform, author_id: int) -> Author | None:
        """The author with this id."""
        return self._by_id.get((platform, author_id))
