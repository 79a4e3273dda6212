"""VK's addresses: of a page, post, comment and author, and what a pasted link names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.contract import Reference
from connectors.references import address

SITE = "https://vk.com"

_HOST = re.compile(r"^(?:https?://)?(?:www\.|m\.)?vk\.(?:com|ru)/", re.IGNORECASE)
_COMMUNITY = re.compile(r"^(?:club|public|event|-)(\d{1,18})$", re.IGNORECASE)
_PERSON = re.compile(r"^id(\d{1,18})$", re.IGNORECASE)
_WALL = re.compile(r"^wall(-?\d{1,18})(?:_\d+)?$", re.IGNORECASE)
_SCREEN_NAME = re.compile(r"^[A-Za-z0-9_.]{1,64}$")


@dataclass(frozen=True, slots=True)
class Named:
    """What a link names: a community by number, or a screen name that must be asked about."""

    community: int | None = None
    screen_name: str | None = None
    person: bool = False


def named(link: str) -> Named | None:
    """What a link, a screen name or a number names; None when it is none of VK's."""
    rest = _HOST.sub("", link.strip()).removeprefix("@")
    rest = re.split(r"[?#/]", rest, maxsplit=1)[0]
    wall = _WALL.match(rest)
    rest = wall.group(1) if wall else rest
    if wall and not rest.startswith("-"):
        return Named(person=True)
    community = _COMMUNITY.match(rest) or re.match(r"^(\d{1,18})$", rest)
    if community:
        return Named(community=int(community.group(1)))
    if _PERSON.match(rest):
        return Named(person=True)
    return Named(screen_name=rest) if _SCREEN_NAME.match(rest) else None


def post_link(page: str, post: int | str) -> str:
    """Where a post stands."""
    return f"{SITE}/wall{page}_{post}"


def comment_link(page: str, post: int | str, comment: int | str, root: int | str) -> str:
    """Where a comment stands: a reply also names the top comment of its thread."""
    link = f"{post_link(page, post)}?reply={comment}"
    return link if str(root) == str(comment) else f"{link}&thread={root}"


def profile_link(number: int) -> str:
    """Where an author stands: people are positive, communities negative."""
    return f"{SITE}/id{number}" if number > 0 else f"{SITE}/club{-number}"


_HOSTS = frozenset({"vk.com", "m.vk.com", "vk.ru", "m.vk.ru"})
_POST = re.compile(r"(?:^/|[?&][wz]=)(wall|photo|video|topic)(-?\d{1,18})_(\d{1,18})(?:_r(\d{1,18}))?(?=$|[?&/%])", re.ASCII)
_REPLY = re.compile(r"[?&](?:reply|post)=(\d{1,18})", re.ASCII)
_THREAD = re.compile(r"[?&]thread=(\d{1,18})", re.ASCII)


class VkLinks:
    """Posts, photos, videos and discussions of communities and of people and their comments, alone or over another page (`?w=wall…`)."""

    def read(self, link: str) -> Reference | None:
        """What a link names."""
        parts = address(link, _HOSTS)
        place = "" if parts is None else parts.path + (f"?{parts.query}" if parts.query else "")
        found = _POST.search(place)
        if found is None:
            return None
        kind, page, number, comment = found.groups()
        reply, thread = _REPLY.search(place), _THREAD.search(place)
        comment = reply.group(1) if reply else comment
        root = thread.group(1) if thread and comment else comment
        shown = f"{SITE}/{kind}{page}_{number}"
        if comment is not None:
            shown += f"?post={comment}" if kind == "topic" else f"?reply={comment}" + (f"&thread={root}" if root != comment else "")
        return Reference(link=shown, page=page, post=number if kind == "wall" else f"{kind}{number}", comment=comment, root=root)
