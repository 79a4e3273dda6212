"""Viber's connector: which call answers which verb.

Viber shows no history and lists nobody who has written: what people write comes by push alone, which Viber repeats for about an hour
to whoever does not answer. So `poll` brings no messages; it watches over the push - that the token is good, and that Viber pushes to us.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from connectors.bots import CREDENTIAL, bot_of, hears_private
from connectors.contract import AccessLost, Batch, CannotTell, ConnectorError, Feed, OutcomeUnknown, PageRef, Pages, Rejected, Sent
from connectors.meanings import mapped
from connectors.pages import ABILITIES, Ability, AbilityCheck, refused
from connectors.payload import OddError, check_text
from connectors.tokens import Tokens
from connectors.viber import links, mapping, push
from connectors.viber.capabilities import BOTS, TEXT_LIMIT
from connectors.viber.client import ViberClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from connectors.contract import Credential, Options, Outgoing, PageSnapshot, SentLookup

WATCH_SECONDS: Final = 60.0
WATCHED: Final = "watched"
CLOCKS_APART: Final = timedelta(seconds=3)
HOOK: Final = "/hooks/viber/"


class ViberConnector:
    """The verbs of the contract over Viber's REST API."""

    pushed_alone = True

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._client = ViberClient(options, base_url)
        self._tokens = Tokens(options.credentials)

    async def close(self) -> None:
        """Release the sockets."""
        await self._client.close()

    # --- which bot

    async def _told(self, bot: Credential) -> mapping.Account:
        """The account of a token."""
        return mapped(await self._client.call(bot, "get_account_info", {}), mapping.account, credential_key=bot.key)

    async def _account(self, page: PageRef) -> tuple[Credential, mapping.Account]:
        """A page's token and what Viber says of it: the one that is known for it first. Raises AccessLost `token_kind`."""
        first = bot_of(self._tokens, page)
        failure: AccessLost | None = None
        for bot in sorted(self._tokens.all, key=lambda one: one is not first):
            try:
                account = await self._told(bot)
            except AccessLost as error:
                failure = failure or error
                continue
            if account.page.external_id == page.external_id:
                return bot, account
        raise failure or AccessLost("token_kind", "no token of this bot is configured")

    async def _sender(self, page: PageRef) -> Credential:
        """The bot that speaks for a page: never another one, in whose name the answer would come from a stranger."""
        bot = bot_of(self._tokens, page)
        if bot is not None and (bot.page_external_id == page.external_id or bot.key == page.options.get(CREDENTIAL)):
            return bot
        return (await self._account(page))[0]

    # --- what is there

    async def describe_page(self, link: str) -> PageSnapshot:
        """The bot behind a link, a name or a number: one of ours. Raises Rejected `not_a_page`, `gone`."""
        name = links.account_of(link)
        if name is None:
            raise Rejected("not_a_page", f"not the address of a bot on Viber: {link[:200]}")
        if not self._options.credentials:
            raise AccessLost("token_kind", "no bot is configured")
        failure: ConnectorError = Rejected("gone", f"none of the tokens is that of {name}")
        for bot in self._options.credentials:
            try:
                account = await self._told(bot)
            except AccessLost as error:
                failure = error
                continue
            if name.lower() in {account.uri.lower(), account.page.external_id.lower()}:
                return account.page
        raise failure

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:
        """What the bot may do. Whether messages reach us shows once the webhook is set, which is done after the page is connected."""
        try:
            _, account = await self._account(PageRef(external_id=external_id, options=page_options))
        except ConnectorError as error:
            return [refused(ability, error, BOTS) for ability in ABILITIES]
        pushed = _is_ours(account.webhook, external_id)

        def found(ability: Ability) -> AbilityCheck:
            if pushed or ability in {"see", "open"}:
                return AbilityCheck(ability=ability, state="yes")
            return AbilityCheck(ability=ability, state="unclear", code="no_webhook", token_kinds=BOTS)

        return [found(ability) for ability in ABILITIES]

    # --- what is written

    def feeds(self, pages: Sequence[PageRef]) -> Sequence[Feed]:
        """One for each bot."""
        return [Feed(key=page.external_id, credential_key=bot.key, pages=(page,)) for page in pages if (bot := bot_of(self._tokens, page))]

    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        """Nothing but whether the push stands, once a minute: AccessLost `no_webhook` when private messages are on and Viber tells us none.

        A token that was exchanged for one with another number is noted, so that what Viber signs with it is let in.
        """
        if cursor is not None:
            await asyncio.sleep(self._options.limits.get("poll_seconds", WATCH_SECONDS) / self._options.time_scale)
        (page,) = feed.pages
        bot, account = await self._account(page)
        if hears_private(page) and not _is_ours(account.webhook, page.external_id):
            where = _split(account.webhook)[0] or "nobody"
            raise AccessLost("no_webhook", f"Viber tells what is written to this bot to {where}", credential_key=bot.key)
        options = {} if page.options.get(CREDENTIAL) == bot.key else {page.external_id: {CREDENTIAL: bot.key}}
        return Batch(page_options=options, cursor=WATCHED)

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:  # noqa: ARG002 - one bot, one page
        """What an event tells."""
        return push.batch(body, page=page, observed_at=observed_at)

    async def register_push(self, page: PageRef, address: str | None) -> None:
        """Have Viber push to this address, or nowhere. Viber calls it at once and wants a 200; another address of the bot is forgotten."""
        bot, _ = await self._account(page)
        body: dict[str, object] = {"url": address or ""}
        await self._client.call(bot, "set_webhook", body | ({"event_types": list(push.EVENTS)} if address else {}))

    # --- answering

    async def send(self, outgoing: Outgoing) -> Sent:
        """Write to the person, as the bot. Viber knows no replies: the answer stands last in the dialog."""
        check_text(outgoing.text, limit=TEXT_LIMIT)
        page = outgoing.post.page
        bot = await self._sender(page)
        body = {
            "receiver": outgoing.post.external_id,
            "min_api_version": 1,
            "sender": {"name": page.options.get(mapping.NAME) or "Bot"},
            "tracking_data": outgoing.guid,
            "type": "text",
            "text": outgoing.text,
        }
        answer = await self._client.call(bot, "send_message", body, sends=True)
        try:
            number = mapping.sent(answer.value)
        except OddError as odd:
            raise OutcomeUnknown("malformed", str(odd), credential_key=bot.key) from odd
        # Viber tells no moment of its own. Its answer's `Date` is in whole seconds and may be a second old, which would put the answer
        # before the question: it only corrects a clock of ours that is wrong.
        ours, theirs = self._options.now(), answer.date
        published_at = ours if theirs is None or abs(ours - theirs) <= CLOCKS_APART else theirs
        return Sent(external_id=number, published_at=published_at, link=mapping.home(page))

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Never known: Viber shows a bot no history."""
        return CannotTell(reason=f"Viber shows no history; ask whoever wrote to {mapping.home(outgoing.post.page)}")


def _is_ours(webhook: str, external_id: str) -> bool:
    """Whether Viber pushes to this page's address here, whatever host it is reached by."""
    return unquote(_split(webhook)[1]).endswith(f"{HOOK}{external_id}")


def _split(address: str) -> tuple[str, str]:
    """Host and path of an address; empty when it is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.hostname or "", parts.path
