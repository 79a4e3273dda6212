"""The stranger's connector passes the suite that ours pass, found the way ours are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase, Fault, Verb
from connectors.contract import AccessLost, Credential, Options, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.registry import load
from connectors.sandbox.server import in_thread
from tests.connectors.stranger.guestbook import KEY, NAME, Guestbook
from tests.connectors.stranger.installing import install

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.contract import Plugin

PATHS: dict[Verb, str] = {"read": "events", "send": "remarks"}
CASES = (
    (ErrorCase(name="slow down", verb="read", error=TryLater, code="rate"), "429"),
    (ErrorCase(name="slow down, writer", verb="send", error=TryLater, code="rate"), "429"),
    (ErrorCase(name="key withdrawn", verb="read", error=AccessLost, code="reauthorise"), "401"),
    (ErrorCase(name="not allowed", verb="send", error=AccessLost, code="no_right"), "403"),
    (ErrorCase(name="closed", verb="send", error=Rejected, code="comments_closed"), "409"),
    (ErrorCase(name="words refused", verb="send", error=Rejected, code="bad_text"), "422"),
    (ErrorCase(name="site down", verb="read", error=TryLater, code="server"), "503"),
    (ErrorCase(name="site down, writer", verb="send", error=OutcomeUnknown, code="server"), "503"),
    (ErrorCase(name="broken off", verb="read", error=TryLater, code="network"), "after"),
    (ErrorCase(name="broken off, writer", verb="send", error=OutcomeUnknown, code="network"), "before"),
    (ErrorCase(name="odd", verb="read", error=UnknownPayload, code="malformed"), "malformed"),
)


@dataclass(kw_only=True)
class GuestbookStage:
    """A book as the suite moves it."""

    book: Guestbook
    plugin: Plugin
    options: Options
    page_link: str = f"https://{NAME}/guestbook"

    async def write_post(self, text: str) -> str:
        """Open a topic."""
        return str(self.book.write("topic", text))

    async def write_comment(self, post: str, text: str, *, reply_to: str | None = None) -> str:
        """Write a remark as a visitor."""
        parent = int(reply_to) if reply_to else None
        return str(self.book.write("remark", text, topic=int(post), in_reply_to=parent, visitor="Инна Павлова"))

    async def edit_comment(self, post: str, comment: str, text: str) -> None:
        """Change a remark."""
        assert self.book.remarks[int(comment)]["topic"] == int(post)
        self.book.edit(int(comment), text)

    def takes(self, text: str) -> bool:
        """A book holds anything."""
        return bool(text)

    async def answers(self) -> list[str]:
        """What the town hall wrote."""
        return [one["words"] for one in self.book.answers()]

    async def fault(self, verb: Verb, fault: Fault) -> None:
        """Plan a failure."""
        self.book.faults.append((PATHS[verb], fault))

    def error_cases(self) -> Sequence[ErrorCase]:
        """All that the client knows, and the missing key."""
        return [case for case, _ in CASES]

    async def order(self, case: ErrorCase) -> None:
        """Plan it."""
        self.book.faults[:] = [(PATHS[case.verb], next(kind for one, kind in CASES if one is case))]


class _Site:
    """One server for all tests; each puts a book of its own on it."""

    def __init__(self) -> None:
        self.app = Guestbook().app()

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)  # type: ignore[arg-type]  # ASGI's own types differ only in name


@pytest.fixture(scope="session")
def site() -> Iterator[tuple[_Site, str]]:
    """The server and its address."""
    one = _Site()
    with in_thread(one) as url:  # type: ignore[arg-type]  # likewise
        yield one, url


@pytest.fixture
def stage(site: tuple[_Site, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GuestbookStage:
    """An empty book, and the plugin as the registry finds it."""
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    book = Guestbook()
    site[0].app = book.app()
    credential = Credential(key="hall", kind="key", secret=KEY)
    options = Options(api_url=site[1], credentials=(credential,), time_scale=50, timeout=2)
    return GuestbookStage(book=book, plugin=load(("guestbook",))["guestbook"], options=options)


class TestStranger(ConnectorConformance):
    """The whole suite."""
