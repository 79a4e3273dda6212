"""OK's addresses: of a group, a topic and a comment, and what a pasted link names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.contract import Reference
from connectors.references import address

SITE = "https://ok.ru"
TOPIC = "GROUP_TOPIC"

_HOST = re.compile(r"^(?:https?://)?(?:www\.|m\.)?(?:ok|odnoklassniki)\.ru/", re.IGNORECASE)
_GROUP = re.compile(r"^(?:group/?)?(\d{1,19})(?:/.*)?$", re.IGNORECASE)
_PERSON = re.compile(r"^profile/\d", re.IGNORECASE)
_SHORT = re.compile(r"^[A-Za-z0-9._-]{2,64}$")


@dataclass(frozen=True, slots=True)
class Named:
    """What a link names: a group by number, or a short name that must be asked about."""

    group: str | None = None
    short_name: str | None = None
    person: bool = False


def named(link: str) -> Named | None:
    """What a link, a short name or a number names; None when it is none of OK's."""
    rest = re.split(r"[?#]", _HOST.sub("", link.strip()), maxsplit=1)[0].strip("/").removeprefix("@")
    if _PERSON.match(rest):
        return Named(person=True)
    if group := _GROUP.match(rest):
        return Named(group=group.group(1))
    name = rest.split("/", 1)[0]
    return Named(short_name=name) if _SHORT.match(name) and (name == rest or _HOST.match(link.strip())) else None


def page_link(group: str, short_name: str | None) -> str:
    """Where a group stands."""
    return f"{SITE}/{short_name}" if short_name else f"{SITE}/group/{group}"


def post_link(group: str, post: str) -> str:
    """Where a topic stands; what is no topic is shown on the group's page."""
    kind, number = parts(post)
    return f"{SITE}/group/{group}/topic/{number}" if kind == TOPIC else f"{SITE}/group/{group}"


def comment_link(group: str, post: str, comment: str) -> str:
    """Where a comment stands: OK has no address of a comment of its own, so under its topic, with its number."""
    return f"{post_link(group, post)}#{comment}"


def profile_link(person: str) -> str:
    """Where an author stands."""
    return f"{SITE}/profile/{person}"


def parts(post: str) -> tuple[str, str]:
    """Kind and number of a discussion: a topic goes by its bare number, anything else by `KIND:number`."""
    kind, separator, number = post.partition(":")
    return (kind, number) if separator else (TOPIC, post)


def post_id(kind: str, number: str) -> str:
    """The id under which we keep a discussion."""
    return number if kind == TOPIC else f"{kind}:{number}"


_HOSTS = frozenset({"ok.ru", "m.ok.ru", "odnoklassniki.ru", "m.odnoklassniki.ru"})
_TOPIC = re.compile(r"/(?:group/(\d{1,19})|([A-Za-z0-9._-]{2,64}))/topic/(\d{1,19})/?", re.ASCII)
_STATUS = re.compile(r"/profile/(\d{1,19})/statuses/(\d{1,19})/?", re.ASCII)
_COMMENT = re.compile(r"[\w-]{1,64}", re.ASCII)


class OkLinks:
    """Topics of groups and notes of people. OK has no address of a comment: ours has its number after `#`."""

    def read(self, link: str) -> Reference | None:
        """What a link names."""
        parts = address(link, _HOSTS)
        if parts is None:
            return None
        comment = parts.fragment if _COMMENT.fullmatch(parts.fragment) else None
        if topic := _TOPIC.fullmatch(parts.path):
            page, post = topic.group(1) or topic.group(2).lower(), topic.group(3)
            place = post_link(page, post) if topic.group(1) else f"{SITE}/{page}/topic/{post}"
        elif status := _STATUS.fullmatch(parts.path):
            page, post = status.group(1), post_id("USER_STATUS", status.group(2))
            place = f"{profile_link(page)}/statuses/{status.group(2)}"
        else:
            return None
        return Reference(link=f"{place}#{comment}" if comment else place, page=page, post=post, comment=comment)
