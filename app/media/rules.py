"""Which pictures are fetched at all, and how they are written in the settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.kernel.outgoing import Hosts, RefusedError, parse_hosts, target

SHOWN = frozenset({"photo", "sticker"})


class Size(StrEnum):
    """How large a picture is shown."""

    SMALL = "small"
    LARGE = "large"

    @property
    def pixels(self) -> int:
        """Its longer side, at most."""
        return 320 if self is Size.SMALL else 1600


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaHosts:
    """From where pictures of each platform may come."""

    by_platform: Mapping[str, Hosts] = field(default_factory=dict)
    by_worker: frozenset[str] = frozenset()
    """Platforms whose pictures have no address that we may call here: the worker fetches them."""

    def of(self, platform: str) -> Hosts:
        """The hosts of a platform; none for one that is not named."""
        return self.by_platform.get(platform, Hosts())

    def shows(self, platform: str, kind: str, url: object) -> bool:
        """Whether this attachment would be fetched, here or by the worker."""
        if url is None and platform in self.by_worker:
            return kind in SHOWN
        if kind not in SHOWN or not isinstance(url, str):
            return False
        try:
            target(url, self.of(platform))
        except RefusedError:
            return False
        return True


def parse_media_hosts(words: str) -> MediaHosts:
    """`vk: *.userapi.com, *.vk.com; ok: *.mycdn.me`. ValueError that says how to write it."""
    found: dict[str, Hosts] = {}
    for part in filter(None, (piece.strip() for piece in words.split(";"))):
        platform, colon, hosts = part.partition(":")
        if not colon or not platform.strip().isidentifier():
            raise ValueError(f"{part!r} names no platform: write vk: *.userapi.com, *.vk.com; ok: *.mycdn.me")
        earlier = found.get(platform.strip(), Hosts())
        found[platform.strip()] = Hosts(names=earlier.names + parse_hosts(hosts).names)
    return MediaHosts(by_platform=found)
