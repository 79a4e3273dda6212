"""The world itself: truth, memory, order, and what it refuses."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from connectors.sandbox.app import build, create_app
from connectors.sandbox.clock import SystemClock
from connectors.sandbox.journal import Journal, JournalBusyError, JournalDamagedError
from connectors.sandbox.limits import Bucket, Limits, Window
from connectors.sandbox.model import Page
from connectors.sandbox.seed import WorldFileError
from connectors.sandbox.specs import Fields, page_event
from connectors.sandbox.truth import truth
from connectors.sandbox.world import NewComment, World, WorldError
from tests.connectors.sandbox.clients import BOT, Client
from tests.connectors.sandbox.conftest import TOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from connectors.sandbox.server import Running

MOSCOW = timezone(timedelta(hours=3))
HOSTILE = "\0<script>alert(1)</script>\u202egnp.exe\u200b\ud800 е\u0301 \N{GRINNING FACE}\r\n\t'\";--"


class HandClock(SystemClock):
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Begin at a round moment."""
        self.seconds = 1_800_000_000.0

    def time(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


def test_truth_is_what_was_written_in_order(http: Client) -> None:
    made = http.comment("Первый")
    reply = http.comment("Второй", reply_to=made["id"], author=None)
    http.patch(f"/world/comments/vk/town/1/{made['id']}", {"text": "Первый, точнее"})
    http.delete(f"/world/comments/vk/town/1/{reply['id']}")
    first, second = http.get("/truth?platform=vk")["comments"][-2:]
    assert (first["id"], first["post_id"], first["reply_to"]) == (made["id"], "1", None)
    assert (first["author"], first["text"]) == ("Анна Садова", "Первый, точнее")
    assert first["edited_at"].endswith("+00:00")
    assert first["deleted_at"] is None
    assert (second["reply_to"], second["author"], second["text"]) == (made["id"], None, "Второй")
    assert second["deleted_at"] is not None
    assert len(http.get("/truth")["comments"]) == 6
    assert http.get("/truth?platform=vk&page=village") == {"comments": [], "answers": []}


def test_what_the_page_writes_by_hand_is_its_comment(http: Client) -> None:
    spec = {"text": "Отвечаем сами", "as_page": True}
    for platform, page in (("vk", "town"), ("telegram", "town_news")):
        http.post("/world/comments", {"platform": platform, "page": page, **spec})
    written = [item for item in http.get("/truth")["comments"] if item["by_page"]]
    assert [item["author"] for item in written] == ["Город Приозёрный", "Приозёрный: новости"]
    assert http.get("/truth")["answers"] == []


def test_comments_go_to_the_latest_post_and_one_name_is_one_author(http: Client) -> None:
    post = http.post("/world/posts", {"platform": "telegram", "page": "town_news", "text": "Свежее"})["id"]
    spec = {"platform": "telegram", "page": "@Town_News", "author": "Я"}
    ids = {http.post("/world/comments", spec | {"text": text})["post_id"] for text in "аб"}
    assert ids == {post}
    authors = [item["author_id"] for item in http.get("/truth?platform=telegram")["comments"][-2:]]
    assert authors[0] == authors[1]


def test_hostile_text_survives_every_way_out(http: Client, sandbox: Running) -> None:
    body = json.dumps(T | {"text": HOSTILE})
    made = http.http.post("/world/comments", content=body).json()
    assert http.get("/truth")["comments"][-1]["text"] == HOSTILE
    vk = http.get(f"/method/wall.getComments?access_token=user-token&v=5.199&owner_id=-{TOWN}&post_id=1&sort=desc")
    assert vk["response"]["items"][0]["text"] == HOSTILE
    body = json.dumps({"platform": "telegram", "page": "town_news", "author": "Я", "text": HOSTILE})
    http.http.post("/world/comments", content=body)
    assert http.get(f"/bot{BOT}/getUpdates")["result"][-1]["message"]["text"] == HOSTILE
    page = http.http.get("/wall/vk/town").text
    assert "<script>alert" not in page
    assert f'data-comment-id="{made["id"]}"' in page
    assert "\N{SYMBOL FOR NULL}&lt;script&gt;" in page
    assert sandbox.sandbox.world.sequence > 0


T = {"platform": "vk", "page": "town", "author": "Я", "text": "т"}


@pytest.mark.parametrize(
    ("path", "spec", "status", "words"),
    [
        ("comments", {"platform": "elsewhere", "page": "town"}, 400, "platform"),
        ("comments", {"platform": "vk", "page": "nowhere", "author": "Я", "text": "т"}, 404, "nowhere"),
        ("comments", {"platform": "vk", "page": "village", "author": "Я", "text": "т"}, 404, "no posts"),
        ("comments", {"platform": "vk", "page": "town", "text": "т"}, 400, "author"),
        ("comments", {"platform": "vk", "page": "town", "author": "Я"}, 400, "text"),
        ("comments", T | {"text": ""}, 400, "photo"),
        ("comments", T | {"text": 5}, 400, "text"),
        ("comments", T | {"reply_to": "99"}, 404, "99"),
        ("comments", T | {"post_id": "99"}, 404, "99"),
        ("comments", T | {"post_id": -1}, 400, "post_id"),
        ("comments", T | {"text": "д" * 16_385}, 422, "16384"),
        ("comments", {"platform": "telegram", "page": "town_news", "author": "Я", "text": "д" * 4097}, 422, "4096"),
        ("comments", T | {"written_at": "вчера"}, 400, "ISO"),
        ("comments", T | {"written_at": "2024-01-01"}, 400, "UTC"),
        ("comments", T | {"written_at": 9e12}, 400, "future"),
        ("posts", {"platform": "vk", "page": "town"}, 400, "text"),
        ("pages", {"platform": "vk", "page": "town"}, 409, "exists"),
        ("pages", {"platform": "vk", "page": "Главная"}, 400, "screen name"),
        ("pages", {"platform": "vk", "page": "second", "id": TOWN}, 409, "taken"),
        ("tokens", {"platform": "vk", "kind": "community", "token": "т"}, 400, "one page"),
        ("tokens", {"platform": "telegram", "token": "т", "username": "some_bot"}, 400, "123456"),
        ("tokens", {"platform": "vk", "kind": "user", "token": "user-token"}, 409, "exists"),
        ("comments", [], 400, "object"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_words(http: Client, path: str, spec: Any, status: int, words: str) -> None:
    before = http.get("/health")["events"]
    assert words in http.post(f"/world/{path}", spec, status=status)["error"]
    assert http.get("/health")["events"] == before


def test_broken_json_and_unknown_addresses(http: Client) -> None:
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        response = http.http.post("/world/comments", content=content)
        assert (response.status_code, "JSON" in response.json()["error"]) == (400, True)
    http.delete("/world/comments/vk/town/1/99", status=404)
    http.patch("/world/comments/ok/town/1/99", {"text": "т"}, status=404)
    http.patch("/world/comments/vk/town/one/99", {"text": "т"}, status=400)


def test_a_restart_keeps_the_world(start: Callable[..., AbstractContextManager[Running]], tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start(data_dir=data) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as plain:
        http = Client(plain)
        made = http.comment(HOSTILE.replace("\ud800", ""))
        http.comment("Удалю", reply_to=made["id"])
        http.delete(f"/world/comments/vk/town/1/{int(made['id']) + 1}")
        http.get(f"/bot{BOT}/getUpdates?offset=100000002")
        values = f"access_token=town-token&v=5.199&owner_id=-{TOWN}&post_id=1&message=A&guid=g1"
        answer = http.get(f"/method/wall.createComment?{values}")["response"]["comment_id"]
        before = http.get("/truth"), http.get(f"/bot{BOT}/getUpdates"), http.get("/world/pages")
    with start(data_dir=data) as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False) as plain:
        http = Client(plain)
        assert (http.get("/truth"), http.get(f"/bot{BOT}/getUpdates"), http.get("/world/pages")) == before
        assert len(before[1]["result"]) == 1
        assert http.get(f"/method/wall.createComment?{values}")["response"]["comment_id"] == answer
        assert int(http.comment("Дальше")["id"]) == answer + 1


def test_a_torn_last_line_is_cut_off_and_said(world_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    build(data_dir=tmp_path, world_file=world_file)[0].world.close()
    journal = tmp_path / "world.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op":"comment","platf')
    with caplog.at_level(logging.WARNING):
        sandbox, _ = build(data_dir=tmp_path)
    assert "torn" in caplog.text
    assert len(truth(sandbox.world)["comments"]) == 4
    assert journal.read_bytes() == whole
    sandbox.world.close()
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], b"{broken\n", *lines[3:]]))
    with pytest.raises(JournalDamagedError, match="line 4"):
        build(data_dir=tmp_path)


def test_one_directory_serves_one_sandbox(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    with pytest.raises(JournalBusyError):
        Journal(tmp_path)
    first.close()
    Journal(tmp_path).close()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"pages": {}}',
        '{"pages": [{"platform": "vk"}]}',
        '{"pages": [{"platform": "vk", "page": "a"}, {"platform": "vk", "page": "a"}]}',
        '{"pages": [{"platform": "vk", "page": "a", "posts": [{"text": "т", "comments": [{"text": "т"}]}]}]}',
        '{"pages": [{"platform": "vk", "page": "a", "posts": [{"text": "т", "days_ago": 1, "at": "half past nine"}]}]}',
        '{"tokens": [{"platform": "vk", "token": "т"}]}',
    ],
)
def test_a_wrong_world_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "world.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(WorldFileError, match=r"world\.json"):
        build(world_file=path)


def test_what_happened_at_a_time_of_day_is_written_then(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    comment = '{"author": "Вера", "text": "т", "days_ago": 2, "at": "10:40"}'
    post = f'{{"text": "т", "days_ago": 3, "at": "09:30", "comments": [{comment}]}}'
    path.write_text(f'{{"pages": [{{"platform": "vk", "page": "a", "posts": [{post}]}}]}}', encoding="utf-8")
    sandbox, _ = build(world_file=path)
    (page,) = sandbox.world.state.pages.values()
    (written,) = (datetime.fromtimestamp(one.written_at, MOSCOW) for one in page.comments.values())
    today = datetime.fromtimestamp(sandbox.world.now(), MOSCOW).date()
    assert (written.date(), written.time()) == (today - timedelta(days=2), time(10, 40))


def test_the_world_file_s_history_happens_in_order(world_file: Path) -> None:
    sandbox, _ = build(world_file=world_file)
    for page in sandbox.world.state.pages.values():
        written = [comment.written_at for comment in page.comments.values()]
        assert written == sorted(written)
        assert list(page.comments) == sorted(page.comments)


def test_time_scale_shrinks_windows_and_keeps_ratios() -> None:
    plain, fast = Limits(), Limits().scaled(10)
    assert fast.day / fast.second == plain.day / plain.second
    assert fast.telegram_chat_per_second * fast.minute == pytest.approx(60)
    assert fast.telegram_retention == plain.telegram_retention
    with pytest.raises(ValueError, match="positive"):
        create_app(time_scale=0)


@given(st.lists(st.floats(0, 3), max_size=80), st.integers(1, 5))
def test_a_window_never_lets_too_many_through_and_never_refuses_needlessly(gaps: list[float], limit: int) -> None:
    window, now = Window(limit, 1.0), 100.0
    taken: list[float] = []
    for gap in gaps:
        now += gap
        recent = [moment for moment in taken if moment + 1.0 > now]
        wait = window.wait(now)
        assert (wait == 0) == (len(recent) < limit)
        if wait == 0:
            window.add(now)
            taken.append(now)
        else:
            assert deepcopy(window).wait(now + wait + 1e-6) == 0


@given(st.lists(st.floats(0, 2), max_size=60))
def test_a_bucket_lets_a_burst_through_and_then_its_rate(gaps: list[float]) -> None:
    bucket, now, sent = Bucket(3, 2.0, seen_at=0.0), 0.0, 0
    for gap in gaps:
        now += gap
        if (wait := bucket.wait(now)) == 0:
            bucket.add(now)
            sent += 1
        else:
            assert deepcopy(bucket).wait(now + wait + 1e-6) < 1e-5
    assert sent <= 3 + 2 * now + 1


class Model:
    """What a wall must show, kept the slow and simple way."""

    def __init__(self) -> None:
        """Begin with an empty wall."""
        self.comments: list[tuple[int, int | None]] = []
        self.gone: set[int] = set()

    def threads(self) -> list[tuple[int, list[int]]]:
        shown = []
        for item, root in self.comments:
            if root is not None:
                continue
            replies = [reply for reply, above in self.comments if above == item and reply not in self.gone]
            if item not in self.gone or replies:
                shown.append((item, replies))
        return shown


@given(st.lists(st.tuples(st.sampled_from("wwwrrdu"), st.integers(0, 30)), max_size=60))
@settings(max_examples=80, deadline=None)
def test_indexes_agree_with_a_simple_model(acts: list[tuple[str, int]]) -> None:
    world = World(journal=Journal(None), clock=HandClock(), limits=Limits())
    page: Page = world.add_page(page_event(Fields({"platform": "vk", "page": "town"})))
    post, model = world.add_post(page, "Пост"), Model()
    for act, number in acts:
        known = model.comments[number % len(model.comments)] if model.comments else None
        if act == "w" or known is None:
            made = world.add_comment(page, post, NewComment(text="т", author="Я"))
            model.comments.append((made.id, None))
        elif act == "r" and known[0] in model.gone:
            with pytest.raises(WorldError):
                world.add_comment(page, post, NewComment(text="т", author="Я", reply_to=known[0]))
        elif act == "r":
            made = world.add_comment(page, post, NewComment(text="т", author="Я", reply_to=known[0]))
            model.comments.append((made.id, known[1] or known[0]))
        elif act == "d":
            world.delete_comment(page, page.comments[known[0]])
            model.gone.add(known[0])
        else:
            world.restore_comment(page, page.comments[known[0]])
            model.gone.discard(known[0])
    assert [(item, post.thread(item)) for item in post.top] == model.threads()
    assert post.live == len(model.comments) - len(model.gone)


def test_a_bot_of_max_hears_its_own_dialogs_and_is_refused_where_it_was_sent_away(http: Client) -> None:
    for page in ("town_max", "answers_bot"):
        http.post("/world/pages", {"platform": "max", "page": page})
    http.post("/world/tokens", {"platform": "max", "token": "made-up", "username": "answers_bot", "pages": ["town_max"]})
    posts = [http.post("/world/posts", {"platform": "max", "page": page, "text": "П"})["id"] for page in ("town_max", "answers_bot")]
    for page in ("town_max", "answers_bot"):
        http.post("/world/comments", {"platform": "max", "page": page, "author": "Вера", "text": "В"})
    http.post("/world/pages/max/town_max/members", {"bot": "answers_bot", "status": "kicked"}, status=200)
    http.post("/world/comments", {"platform": "max", "page": "town_max", "author": "Вера", "text": "Не слышно"})
    token = {"Authorization": "made-up"}
    told = http.http.get("/updates", params={"marker": 1}, headers=token).json()["updates"]
    assert [one["update_type"] for one in told] == ["message_created", "bot_removed"]
    refused = http.http.get(f"/messages/{posts[0]}/comments", headers=token)
    assert (refused.status_code, refused.json()["code"]) == (403, "chat.denied")
