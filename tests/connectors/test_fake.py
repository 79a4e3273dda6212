"""The platform in memory passes what the real ones pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase, Fault, Verb
from connectors.contract import AccessLost, Options, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.fake import FakeWorld, fake_plugin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import ConnectorError, Plugin
    from connectors.fake.world import Style


def scripted() -> dict[str, tuple[Verb, ConnectorError]]:
    """One error of every class, made anew for each use."""
    return {
        "slow down": ("read", TryLater("rate", after=timedelta(seconds=1))),
        "slow down, sender": ("send", TryLater("flood", after=timedelta(seconds=1))),
        "no": ("send", Rejected("comments_closed")),
        "token lost": ("read", AccessLost("reauthorise")),
        "captcha": ("send", AccessLost("captcha")),
        "lost": ("send", OutcomeUnknown("network")),
        "odd": ("read", UnknownPayload("malformed", raw=b"{}")),
    }


@dataclass(kw_only=True)
class FakeStage:
    """A world in memory with one page."""

    world: FakeWorld
    plugin: Plugin
    options: Options
    page: str
    page_link: str

    @property
    def reading(self) -> str:
        """The verb that tells comments."""
        return "poll" if self.world.style == "streaming" else "read_thread"

    async def write_post(self, text: str) -> str:
        """Publish a post."""
        return self.world.write_post(self.page, text)

    async def write_comment(self, post: str, text: str, *, reply_to: str | None = None) -> str:
        """Write a comment."""
        return self.world.write_comment(post, text, reply_to=reply_to)

    async def edit_comment(self, post: str, comment: str, text: str) -> None:
        """Change a comment."""
        assert self.world.comments[comment].thread_ref == self.world.posts[post].thread_ref
        self.world.edit_comment(comment, text)

    def takes(self, text: str) -> bool:
        """Memory holds anything."""
        return bool(text)

    async def answers(self) -> list[str]:
        """The answers that stand there."""
        return [answer.text for answer in self.world.answers]

    async def pictures(self) -> int:
        """What stands with them."""
        return sum(len(answer.pictures) for answer in self.world.answers)

    async def fault(self, verb: Verb, fault: Fault) -> None:
        """Plan a failure of the next call."""
        if verb != "read":
            error: ConnectorError = OutcomeUnknown("malformed" if fault == "malformed" else "network")
            call = "send" if verb in {"send", "pictures"} else f"{verb}_answer"
            self.world.fail(call, error, moment="before" if fault == "before" else "after")
        else:
            self.world.fail(self.reading, UnknownPayload("malformed", raw=b"[]"))

    def error_cases(self) -> Sequence[ErrorCase]:
        """One case of every class."""
        return [ErrorCase(name=name, verb=verb, error=type(error), code=error.code) for name, (verb, error) in scripted().items()]

    async def order(self, case: ErrorCase) -> None:
        """Plan it."""
        verb, error = scripted()[case.name]
        self.world.fail("send" if verb == "send" else self.reading, error)


def stage_of(style: Style, *, names_post: bool) -> FakeStage:
    """A stage of one style."""
    can, caption = style == "probing", 4096 if style == "probing" else 100
    world = FakeWorld(style=style, names_post=names_post, can_look_up=can, honours_guid=can, poll_wait=0, caption=caption)
    page = world.add_page("Село Садовое")
    return FakeStage(
        world=world,
        plugin=fake_plugin(world),
        options=Options(api_url=None, credentials=()),
        page=page.external_id,
        page_link=world.pages[page.external_id].link,
    )


class TestProbing(ConnectorConformance):
    """As VK: walls, counters, threads."""

    @pytest.fixture
    def stage(self) -> FakeStage:
        """The stage."""
        return stage_of("probing", names_post=True)


class TestStreaming(ConnectorConformance):
    """As Telegram: a stream whose comments name only their thread."""

    @pytest.fixture
    def stage(self) -> FakeStage:
        """The stage."""
        return stage_of("streaming", names_post=False)
