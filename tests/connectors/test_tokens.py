"""Which token serves a page is known without walking through all of them, and one that is missing concerns its own page alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from connectors.contract import Credential, Options, PageRef, Pages, utc_now
from connectors.max.connector import MaxConnector
from connectors.ok.client import OkClient
from connectors.telegram.connector import TelegramConnector
from connectors.viber.connector import ViberConnector
from connectors.vk.client import VkClient
from tests.connectors.strategies import fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "http://127.0.0.1:1"
MANY = 50
PAGES = [PageRef(external_id=f"-{number}") for number in range(MANY)]


class Walked(tuple[Credential, ...]):
    """Counts how often somebody walks through it."""

    __slots__ = ()
    walks = 0

    def __iter__(self) -> Iterator[Credential]:
        Walked.walks += 1
        return super().__iter__()


@pytest.mark.parametrize(
    ("build", "look_up"),
    [
        (VkClient, lambda vk: [vk.can(("bot",), page.external_id) for page in PAGES]),
        (OkClient, lambda ok: [ok.tokens(page.external_id) for page in PAGES]),
        (TelegramConnector, lambda telegram: telegram.feeds(PAGES)),
        (ViberConnector, lambda viber: viber.feeds(PAGES)),
        (MaxConnector, lambda max_: [max_.parse_push(page, Pages(PAGES), _event(page), observed_at=utc_now()) for page in PAGES]),
    ],
)
async def test_many_pages_with_tokens_of_their_own(build: Callable[..., Any], look_up: Callable[[Any], list[Any]]) -> None:
    tokens = Walked(Credential(key=f"k{one.external_id}", kind="bot", secret="made up", page_external_id=one.external_id) for one in PAGES)
    built = build(Options(api_url=URL, credentials=tokens), URL)
    before = Walked.walks
    assert len(look_up(built)) == MANY
    assert Walked.walks - before <= 1
    await built.close()


async def test_a_page_without_its_token_holds_up_no_pushed_event_of_others() -> None:
    lost, page = PAGES[1:3]
    bot = Credential(key="own", kind="bot", secret="made up", page_external_id=page.external_id)
    connector = MaxConnector(Options(api_url=URL, credentials=(bot,)), URL)
    told = connector.parse_push(page, Pages((lost, page)), _event(page), observed_at=utc_now())
    assert [one.page_external_id for one in told.comments] == [page.external_id]
    await connector.close()


def _event(page: PageRef) -> bytes:
    """A comment under a post of this channel."""
    event: Any = fixtures("max")["comment_created"]
    event["message"]["recipient"]["chat_id"] = int(page.external_id)
    return json.dumps(event).encode()
