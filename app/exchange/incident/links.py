"""What a link of the table names: the page, the post, the very comment. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VK = re.compile(r"(?:m\.)?vk\.(?:com|ru)/(?:[\w.]*\?w=)?wall(-?\d{1,20})_(\d{1,20})", re.ASCII)
_VK_REPLY = re.compile(r"[?&]reply=(\d{1,20})", re.ASCII)
_VK_THREAD = re.compile(r"[?&]thread=(\d{1,20})", re.ASCII)
_OK = re.compile(r"(?:m\.)?ok\.ru/group/(\d{1,20})/topic/(\d{1,20})(?:#(\w{1,64})\b)?", re.ASCII)
_TELEGRAM = re.compile(r"t\.me/(?:s/)?([A-Za-z]\w{3,31})/(\d{1,20})(?:\?comment=(\d{1,20}))?", re.ASCII)
_HOSTS = {
    "vk.com": "vk", "m.vk.com": "vk", "vk.ru": "vk", "ok.ru": "ok", "m.ok.ru": "ok", "t.me": "telegram", "max.ru": "max",
    "chats.viber.com": "viber",
}  # fmt: skip
_VK_PERSON = re.compile(r"(?:m\.)?vk\.(?:com|ru)/(id|club|public)(\d{1,20})", re.ASCII)
_OK_PERSON = re.compile(r"(?:m\.)?ok\.ru/profile/(\d{1,20})", re.ASCII)
BY_HAND = "by_hand"
"""The platform of an incident whose links name none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something was written, as far as a link tells. `pages`: names by which the page may be known here."""

    platform: str
    pages: tuple[str, ...] = ()
    post: str | None = None
    comment: str | None = None
    root: str | None = None


def read_place(post_link: str, page_link: str) -> Place:
    """The place that a row's two links name together."""
    plain = _plain(post_link)
    pages = (page_link,) if page_link else ()
    if found := _VK.match(plain):
        reply, thread = _VK_REPLY.search(plain), _VK_THREAD.search(plain)
        comment = reply.group(1) if reply else None
        return Place(
            platform="vk", pages=(f"vk:{found.group(1)}", *pages), post=found.group(2), comment=comment,
            root=thread.group(1) if thread else comment,
        )  # fmt: skip
    if found := _OK.match(plain):
        return Place(
            platform="ok", pages=(f"ok:{found.group(1)}", *pages), post=found.group(2), comment=found.group(3), root=found.group(3)
        )
    if found := _TELEGRAM.match(plain):
        # The root of a chain of replies is not in a Telegram link, so such a comment has no key of a thread.
        return Place(platform="telegram", pages=(f"t.me/{found.group(1)}", *pages), post=found.group(2), comment=found.group(3))
    for link in (plain, _plain(page_link)):
        platform = _HOSTS.get(link.partition("/")[0].lower())
        if platform is not None:
            return Place(platform=platform, pages=pages)
    return Place(platform=BY_HAND, pages=pages)


def read_author(link: str) -> tuple[str, str] | None:
    """(platform, id there) of the profile that a link names by a number; None when it does not."""
    plain = _plain(link)
    if found := _VK_PERSON.fullmatch(plain):
        return "vk", found.group(2) if found.group(1) == "id" else f"-{found.group(2)}"
    if found := _OK_PERSON.fullmatch(plain):
        return "ok", found.group(1)
    return None


def _plain(link: str) -> str:
    return link.strip().removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
