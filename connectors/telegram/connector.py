"""Telegram's connector: a bot listens to the discussion groups of its channels and answers in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from connectors.bots import bot_of, is_dialogs
from connectors.contract import (
    AccessLost,
    Batch,
    CannotTell,
    ConnectorError,
    Feed,
    OutcomeUnknown,
    PageRef,
    Pages,
    PushedInstead,
    Rejected,
    Sent,
    TryLater,
    UnknownPayload,
)
from connectors.pages import ABILITIES, AbilityCheck, refused, token_missing
from connectors.payload import OddError, check_text, is_object, maybe_int, maybe_text
from connectors.telegram import links, mapping, push
from connectors.telegram.amends import Amends, utf16_units
from connectors.telegram.capabilities import BOTS, CAPTION_LIMIT, PICTURES, TEXT_LIMIT
from connectors.telegram.client import TelegramClient
from connectors.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from connectors.contract import Credential, Options, Outgoing, PageSnapshot, SentLookup

MOST_UPDATES = 100
WEBHOOK_SECONDS = 60
"""After so long is looked again whether the bot is still pushed for."""
SEES_EVERYTHING = ("administrator", "creator")


class TelegramConnector(Amends):
    """The verbs of the contract over Telegram's Bot API."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._client = TelegramClient(options, base_url)
        self._limit = min(MOST_UPDATES, max(1, int(options.limits.get("batch", MOST_UPDATES))))
        self._tokens = Tokens(options.credentials)
        self._bots = frozenset(number for c in options.credentials if (number := mapping.maybe_number(c.secret.split(":", 1)[0])))

    async def close(self) -> None:
        """Release the sockets."""
        await self._client.close()

    async def describe_page(self, link: str) -> PageSnapshot:
        """The channel behind a link, `@username` or id, as the first bot that may see it does.

        Raises Rejected `not_a_page`, `gone`, `comments_closed` (no discussion group), AccessLost `no_right` when the
        bot is no member of that group or its privacy mode hides the comments.
        """
        name = links.chat_of(link)
        if name is None:
            raise Rejected("not_a_page", f"not the address of a Telegram channel: {link[:200]}")
        if not self._options.credentials:
            raise AccessLost("token_kind", "no bot is configured")
        failure: ConnectorError | None = None
        for credential in self._options.credentials:
            try:
                return await self._describe(credential, name)
            except (AccessLost, Rejected) as error:
                failure = failure or error
        assert failure is not None  # noqa: S101 - there is a credential, so the loop has set it
        raise failure

    async def _describe(self, credential: Credential, name: str) -> PageSnapshot:
        own = await self._itself(credential, name)
        if own is not None:
            return own
        answer = await self._client.chat(credential, name)
        chat = answer.value
        if not is_object(chat):
            raise UnknownPayload("malformed", "getChat answered no chat", raw=answer.raw)
        if chat.get("type") != "channel":
            raise Rejected("not_a_page", f"{name} is a {maybe_text(chat.get('type'))}, not a channel")
        linked = maybe_int(chat.get("linked_chat_id"))
        if linked is None:
            raise Rejected("comments_closed", f"{name} has no discussion group")
        await self._check_hearing(credential, str(linked))
        group = await self._client.chat(credential, str(linked))
        try:
            snapshot = mapping.page_snapshot(chat, group.value, credential_key=credential.key)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        return replace(snapshot, members=await self._members(credential, snapshot.external_id))

    async def _itself(self, credential: Credential, name: str) -> PageSnapshot | None:
        """The bot as a page, when it is the bot that is named: what citizens write to it in private."""
        if not name.lower().endswith("bot"):  # every bot's name does
            return None
        answer = await self._client.me(credential)
        try:
            page = mapping.bot_page(answer.value, credential_key=credential.key)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        return page if name.lower() == f"@{page.options[mapping.CHANNEL_NAME]}".lower() else None

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:
        """What the page's bot may do in the channel's discussion group."""
        page = PageRef(external_id=external_id, options=page_options)
        owner = self._owner(page)
        if owner is not None and is_dialogs(page):
            try:
                await self._client.me(owner)
            except ConnectorError as error:
                return [refused(ability, error, BOTS) for ability in ABILITIES]
            return [AbilityCheck(ability=ability, state="yes") for ability in ABILITIES]
        if owner is None:
            return [token_missing(ability, BOTS) for ability in ABILITIES]
        checks = {ability: AbilityCheck(ability=ability, state="unclear", code="not_told") for ability in ABILITIES}
        try:
            chat = (await self._client.chat(owner, external_id)).value
            linked = maybe_int(chat.get("linked_chat_id")) if is_object(chat) else None
            checks["see"] = AbilityCheck(ability="see", state="yes")
            if linked is None:
                return [*list(checks.values())[:3], AbilityCheck(ability="open", state="no", code="comments_closed")]
            checks["open"] = AbilityCheck(ability="open", state="yes")
        except ConnectorError as error:
            return [refused(ability, error, BOTS) for ability in ABILITIES]
        try:
            await self._check_hearing(owner, str(linked))
            checks["read"] = AbilityCheck(ability="read", state="yes")
        except ConnectorError as error:
            checks["read"] = refused("read", error, BOTS)
        checks["answer"] = await self._may_write(owner, str(linked))
        return list(checks.values())

    async def _may_write(self, credential: Credential, group: str) -> AbilityCheck:
        """Administrators may; a member may where the group lets everybody."""
        try:
            number = mapping.maybe_number(credential.secret.split(":", 1)[0]) or 0
            member = (await self._client.member(credential, group, number)).value
            status = member.get("status") if is_object(member) else None
            if status in SEES_EVERYTHING:
                return AbilityCheck(ability="answer", state="yes")
            rights = (await self._client.chat(credential, group)).value
        except ConnectorError as error:
            return refused("answer", error, BOTS)
        told = rights.get("permissions") if is_object(rights) else None
        closed = is_object(told) and told.get("can_send_messages") is False
        if status != "member" or closed:
            return AbilityCheck(ability="answer", state="no", code="no_right", detail=f"{status}", token_kinds=BOTS)
        return AbilityCheck(ability="answer", state="yes")

    async def _members(self, credential: Credential, channel: str) -> int | None:
        """How many follow the channel: nice to know, and no reason to refuse a page."""
        try:
            return maybe_int((await self._client.member_count(credential, channel)).value)
        except (AccessLost, Rejected):
            return None

    async def _check_hearing(self, credential: Credential, group: str) -> None:
        """A bot hears every comment only with its privacy mode off or as an administrator. Raises AccessLost."""
        me = (await self._client.me(credential)).value
        number = maybe_int(me.get("id")) if is_object(me) else None
        if not is_object(me) or number is None:
            raise AccessLost("reauthorise", "getMe names no bot", credential_key=credential.key)
        member = (await self._client.member(credential, group, number)).value
        status = member.get("status") if is_object(member) else None
        if status in SEES_EVERYTHING or (status == "member" and me.get("can_read_all_group_messages") is True):
            return
        reason = "its privacy mode hides comments" if status == "member" else f"it is {status!r} there"
        raise AccessLost("no_right", f"the bot cannot hear the discussion group: {reason}", credential_key=credential.key)

    def feeds(self, pages: Sequence[PageRef]) -> Sequence[Feed]:
        """One feed per bot that has pages: the bot that described a page, or the only one."""
        shares: dict[str, list[PageRef]] = {credential.key: [] for credential in self._options.credentials}
        for page in pages:
            owner = self._owner(page)
            if owner is not None:
                shares[owner.key].append(page)
        return [Feed(key=key, credential_key=key, pages=tuple(share)) for key, share in shares.items() if share]

    async def fetch_media(self, external_id: str, *, page_external_id: str, page_options: Mapping[str, str], most_bytes: int) -> bytes:
        """The file behind a `file_id`, by the bot that carries the page: another bot's means nothing to Telegram."""
        owner = self._owner(PageRef(external_id=page_external_id, options=page_options))
        if owner is None:
            raise AccessLost("token_kind", "no bot is configured")
        return await self._client.file(owner, external_id, most_bytes=most_bytes)

    def _owner(self, page: PageRef) -> Credential | None:
        return bot_of(self._tokens, page)

    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        """The updates after the cursor; waits up to 20 scaled seconds for the first.

        Asking with a cursor is what confirms all before it to Telegram: a cursor that was not stored loses nothing.
        """
        credential = self._tokens.keyed(feed.credential_key)
        if credential is None:
            raise AccessLost("token_kind", f"no bot is configured under the name {feed.credential_key!r}")
        last = mapping.maybe_number(cursor)
        try:
            answer = await self._client.updates(credential, offset=None if last is None else last + 1, limit=self._limit)
        except TryLater as error:
            if error.code == "webhook":
                raise await self._pushed_instead(credential) from error
            raise
        seen = mapping.watch(feed.pages, bots=self._bots, observed_at=self._options.now())
        try:
            told = mapping.updates(answer.value, seen)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw, credential_key=credential.key) from odd
        return Batch(
            posts=tuple(told.posts.values()),
            comments=tuple(told.comments),
            unreadable=tuple(told.unreadable),
            skipped=dict(told.skipped),
            page_options=await self._heard_as_member(credential, told),
            cursor=cursor if told.last is None else str(told.last),
        )

    async def _pushed_instead(self, credential: Credential) -> PushedInstead:
        """Telegram serves a bot by one way at a time: where to, and whether it arrives there."""
        told = (await self._client.webhook(credential)).value
        address, complaint = push.webhook_of(told)
        after = timedelta(seconds=WEBHOOK_SECONDS / self._options.time_scale)
        return PushedInstead(address, complaint, after=after, credential_key=credential.key)

    async def _heard_as_member(self, credential: Credential, told: mapping.Told) -> Mapping[str, Mapping[str, str]]:
        """What the updates say of pages; where the bot has become an ordinary member Telegram is asked whether it still hears all."""
        for group, page in told.plain_member.items():
            try:
                await self._check_hearing(credential, group)
            except AccessLost as error:
                told.options[page][mapping.NO_ACCESS] = error.detail
        return told.options

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:
        """What an update tells: of the pages of that page's own bot, and of no other's."""

        def watch(some: Sequence[PageRef]) -> mapping.Watch:
            return mapping.watch(some, bots=self._bots, observed_at=observed_at)

        owner = self._owner(page)
        carried = pages.once("telegram", lambda every: {feed.key: watch(feed.pages) for feed in self.feeds(every)})
        seen = carried.get("" if owner is None else owner.key, watch(()))
        return push.batch(body, replace(seen, observed_at=observed_at))

    async def send(self, outgoing: Outgoing) -> Sent:
        """Publish a reply in the discussion group. Nothing keeps Telegram from publishing a repeated call twice.

        What is too long to stand under a picture goes alone; its pictures follow it.
        """
        check_text(outgoing.text, limit=TEXT_LIMIT, measure=utf16_units)
        PICTURES.check(outgoing.pictures)
        together = utf16_units(outgoing.text) <= CAPTION_LIMIT
        page = outgoing.post.page
        credential = self._owner(page)
        group = outgoing.post.external_id if is_dialogs(page) else page.options.get(mapping.GROUP)
        reply_to = mapping.maybe_number(outgoing.reply_to_external_id)
        if credential is None:
            raise AccessLost("token_kind", "no bot is configured")
        if group is None or reply_to is None:
            raise Rejected("bad_request", "the page has no discussion group, or the comment no number")
        pictures = outgoing.pictures if together else ()
        answer = await self._client.send(credential, chat=group, reply_to=reply_to, text=outgoing.text, pictures=pictures)
        try:
            parts = tuple(map(str, mapping.numbers(answer.value))) if pictures else ()
            number, published_at = mapping.sent(answer.value[0] if isinstance(answer.value, list) and answer.value else answer.value)
        except OddError as odd:
            raise OutcomeUnknown("malformed", str(odd), credential_key=credential.key) from odd
        return Sent(
            external_id=str(number),
            published_at=published_at,
            link=_link(outgoing, group, number),
            parts=parts,
            pictures_left=bool(outgoing.pictures) and not together,
        )

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Never known: the Bot API shows no history, and a bot does not hear its own messages."""
        page = outgoing.post.page
        return CannotTell(
            reason=f"Telegram shows no history; look at {page.options.get(mapping.GROUP) or page.options.get(mapping.CHANNEL_NAME)}"
        )


def _link(outgoing: Outgoing, group: str, number: int) -> str:
    page, post = outgoing.post.page, outgoing.post
    if is_dialogs(page):
        return f"{links.SITE}/{page.options.get(mapping.CHANNEL_NAME, '')}"
    if post.external_id:
        channel = links.post_link(page.external_id, page.options.get(mapping.CHANNEL_NAME), post.external_id)
        return links.comment_link(channel, number)
    return links.message_link(group, page.options.get(mapping.GROUP_NAME), number, post.thread_ref or "")
