"""MAX's rules that the suite does not know: voices, rights, private dialogs, pushes, the 26 hours, the description."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from connectors.conformance.stage import caught
from connectors.contract import (
    AccessLost,
    Credential,
    Found,
    Options,
    Outgoing,
    PageRef,
    Pages,
    Picture,
    PostRef,
    PushRequest,
    Rejected,
    TryLater,
    UnknownPayload,
    utc_now,
)
from connectors.max import links, mapping, push, uploads
from connectors.max.connector import MaxConnector
from connectors.sandbox.pictures import picture
from connectors.sandbox.server import running
from tests.connectors.max.schemas import listed, validator
from tests.connectors.raw_server import http, raw_server
from tests.connectors.sandbox.test_pushes import _heard
from tests.connectors.strategies import fixtures

if TYPE_CHECKING:
    from tests.connectors.staging import Server, World

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
RECORDED: dict[str, Any] = fixtures("max")
CHANNEL = PageRef(external_id="-6242", options={"bot": "41", "link": "https://max.ru/sadovoye"})
DIALOGS = PageRef(external_id="bot41", options={"bot": "41", "link": "https://max.ru/sadovoye_bot", "dialogs": "yes", "private": "on"})
TOKEN = "made-up-token-of-max"
SCALE = 50.0


def under(page: PageRef, post: str) -> mapping.Under:
    return mapping.Under(page=page, post=post, link="https://max.ru/sadovoye/AZ1", observed_at=NOW)


def connector(url: str, token: str = TOKEN) -> MaxConnector:
    options = Options(api_url=url, credentials=(Credential(key="bot", kind="bot", secret=token),), time_scale=SCALE, timeout=2.0)
    return MaxConnector(options, url)


async def town(world: World, **token: object) -> None:
    """A channel, the bot's own page for private dialogs, and the bot."""
    await world.post("/world/pages", platform="max", page="sadovoye", id=6242, title="Село Садовое")
    await world.post("/world/pages", platform="max", page="sadovoye_bot", id=6243, title="Ответы")
    await world.post("/world/tokens", platform="max", token=TOKEN, username="sadovoye_bot", name="Ответы", **token)


async def written(world: World, page: str, post: str, words: str) -> str:
    """A citizen's comment; its number."""
    return str((await world.post("/world/comments", platform="max", page=page, post_id=post, author="Вера", text=words))["id"])


def answer_to(post: PostRef, comment: str, words: str, at: datetime = NOW) -> Outgoing:
    """An answer of ours."""
    return Outgoing(guid="g", post=post, reply_to_external_id=comment, root_external_id=comment, text=words, first_tried_at=at)


def test_comments_know_who_speaks_and_to_whom() -> None:
    page = mapping.comments(RECORDED["getComments"], under(CHANNEL, "mid.p1"))
    channel, ours, asked = page.comments
    assert (asked.root_external_id, asked.by_page, asked.author and asked.author.name) == ("mid.c1", False, "Олег Нилов")
    assert (channel.by_page, channel.reply_to_external_id, channel.root_external_id, channel.author) == (True, "mid.c1", None, None)
    assert (ours.by_page, ours.reply_to_external_id) == (True, None)
    assert asked.link == "https://max.ru/sadovoye/AZ1#mid.c1"
    assert [row.reason for row in page.unreadable] == ["body.mid is empty"]
    assert (page.told, page.oldest) == (4, 1763362900000)


def test_posts_are_the_channel_s_messages() -> None:
    (post,) = mapping.posts(RECORDED["getMessages"], page=CHANNEL, observed_at=NOW).posts
    assert (post.external_id, post.link, post.thread_ref) == ("mid.p1", "https://max.ru/sadovoye/AZ1", "https://max.ru/sadovoye/AZ1")
    assert [(one.kind, one.external_id, one.url) for one in post.attachments] == [("photo", "31", "https://i.oneme.ru/i?r=31")]


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://max.ru/sadovoye", "sadovoye"),
        ("max.ru/sadovoye/AZ1?x=1", "sadovoye"),
        ("@sadovoye", "sadovoye"),
        ("-6242", "-6242"),
        ("https://elsewhere.example/sadovoye", None),
        ("", None),
    ],
)
def test_links_name_channels(link: str, name: str | None) -> None:
    assert links.chat_of(link) == name


def test_updates_tell_what_a_reading_would() -> None:
    def told(name: str, pages: list[PageRef]) -> Any:
        return push.batch(json.dumps(RECORDED[name]).encode(), push.Carried.of(pages), observed_at=NOW)

    (comment,) = told("comment_created", [CHANNEL]).comments
    (read,) = [one for one in mapping.comments(RECORDED["getComments"], under(CHANNEL, "mid.p1")).comments if one.external_id == "mid.c1"]
    assert (comment.external_id, comment.post_external_id, comment.text, comment.written_at) == (
        read.external_id, read.post_external_id, read.text, read.written_at,
    )  # fmt: skip
    (gone,) = told("comment_removed", [CHANNEL]).deletions
    assert (gone.external_id, gone.post_external_id) == ("mid.c1", "mid.p1")
    assert told("comment_created", []).skipped == {"another page": 1}
    assert told("message_created__dialog", [CHANNEL]).skipped == {"private messages are switched off": 1}
    written = told("message_created__dialog", [CHANNEL, DIALOGS])
    (private,) = written.comments
    (dialog,) = written.posts
    assert (private.page_external_id, private.post_external_id, private.root_external_id) == ("bot41", "90017", "90017")
    assert (dialog.external_id, dialog.text, private.author and private.author.name) == ("90017", "", "Вера")


def test_an_envelope_is_known_again_by_its_bytes() -> None:
    body = json.dumps(RECORDED["comment_created"]).encode()
    first, again = (push.MaxPush().read(PushRequest(body=body, headers={"x-max-bot-api-secret": "s"})) for _ in range(2))
    other = push.MaxPush().read(PushRequest(body=json.dumps(RECORDED["comment_removed"]).encode()))
    assert (first.secret, first.event_id == again.event_id, first.event_id == other.event_id) == ("s", True, False)
    assert first.happened_at == datetime(2025, 11, 17, 7, 3, 20, 500_000, tzinfo=UTC)
    with pytest.raises(UnknownPayload):
        push.MaxPush().read(PushRequest(body=b'{"timestamp": 1}'))


async def test_a_bot_without_a_right_is_told_which(server: Server) -> None:
    async with server.world(SCALE) as world:
        await town(world, rights=["read_all_messages"])
        one = connector(world.url)
        refused = await caught(one.describe_page("https://max.ru/sadovoye"))
        assert (type(refused), refused.code) == (AccessLost, "no_right")
        assert "missing: write" in refused.detail
        await one.close()
        stranger = connector(world.url, token="another-made-up-token")
        assert (await caught(stranger.describe_page("sadovoye"))).code == "reauthorise"
        await stranger.close()


async def test_private_messages_are_a_page_of_the_bot_s_own(server: Server) -> None:
    """Once they are switched on: a dialog that is known is read, answered and looked up like any thread."""
    async with server.world(SCALE) as world:
        await town(world)
        chat = (await world.post("/world/posts", platform="max", page="sadovoye_bot", text="Диалог"))["id"]
        mine = (
            await world.post("/world/comments", platform="max", page="sadovoye_bot", post_id=chat, author="Вера", text="Когда дадут воду?")
        )["id"]
        one = connector(world.url)
        described = await one.describe_page("https://max.ru/sadovoye_bot")
        off = PageRef(external_id=described.external_id, options=described.options)
        page = PageRef(external_id=described.external_id, options={**described.options, "private": "on"})
        assert (await one.discover(page, limit=10)).posts == ()
        ref = PostRef(page=page, external_id=chat)
        (asked,) = (await one.read_thread(ref, root_external_id=None, cursor=None)).comments
        assert (asked.external_id, asked.root_external_id, asked.by_page) == (mine, chat, False)
        out = answer_to(ref, mine, "К 18:00.", utc_now() - timedelta(minutes=1))
        sent = await one.send(out)
        assert isinstance(await one.find_sent(out), Found)
        told = await one.read_thread(ref, root_external_id=None, cursor=None)
        assert [(comment.external_id, comment.by_page) for comment in told.comments] == [(mine, False), (sent.external_id, True)]
        (count,) = await one.probe([ref])
        assert (count.comment_count, count.gone) == (2, False)
        assert await one.probe([PostRef(page=off, external_id=chat)]) == []  # so nobody reads it
        assert one.calls_per_second("probe") * one.probe_limit == one.calls_per_second("read_thread") == 30
        await one.close()


PICTURE = Picture(name="1.png", media_type="image/png", content=picture("road"))


async def test_pictures_go_with_a_private_message_and_never_with_a_comment(server: Server) -> None:
    """Until the message itself nothing is published: whatever goes wrong before is tried again. All as the description says."""
    async with server.world(SCALE) as world:
        await town(world)
        chat = (await world.post("/world/posts", platform="max", page="sadovoye_bot", text="Диалог"))["id"]
        post = (await world.post("/world/posts", platform="max", page="sadovoye", text="Дороги"))["id"]
        asked = [await written(world, *place, "Когда?") for place in (("sadovoye_bot", chat), ("sadovoye", post))]
        one = connector(world.url)
        bot = await one.describe_page("https://max.ru/sadovoye_bot")
        page = PageRef(external_id=bot.external_id, options=bot.options)
        out = replace(answer_to(PostRef(page=page, external_id=chat), asked[0], "Вот она."), pictures=(PICTURE, PICTURE))
        public = replace(answer_to(PostRef(page=CHANNEL, external_id=post), asked[1], "Вот она."), pictures=(PICTURE,))
        assert (await caught(one.send(public))).code == "unsupported"
        for method, kind, code in (
            ("getUploadUrl", "flood", "rate"), ("getUploadUrl", "malformed", "malformed"), ("upload", "disconnect", "network"),
            ("upload", "malformed", "malformed"),
        ):  # fmt: skip
            await world.post("/faults", platform="max", method=method, kind=kind)
            failed = await caught(one.send(out))
            assert (type(failed), failed.code) == (TryLater, code), (method, kind)
        not_ready = {"method": "sendMessage", "kind": "error", "code": 400, "text": "attachment.not.ready"}
        await world.post("/faults", platform="max", count=len(uploads.READY_SECONDS) + 1, **not_ready)
        assert type(await caught(one.send(out))) is TryLater
        assert (await world.get("/truth"))["answers"] == []
        await one.send(out)
        (answer,) = (await world.get("/truth"))["answers"]
        assert (answer["text"], len(answer["pictures"])) == ("Вот она.", 2)
        (_, shown) = (await one.read_thread(out.post, root_external_id=None, cursor=None)).comments
        assert [attached.kind for attached in shown.attachments] == ["photo", "photo"]
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, headers={"Authorization": TOKEN}) as client:
            place = (await client.post("/uploads?type=image")).json()
            validator("UploadEndpoint").validate(place)
            brought = (await client.post(place["url"], files={"data": ("1.png", PICTURE.content)})).json()
            validator("PhotoTokens").validate(brought)
            body = {"text": "Ещё", "link": None, "attachments": [{"type": "image", "payload": brought}]}
            validator("NewMessageBody").validate(body)
            assert (await client.post(f"/messages?chat_id={chat}", json=body)).status_code == 200
            assert (await client.post(f"/messages/{post}/comments", json=body)).status_code == 400
            assert (await client.post(place["url"], files={"data": ("1.png", b"no picture")})).status_code == 400
        await one.close()


async def test_what_max_works_on_still_is_not_brought_anew() -> None:
    """It would not be ready either. And a picture is named in one way: MAX takes its token, or what stands under its sizes, not both."""
    async with raw_server() as raw:
        raw.plan(
            http(f'{{"url": "{raw.url}/upload/max"}}'.encode()),
            http(b'{"photos": {"7": {"token": "seven"}}, "token": "eight"}'),
            http(b'{"code": "attachment.not.ready", "message": "still working on it"}', status="400 Bad Request"),
            http(b'{"message": {"timestamp": 1763362800000, "body": {"mid": "mid.1"}}}'),
        )
        one = connector(raw.url)
        sent = await one.send(replace(answer_to(PostRef(page=DIALOGS, external_id="7"), "1", "Вот."), pictures=(PICTURE,)))
        assert sent.external_id == "mid.1"
        refused, taken = (json.loads(request.partition(b"\r\n\r\n")[2]) for request in raw.requests[2:])
        assert refused == taken
        validator("PhotoAttachmentRequestPayload").validate(taken["attachments"][0]["payload"])
        assert taken["attachments"] == [{"type": "image", "payload": {"photos": {"7": {"token": "seven"}}}}]
        await one.close()


async def test_a_picture_is_brought_to_no_strange_server() -> None:
    async with raw_server() as raw:
        raw.plan(http(b'{"url": "https://oneme.ru.example/upload"}'))
        one = connector(raw.url)
        refused = await caught(one.send(replace(answer_to(PostRef(page=DIALOGS, external_id="7"), "1", "Вот."), pictures=(PICTURE,))))
        assert (type(refused), refused.code) == (TryLater, "malformed")
        assert len(raw.requests) == 1
        await one.close()


async def test_what_is_pushed_comes_with_its_secret_and_own_acts_raise_none() -> None:
    with running(time_scale=SCALE) as sandbox:
        async with (
            raw_server() as raw,
            httpx.AsyncClient(base_url=sandbox.url, trust_env=False, headers={"Authorization": TOKEN}) as client,
        ):

            async def ask(path: str, body: dict[str, object], method: str = "POST") -> dict[str, Any]:
                answer = await client.request(method, path, json=body)
                answer.raise_for_status()
                found: dict[str, Any] = answer.json()
                return found

            await ask("/world/pages", {"platform": "max", "page": "sadovoye", "id": 6242})
            await ask("/world/tokens", {"platform": "max", "token": TOKEN, "username": "sadovoye_bot"})
            raw.plan(http(b""))
            await ask("/subscriptions", {"url": f"{raw.url}/hooks/max/-6242", "secret": "made-up-secret"})
            post = (await ask("/world/posts", {"platform": "max", "page": "sadovoye", "text": "Дороги"}))["id"]
            asked = (
                await ask("/world/comments", {"platform": "max", "page": "sadovoye", "post_id": post, "author": "Олег", "text": "Когда?"})
            )["id"]
            await ask(f"/messages/{post}/comments", {"text": "Завтра.", "link": {"type": "reply", "mid": asked}})
            await ask(f"/world/comments/max/sadovoye/{post}/{asked}", {"text": "Когда же?"}, "PATCH")
            assert (await client.delete(f"/world/comments/max/sadovoye/{post}/{asked}")).status_code == 200
            heard = await _heard(raw, 4)
    assert {head["x-max-bot-api-secret"] for head, _ in heard} == {"made-up-secret"}
    assert [json.loads(body)["update_type"] for _, body in heard] == [
        "message_created",
        "comment_created",
        "comment_edited",
        "comment_removed",
    ]
    names = ("MessageCreatedUpdate", "CommentCreatedUpdate", "CommentEditedUpdate", "CommentRemovedUpdate")
    for name, (_, body) in zip(names, heard, strict=True):
        validator(name).validate(json.loads(body))
    parsed = [push.batch(body, push.Carried.of([CHANNEL]), observed_at=NOW) for _, body in heard]
    assert [(len(one.posts), len(one.comments), len(one.deletions)) for one in parsed] == [(1, 0, 0), (1, 1, 0), (1, 1, 0), (0, 0, 1)]


async def test_answers_are_as_the_description_says_and_old_ones_stay_as_they_are(server: Server) -> None:
    """Each object against the published schemas; an edit after 26 hours is refused with its code."""
    async with server.world(SCALE) as world:
        await town(world)
        post = (await world.post("/world/posts", platform="max", page="sadovoye", text="Дороги", photo="road"))["id"]
        asked = await written(world, "sadovoye", post, "Когда?")
        async with httpx.AsyncClient(base_url=world.url, trust_env=False, headers={"Authorization": TOKEN}) as client:
            sent = (
                await client.post(f"/messages/{post}/comments", json={"text": "Завтра.", "link": {"type": "reply", "mid": asked}})
            ).json()
            validator("CommentMessage").validate(sent["message"])
            mine = sent["message"]["body"]["mid"]
            for path, check in (
                ("/me", validator("BotInfo")),
                ("/chats/-6242", validator("Chat")),
                ("/chats/-6242/members/me", validator("ChatMember")),
                ("/messages?chat_id=-6242", listed("Message")),
                (f"/messages/{post}", validator("Message")),
                (f"/messages/{post}/comments", listed("CommentMessage")),
                (f"/messages/{post}/comments/{asked}", validator("CommentMessage")),
            ):
                answer = await client.get(path)
                assert answer.status_code == 200, path
                check.validate(answer.json())
            assert (await client.put(f"/messages/{post}/comments?comment_id={mine}", json={"text": "Сегодня."})).json() == {"success": True}
            refused = await client.get("/messages/1/comments", headers={"Authorization": "nobody"})
            assert refused.status_code == 401
            validator("Error").validate(refused.json())
            world_of = server.app
            assert world_of is not None
            state = world_of.state.sandbox.world.state
            page = state.pages["max", "sadovoye"]
            page.comments[int(mine)].written_at -= 27 * 3600
            late = await client.put(f"/messages/{post}/comments?comment_id={mine}", json={"text": "Вчера."})
            assert (late.status_code, late.json()["code"]) == (422, "comments.timeout_exceeded")


def test_the_validator_finds_what_is_wrong() -> None:
    good = RECORDED["getComments"]["messages"][0]
    assert validator("CommentMessage").is_valid(good)
    for wrong in ({"timestamp": "now"}, {"body": {"seq": 1}}, {"recipient": {"chat_type": "dialog"}}):
        assert not validator("CommentMessage").is_valid(good | wrong)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (http(b"[1]"), "OutcomeUnknown", "malformed"),
        (http(b"<html>", status="502 Bad Gateway"), "OutcomeUnknown", "server"),
        (http(b'{"code": "comments.timeout_exceeded", "message": ""}', status="422 Unprocessable"), "Rejected", "too_late"),
        (http(b'{"code": "unheard.of", "message": ""}', status="418 Teapot"), "Rejected", "unknown_error"),
    ],
)
async def test_refusals_keep_their_meaning(answer: bytes, error: str, code: str) -> None:
    out = answer_to(PostRef(page=CHANNEL, external_id="mid.p1"), "mid.c1", "Да")
    async with raw_server() as raw:
        raw.plan(answer)
        one = connector(raw.url)
        raised = await caught(one.send(out))
        assert (type(raised).__name__, raised.code) == (error, code)
        assert b"POST /messages/mid.p1/comments" in raw.requests[0]
        assert TOKEN not in str(raised)
        assert isinstance(await caught(one.describe_page("https://elsewhere.example/x")), Rejected)
        await one.close()


async def test_what_is_waited_for_is_what_would_be_pushed(server: Server) -> None:
    """Comments of a channel and private messages, each once, in order; another process goes on from the marker."""
    async with server.world(SCALE) as world:
        await town(world)
        one = connector(world.url)
        start = await one.listen("-6242", None)
        post = (await world.post("/world/posts", platform="max", page="sadovoye", text="Дороги"))["id"]
        await written(world, "sadovoye", post, "А яма?")
        chat = (await world.post("/world/posts", platform="max", page="sadovoye_bot", text="Диалог"))["id"]
        await written(world, "sadovoye_bot", chat, "Лично")
        heard = await one.listen("-6242", start.cursor)
        other = connector(world.url)
        again = await other.listen("-6242", start.cursor)
        await other.close()
        rest = await one.listen("-6242", heard.cursor)
        pages = [await one.describe_page(link) for link in ("https://max.ru/sadovoye", "https://max.ru/sadovoye_bot")]
        refs = [PageRef(external_id=page.external_id, options={**page.options, "private": "on"}) for page in pages]
        told = [one.parse_push(refs[0], Pages(refs), event.body, observed_at=utc_now()) for event in heard.events]
        await one.close()
    assert [event.event_id for event in again.events] == [event.event_id for event in heard.events]
    assert len({event.event_id for event in heard.events}) == len(heard.events) == 3
    assert all(event.happened_at is not None for event in heard.events)
    posts = [(post.text, post.named_only) for batch in told for post in batch.posts]
    assert posts == [("Дороги", False), ("", True), ("", False)]  # a comment names its post; a dialog has no words
    assert [one.text for batch in told for one in batch.comments] == ["А яма?", "Лично"]
    assert (rest.events, rest.cursor) == ((), heard.cursor)


async def test_a_channel_that_is_lost_to_us_hides_no_other_s_counters() -> None:
    """It is asked about once a call, and only when nothing could be counted is that said."""
    lost, other = (PageRef(external_id=number) for number in ("-1", "-2"))
    refs = [PostRef(page=page, external_id=post) for page, post in ((lost, "a"), (lost, "b"), (other, "c"))]
    denied = http(b'{"code": "chat.denied", "message": "no"}', status="403 Forbidden")
    async with raw_server() as raw:
        raw.plan(denied, http(b'{"messages": []}'), denied)
        one = connector(raw.url)
        assert [count.external_id for count in await one.probe(refs)] == ["c"]
        assert (await caught(one.probe(refs[:2]))).code == "no_right"
        await one.close()
