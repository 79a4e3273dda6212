"""MAX's connector: which call answers which verb."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from connectors.bots import hears_private, is_dialogs
from connectors.contract import (
    AccessLost,
    Batch,
    ConnectorError,
    OutcomeUnknown,
    PageRef,
    Pages,
    PostCount,
    Rejected,
    Sent,
    WholeThread,
)
from connectors.lookup import is_answer, look_through
from connectors.max import links, listening, mapping, push, references
from connectors.max.amends import Amends, comments_of
from connectors.max.capabilities import BOTS, PROBE_LIMIT, RIGHTS, TEXT_LIMIT
from connectors.max.client import MaxClient
from connectors.max.uploads import Uploads
from connectors.meanings import mapped
from connectors.pages import ABILITIES, Ability, AbilityCheck, refused
from connectors.payload import OddError, check_text, is_object
from connectors.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.contract import (
        Credential,
        Heard,
        Options,
        Outgoing,
        PageSnapshot,
        PostRef,
        PostSnapshot,
        Reference,
        SentLookup,
    )
    from connectors.references import Fetched

ROWS: Final = 100
"""MAX's maximum."""
LIST_CALLS: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How far a thread has been read, from the newest comment back. `before` is in MAX's milliseconds."""

    since: str
    before: int | None = None
    sound: bool = True


ABILITY_RIGHTS: Final[tuple[tuple[Ability, str], ...]] = (("read", RIGHTS[0]), ("answer", RIGHTS[1]))


def _held(ability: Ability, yes: bool, right: str) -> AbilityCheck:  # noqa: FBT001 - what was found
    if yes:
        return AbilityCheck(ability=ability, state="yes")
    return AbilityCheck(ability=ability, state="no", code="no_right", detail=right, token_kinds=BOTS)


class MaxConnector(Amends):
    """The verbs of the contract over MAX's Bot API."""

    probe_limit = PROBE_LIMIT

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._client = MaxClient(options, base_url)
        self._tokens = Tokens(options.credentials)
        self._uploads = Uploads(self._client, options, base_url)
        self._rows = min(ROWS, max(1, int(options.limits.get("batch", ROWS))))

    async def close(self) -> None:
        """Release the sockets."""
        await self._uploads.close()
        await self._client.close()

    def _bot(self, page: PageRef) -> Credential:
        """The page's own bot, or the only one. Raises AccessLost `token_kind`."""
        for bot in self._tokens.serving(page.external_id):
            return bot
        raise AccessLost("token_kind", "no bot is configured for this page")

    def calls_per_second(self, verb: str) -> float:
        """How often this verb may be used by all bots together; a probe takes a call for each post at least."""
        return self._client.per_second * len(self._options.credentials) / (PROBE_LIMIT if verb == "probe" else 1)

    # --- what is there

    async def describe_page(self, link: str) -> PageSnapshot:
        """The channel behind a link, a name or a number; or the bot itself, whose private messages are then read.

        Raises Rejected `not_a_page`, `gone`; AccessLost `no_right` when the bot lacks a right there.
        """
        name = links.chat_of(link)
        if name is None:
            raise Rejected("not_a_page", f"not the address of a channel on MAX: {link[:200]}")
        if not self._options.credentials:
            raise AccessLost("token_kind", "no bot is configured")
        failure: AccessLost | Rejected | None = None
        for bot in self._options.credentials:
            try:
                return await self._describe(bot, name)
            except (AccessLost, Rejected) as error:
                failure = failure or error
        assert failure is not None  # noqa: S101 - there is a bot, so the loop has set it
        raise failure

    async def _describe(self, bot: Credential, name: str) -> PageSnapshot:
        me = await self._client.get(bot, "/me")
        own_name, own_page = mapped(me, mapping.bot_page)
        if name.lower() == own_name.lower() or name == own_page.external_id:
            return own_page
        answer = await self._client.get(bot, f"/chats/{quote(name, safe='')}")
        kind, page = mapped(answer, mapping.channel_page, bot=mapped(me, mapping.bot_number))
        if kind != "channel":
            raise Rejected("not_a_page", f"{name} is a {kind}, not a channel")
        member = await self._client.get(bot, f"/chats/{page.external_id}/members/me")
        missing = [right for right in RIGHTS if right not in mapped(member, mapping.rights)]
        if missing:
            detail = f"the bot must be an administrator of the channel with the rights {', '.join(RIGHTS)}; missing: {', '.join(missing)}"
            raise AccessLost("no_right", detail, credential_key=bot.key)
        return page

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:
        """What the bot may do in a channel; in its own dialogs it may do all."""
        page = PageRef(external_id=external_id, options=page_options)
        opened = AbilityCheck(ability="open", state="unclear", code="not_told")
        try:
            bot = self._bot(page)
            if is_dialogs(page):
                await self._client.get(bot, "/me")
                return [AbilityCheck(ability=ability, state="yes") for ability in ABILITIES]
            held = mapped(await self._client.get(bot, f"/chats/{quote(external_id, safe='')}/members/me"), mapping.rights)
        except ConnectorError as error:
            return [*(refused(ability, error, BOTS) for ability in ABILITIES if ability != "open"), opened]
        read, write = (_held(ability, right in held, right) for ability, right in ABILITY_RIGHTS)
        return [AbilityCheck(ability="see", state="yes"), read, write, opened]

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest `limit` posts of a channel. Dialogs cannot be listed: they come by push, and are read again from then on."""
        if is_dialogs(page):
            return Batch()
        bot = self._bot(page)
        found: dict[str, PostSnapshot] = {}
        batch = Batch()
        before: int | None = None
        for _ in range(LIST_CALLS):
            query: dict[str, str | int] = {"chat_id": page.external_id, "count": min(ROWS, limit)}
            query |= {} if before is None else {"from": before}
            answer = await self._client.get(bot, "/messages", **query)
            part = mapped(answer, mapping.posts, page=page, observed_at=self._options.now())
            fresh = {post.external_id: post for post in part.posts if post.external_id not in found}
            found |= fresh
            batch = replace(batch, unreadable=(*batch.unreadable, *part.unreadable))
            if part.told < min(ROWS, limit) or not fresh or len(found) >= limit:
                break
            before = part.oldest
        return replace(batch, posts=tuple(found.values())[:limit])

    async def fetch_reference(self, reference: Reference, page: PageRef | None) -> Fetched:
        """One post or comment of a channel of the bot's, by the link of a person."""
        bot = self._bot(page or PageRef(external_id=""))
        return await references.fetch(self._client, bot, reference, page, observed_at=self._options.now())

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """How many comments there are: MAX has no counter, so they are counted, a hundred a call."""
        if len(posts) > self.probe_limit:
            raise Rejected("bad_request", f"{len(posts)} posts in one call")
        counts: list[PostCount] = []
        lost: dict[str, AccessLost] = {}
        for post in posts:
            if post.page.external_id in lost or (is_dialogs(post.page) and not hears_private(post.page)):
                continue
            try:
                counts.append(await self._count(post))
            except AccessLost as error:  # the bot may not look there any more; the other channels are counted all the same
                lost[post.page.external_id] = error
        if lost and not counts:
            raise next(iter(lost.values()))
        return counts

    async def _count(self, post: PostRef) -> PostCount:
        seen: set[str] = set()
        gone, reading = False, Reading(since=self._options.now().isoformat())
        try:
            for _ in range(LIST_CALLS):
                part = await self._part(post, reading, rows=ROWS)
                fresh = {comment.external_id for comment in part.comments} - seen
                seen |= fresh
                if part.told < ROWS or not fresh:
                    break
                reading = replace(reading, before=part.oldest)
        except Rejected as error:
            if error.code != "gone":
                raise
            gone = True
        return PostCount(
            page_external_id=post.page.external_id,
            external_id=post.external_id,
            comment_count=len(seen),
            observed_at=self._options.now(),
            gone=gone,
        )

    async def _part(self, post: PostRef, reading: Reading, *, rows: int) -> mapping.CommentsPage:
        """A call's worth of comments, from a moment back."""
        bot, under = self._bot(post.page), self._under(post)
        # One millisecond later than the oldest one seen: whether MAX means that moment or all before it, none is missed.
        until = None if reading.before is None else reading.before + 1
        query: dict[str, str | int] = {"count": rows}
        if under.dialog:
            query |= {"chat_id": post.external_id} | ({} if until is None else {"from": until})
        elif until is not None:
            query["before"] = until
        answer = await self._client.get(bot, "/messages" if under.dialog else comments_of(post.external_id), **query)
        return mapped(answer, mapping.comments, under)

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:  # noqa: ARG002 - MAX has no threads
        """A part of the comments, the newest first; always of the whole post: MAX knows only who replied to whom."""
        reading = _resumed(cursor, self._options.now())
        # The last row seen comes again: one more is asked for.
        asked = self._rows if reading.before is None else min(ROWS, self._rows + 1)
        page = await self._part(post, reading, rows=asked)
        stuck = page.told >= asked and (page.oldest is None or page.oldest == reading.before)
        last = page.told < asked or stuck
        sound = reading.sound and not page.unreadable and not stuck
        whole = WholeThread(
            page_external_id=post.page.external_id,
            post_external_id=post.external_id,
            observed_at=datetime.fromisoformat(reading.since),
        )
        return Batch(
            comments=tuple(reversed(page.comments)),
            unreadable=page.unreadable,
            complete_for=(whole,) if last and sound else (),
            cursor=None if last else json.dumps(asdict(replace(reading, before=page.oldest, sound=sound))),
        )

    def _under(self, post: PostRef) -> mapping.Under:
        link = post.thread_ref or mapping.home(post.page)
        return mapping.Under(page=post.page, post=post.external_id, link=link, observed_at=self._options.now())

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:
        """What an update tells: of the pages of that page's own bot, and of no other's."""
        carried = pages.once("max", self._carried)
        return push.batch(body, carried.get(self._bot(page).key, push.Carried.of(())), observed_at=observed_at)

    def _carried(self, pages: Sequence[PageRef]) -> dict[str, push.Carried]:
        """The pages of each bot, by its key. One without a bot has lost its token: no other waits for that."""
        shares: defaultdict[str, list[PageRef]] = defaultdict(list)
        for page in pages:
            for bot in self._tokens.serving(page.external_id)[:1]:
                shares[bot.key].append(page)
        return {key: push.Carried.of(share) for key, share in shares.items()}

    async def listen(self, page_external_id: str, cursor: str | None) -> Heard:
        """The updates of the page's bot: they tell of all its pages."""
        bot = self._bot(PageRef(external_id=page_external_id))
        wanted = self._options.limits.get("listen_seconds", listening.LISTEN_SECONDS) / self._options.time_scale
        # The answer to a waiting call must come within the time-out of every call.
        return await listening.listen(self._client, bot, cursor, seconds=min(wanted, 0.75 * self._options.timeout))

    # --- answering

    async def send(self, outgoing: Outgoing) -> Sent:
        """Reply under the comment, or in the dialog: there with pictures, which are brought first."""
        check_text(outgoing.text, limit=TEXT_LIMIT)
        post = outgoing.post
        body: dict[str, object] = {"text": outgoing.text, "link": {"type": "reply", "mid": outgoing.reply_to_external_id}}
        if is_dialogs(post.page):
            bot = self._bot(post.page)
            body["attachments"] = await self._uploads.put(bot, outgoing.pictures) or None
            answer = await self._uploads.when_ready(lambda: self._client.post(bot, "/messages", body, chat_id=post.external_id))
        elif outgoing.pictures:
            raise Rejected("unsupported", "comments on MAX carry no pictures")
        else:
            answer = await self._client.post(self._bot(post.page), comments_of(post.external_id), body)
        try:
            number, published_at = mapping.sent(answer.value)
        except OddError as odd:
            raise OutcomeUnknown("malformed", str(odd)) from odd
        return self._sent(outgoing, number, published_at)

    def _sent(self, outgoing: Outgoing, number: str, published_at: datetime) -> Sent:
        link = links.comment_link(self._under(outgoing.post).link, number)
        return Sent(external_id=number, published_at=published_at, link=link)

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Read the thread and look for the page's own reply with this text; Absent only when all of it was read."""
        return await look_through(
            lambda cursor: self.read_thread(outgoing.post, root_external_id=None, cursor=cursor),
            lambda one: is_answer(one, outgoing),
            lambda one: self._sent(outgoing, one.external_id, one.written_at),
        )


def _resumed(cursor: str | None, now: datetime) -> Reading:
    """The reading that a cursor stands for; one that is not ours starts anew."""
    try:
        told = json.loads(cursor) if cursor else None
        if is_object(told):
            reading = Reading(**told)  # type: ignore[arg-type]  # our own values; a wrong name is a TypeError, caught
            if datetime.fromisoformat(reading.since).utcoffset() is not None:
                return reading
    except (TypeError, ValueError):
        pass
    return Reading(since=now.isoformat())
