"""Whether two callers read one page at the same moment: workers that share pages must not.

Callers tell themselves apart by the address under which they come (`/as/<name>/…`); who has no name is not counted. A reading
begins when the platform looks at the call and ends when it is answered whole or its caller has gone. Two readings of one page
overlap when both are under way and come from two callers: one worker that timed out and asks again overlaps only itself, and
a call that the platform never looked at (a fault before the act) reads nothing. Counted is what only polling asks: VK's walls,
counters and comments by page, discussions of OK and comments of MAX by post, a MAX channel's posts, a Telegram bot's updates.
The comments of a post under which a caller has written within a minute are not: it may be looking for its own answer.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

LOOKING_SECONDS = 60.0
_PREFIX = "/as/"
_VK_COMMENTS = frozenset({"wall.getComments", "photos.getComments", "video.getComments", "board.getComments"})
_WRITES = frozenset({"wall.createComment", "discussions.addDiscussionComment", "sendComment"})

Values = Mapping[str, str]


class Readings:
    """The readings under way, and those that overlapped."""

    def __init__(self) -> None:
        """Nobody reads."""
        self._under_way: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._wrote: dict[tuple[str, str], float] = {}
        self._served: Counter[str] = Counter()
        self._overlaps: Counter[tuple[str, str, str]] = Counter()

    def begin(self, caller: str, page: str) -> None:
        """A reading begins; others' that are under way are overlapped."""
        self._served[caller] += 1
        under_way = self._under_way[page]
        for other in sorted(name for name, count in under_way.items() if count and name != caller):
            self._overlaps[page, min(caller, other), max(caller, other)] += 1
        under_way[caller] += 1

    def end(self, caller: str, page: str) -> None:
        """It is answered, or nobody waits for the answer any more."""
        self._under_way[page][caller] -= 1

    def wrote(self, caller: str, post: str) -> None:
        """Somebody tried to write under a post."""
        self._wrote[caller, post] = time.monotonic()

    def may_look(self, caller: str, post: str) -> bool:
        """Whether a caller may be looking for its own answer under a post."""
        return time.monotonic() - self._wrote.get((caller, post), -LOOKING_SECONDS) < LOOKING_SECONDS

    def clear(self) -> None:
        """Forget what was counted; what is under way goes on."""
        self._served.clear()
        self._overlaps.clear()

    def report(self) -> dict[str, Any]:
        """How many readings each caller made, and which overlapped another's."""
        overlaps = [{"what": page, "callers": [one, other], "count": count} for (page, one, other), count in self._overlaps.items()]
        return {"served": dict(self._served), "overlaps": overlaps}


@dataclass(slots=True)
class Visit:
    """One request and what it reads; `caller` is empty when it comes without a name."""

    readings: Readings
    caller: str = ""
    _pages: list[str] = field(default_factory=list)

    def acts(self, platform: str, method: str, values: Values) -> None:
        """A call has come, whatever becomes of it."""
        if self.caller and method in _WRITES:
            self.readings.wrote(self.caller, _post(platform, values))

    def reads(self, platform: str, method: str, values: Values) -> None:
        """The platform looks at the call now."""
        pages, is_comments = polled(platform, method, values) if self.caller else (set(), False)
        if is_comments and self.readings.may_look(self.caller, _post(platform, values)):
            return
        for page in sorted(pages):
            self.readings.begin(self.caller, page)
            self._pages.append(page)

    def over(self) -> None:
        """The request is answered or given up."""
        for page in self._pages:
            self.readings.end(self.caller, page)
        self._pages.clear()


def polled(platform: str, method: str, values: Values) -> tuple[set[str], bool]:
    """What a call of polling reads, none for other calls; and whether it is comments, which a sender reads as well."""
    if platform == "vk":
        if method == "wall.getById":
            return {f"vk {post.rpartition('_')[0]}" for post in values.get("posts", "").split(",")}, False
        if method == "wall.get" or method in _VK_COMMENTS:
            return {f"vk {values.get('owner_id') or '-' + values.get('group_id', '')}"}, method != "wall.get"
    if platform == "ok" and method in {"discussions.getComments", "discussions.getDiscussionCommentsCount"}:
        return {f"ok {_post(platform, values)}"}, method == "discussions.getComments"
    if platform == "max" and method in {"getMessages", "getComments"}:
        return {f"max {values.get('chat_id') or _post(platform, values)}"}, method == "getComments"
    if platform == "telegram" and method.lower() == "getupdates":
        return {f"telegram {values.get('bot', '')}"}, False
    return set(), False


def _post(platform: str, values: Values) -> str:
    names = {"vk": ("owner_id", "post_id"), "ok": ("discussionId", "entityId"), "max": ("message",)}[platform]
    return platform + "_".join(values[name] for name in names if name in values)


class Callers:
    """Around the whole application: takes the caller's name out of the address, and sees when the request is over."""

    def __init__(self, app: ASGIApp, *, readings: Readings) -> None:
        """Count in `readings`."""
        self._app = app
        self._readings = readings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        caller, path = "", scope["path"]
        if path.startswith(_PREFIX):
            caller, _, path = path.removeprefix(_PREFIX).partition("/")
            path = f"/{path}"
        visit = Visit(self._readings, caller)
        inside = {**scope, "path": path, "raw_path": path.encode(), "state": {**scope.get("state", {}), "visit": visit}}
        try:
            await self._app(inside, receive, send)
        finally:
            visit.over()
