"""What comes from outside, checked: descriptions of pages, tokens, posts and comments as plain JSON objects.

The same descriptions serve the world file and the control interface. Texts are checked by hand and not by a model
class, because the sandbox must take what a model refuses: NUL, lone surrogates, directions turned around.
"""

import re
from datetime import datetime
from typing import Any, Literal, cast
from zlib import crc32

from connectors.sandbox.journal import Event
from connectors.sandbox.model import PLATFORMS, Platform
from connectors.sandbox.world import NewComment, WorldError

_NAME = re.compile(r"(?!\d+$)[A-Za-z0-9_.]{1,64}")
_BOT_TOKEN = re.compile(r"(\d{1,18}):[A-Za-z0-9_-]{1,100}")
_LARGEST_ID = 10**15
_LARGEST_PAGE = 10**9
"""On OK, MAX and Viber, whose posts and comments carry the number of their page."""
_LONGEST_WORD = 200
_KINDS = ("user", "service", "community")
_OK_WORDS = 3
_MAX_RIGHTS = ("read_all_messages", "write", "edit", "delete")
_MAX_FIRST_BOT, _MAX_BOTS = 40_000_000, 9_000_000
_VIBER_FIRST_BOT = 50_000_000


class Fields:
    """A JSON object read field by field; every reader raises WorldError(400) that names the field."""

    def __init__(self, value: Any, what: str = "the body") -> None:
        """Take a JSON value that must be an object."""
        if not isinstance(value, dict):
            message = f"{what} must be a JSON object"
            raise WorldError(message)
        self._value: dict[str, Any] = value

    def has(self, name: str) -> bool:
        """Whether the field is there, even as null."""
        return name in self._value

    def raw(self, name: str) -> Any:
        """The field as it is."""
        return self._value.get(name)

    def platform(self) -> Platform:
        """The platform."""
        value = self._value.get("platform")
        if value not in PLATFORMS:
            self._fail("platform", f"must be one of {', '.join(PLATFORMS)}")
        return cast("Platform", value)

    def text(self, name: str, default: str | None = None) -> str:
        """A text of any characters; required without a default."""
        value = self._value.get(name, default)
        if not isinstance(value, str):
            self._fail(name, "must be a string")
        return cast("str", value)

    def word(self, name: str, default: str | None = None) -> str:
        """A short text."""
        value = self.text(name, default)
        if len(value) > _LONGEST_WORD:
            self._fail(name, f"must have at most {_LONGEST_WORD} characters")
        return value

    def name(self, name: str, default: str | None = None) -> str:
        """A screen name."""
        value = self.text(name, default)
        if not _NAME.fullmatch(value):
            self._fail(name, "must be a screen name of Latin letters, digits, dots and underscores, not all digits")
        return value

    def flag(self, name: str) -> bool:
        """True or false, false when absent."""
        value = self._value.get(name, False)
        if not isinstance(value, bool):
            self._fail(name, "must be true or false")
        return cast("bool", value)

    def number(self, name: str) -> int | None:
        """A positive whole number, as a number or as text; None when absent."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:  # noqa: PLR2004
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _LARGEST_ID:
            self._fail(name, "must be a positive whole number")
        return cast("int", value)

    def hours(self, name: str, default: float) -> float:
        """A number of hours, not negative."""
        value = self._value.get(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 10**6:
            self._fail(name, "must be a number of hours, 0 or more")
        return float(value)

    def share(self, name: str) -> float:
        """A part of a whole: more than 0, at most 1."""
        value = self._value.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 1:
            self._fail(name, "must be a number above 0, at most 1")
        return float(cast("float", value))

    def items(self, name: str) -> list[Any]:
        """A list, empty when absent."""
        value = self._value.get(name, [])
        if not isinstance(value, list):
            self._fail(name, "must be a list")
        return cast("list[Any]", value)

    def moment(self, name: str, now: int) -> int | None:
        """A moment as Unix seconds or ISO 8601 with its offset; None when absent."""
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            try:
                read: datetime | None = datetime.fromisoformat(value)
            except ValueError:
                read = None
            if read is None:
                self._fail(name, "must be ISO 8601")
            elif read.tzinfo is None:
                self._fail(name, "must carry its offset from UTC")
            else:
                value = read.timestamp()
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= now + 1:
            self._fail(name, "must be a moment that is not in the future")
        return int(value)

    def _fail(self, name: str, rule: str) -> None:
        message = f"{name} {rule}"
        raise WorldError(message)


def page_event(fields: Fields) -> Event:
    """A page to be created."""
    platform, name = fields.platform(), fields.name("page")
    if platform in {"ok", "max", "viber"} and (fields.number("id") or 0) >= _LARGEST_PAGE:
        message = f"id must be below {_LARGEST_PAGE}"
        raise WorldError(message)
    discussion: str | None = None
    if platform == "telegram" and not (fields.has("discussion") and fields.raw("discussion") in (None, False)):
        discussion = fields.name("discussion", f"{name}_chat")
    return {
        "platform": platform,
        "page": name,
        "id": fields.number("id"),
        "title": fields.word("title", name),
        "members": fields.number("members") or 0,
        "about": fields.text("about", ""),
        "verified": fields.flag("verified"),
        "links_forbidden": fields.flag("links_forbidden"),
        "discussion": discussion,
    }


def token_event(fields: Fields) -> Event:
    """A token to be issued."""
    platform = fields.platform()
    pages = _pages(fields)
    token = fields.word("token")
    if platform == "vk":
        return _vk_token(fields, token, pages)
    if platform == "ok":
        if len(token.split()) != _OK_WORDS:
            message = "a token of OK is three words: application key, application secret key, access token"
            raise WorldError(message)
        return _token(fields, "user", token, pages, default="somebody of the office")
    if platform == "max":
        event = _token(fields, "bot", token, pages, default=fields.name("username"))
        rights = fields.items("rights") if fields.has("rights") else list(_MAX_RIGHTS)
        return event | {
            "user_id": _MAX_FIRST_BOT + crc32(token.encode()) % _MAX_BOTS,
            "username": fields.name("username"),
            "rights": rights,
        }
    if platform == "viber":
        if pages is None or len(pages) != 1:
            message = "a token of Viber is that of one bot: name its page"
            raise WorldError(message)
        number = _VIBER_FIRST_BOT + crc32(token.encode()) % _MAX_BOTS
        return _token(fields, "bot", token, pages, default=pages[0]) | {"user_id": number, "username": pages[0]}
    match = _BOT_TOKEN.fullmatch(token)
    if match is None:
        message = "a bot's token looks like 123456:letters"
        raise WorldError(message)
    username = fields.name("username")
    event = _token(fields, "bot", token, pages, default=username)
    event |= {"user_id": int(match[1]), "username": username}
    event |= {"read_all": fields.flag("can_read_all_group_messages"), "admin": fields.flag("admin")}
    return event


def _vk_token(fields: Fields, token: str, pages: list[str] | None) -> Event:
    kind = fields.word("kind")
    if kind not in _KINDS:
        message = f"kind must be one of {', '.join(_KINDS)}"
        raise WorldError(message)
    if kind == "community" and (pages is None or len(pages) != 1):
        message = "a community token needs exactly one page"
        raise WorldError(message)
    if not token:
        message = "token must not be empty"
        raise WorldError(message)
    return _token(fields, kind, token, pages, default=f"{kind} {','.join(pages or ['all'])}")


def new_comment(fields: Fields, now: int) -> NewComment:
    """A comment to be written."""
    as_page = fields.flag("as_page")
    author: str | None = None
    if not as_page:
        if not fields.has("author"):
            message = "author must be given: a name, or null for a deleted account"
            raise WorldError(message)
        author = None if fields.raw("author") is None else fields.word("author") or None
    return NewComment(
        text=fields.text("text", "" if fields.has("photo") else None),
        voice=_voice(as_page=as_page),
        author=author,
        reply_to=fields.number("reply_to"),
        photo=photo(fields),
        album=fields.word("album") if fields.has("album") else None,
        written_at=fields.moment("written_at", now),
    )


def photo(fields: Fields) -> str | None:
    """The reference of a picture."""
    return fields.word("photo") or None if fields.raw("photo") is not None else None


def _voice(*, as_page: bool) -> Literal["page", "citizen"]:
    return "page" if as_page else "citizen"


def _pages(fields: Fields) -> list[str] | None:
    if fields.raw("page") is not None:
        return [fields.name("page")]
    if fields.raw("pages") is None:
        return None
    return [Fields({"page": name}).name("page") for name in fields.items("pages")]


def _token(fields: Fields, kind: str, token: str, pages: list[str] | None, *, default: str) -> Event:
    return {
        "platform": fields.platform(),
        "kind": kind,
        "token": token,
        "label": fields.word("name", default),
        "pages": pages,
        "user_id": 0,
        "username": "",
        "read_all": False,
        "admin": False,
        "rights": [],
    }
