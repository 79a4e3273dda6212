"""VK's answers as snapshots: recorded shapes, and anything else that JSON can hold."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from connectors.contract import CommentSnapshot, Deletion, PageRef, PostRef, Unreadable
from connectors.payload import OddError
from connectors.vk import mapping
from connectors.vk.attachments import attachments
from connectors.vk.links import Named, named
from tests.connectors.strategies import JSON, TEXT, damaged, examples, fixtures

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED: dict[str, Any] = fixtures("vk")
NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
UNDER = mapping.Under(page_external_id="-500", post_external_id="3", observed_at=NOW)


def comments(answer: object) -> dict[str, CommentSnapshot]:
    page = mapping.comments_page(answer, UNDER)
    parsed = [part for row in page.rows for part in row.parsed]
    return {part.external_id: part for part in parsed if isinstance(part, CommentSnapshot)}


def test_comments_of_a_post() -> None:
    read = comments(RECORDED["wall.getComments"])
    assert list(read) == ["11", "12", "14", "13", "15", "16", "17"]
    question = read["11"]
    assert question.text == "Здравствуйте! Когда починят свет на Полевой?"
    assert question.author is not None
    assert (question.author.external_id, question.author.name) == ("71", "Вера Синицына")
    assert question.root_external_id == "11"
    assert question.reply_to_external_id is None
    assert question.written_at == datetime.fromtimestamp(1793000000, UTC)
    assert question.link == "https://vk.com/wall-500_3?reply=11"


def test_the_page_s_own_answer_keeps_the_mention() -> None:
    answer = comments(RECORDED["wall.getComments"])["12"]
    assert answer.by_page
    assert answer.text == "[id71|Вера], бригада выехала."
    assert (answer.root_external_id, answer.reply_to_external_id) == ("11", "11")
    assert answer.link == "https://vk.com/wall-500_3?reply=12&thread=11"


def test_a_reply_to_a_reply_keeps_its_root() -> None:
    reply = comments(RECORDED["wall.getComments"])["14"]
    assert (reply.root_external_id, reply.reply_to_external_id) == ("11", "12")


def test_a_deleted_stub_keeps_its_replies() -> None:
    page = mapping.comments_page(RECORDED["wall.getComments"], UNDER)
    stub = page.rows[1].parsed[0]
    assert isinstance(stub, CommentSnapshot)
    assert stub.deleted
    assert stub.author is None
    assert stub.text == ""
    assert comments(RECORDED["wall.getComments"])["15"].root_external_id == "13"


def test_a_stub_without_a_date_is_a_deletion() -> None:
    page = mapping.comments_page(RECORDED["wall.getComments__stub_without_date"], UNDER)
    (gone,) = page.rows[0].parsed
    assert gone == Deletion(page_external_id="-500", post_external_id="3", external_id="21", observed_at=NOW)


def test_a_photo_without_text_from_another_community() -> None:
    photo = comments(RECORDED["wall.getComments"])["16"]
    assert photo.text == ""
    assert photo.author is not None
    assert (photo.author.name, photo.author.external_id, photo.by_page) == ("Кружок «Умелые руки»", "-900", False)
    picture, document, unknown = photo.attachments
    assert (picture.kind, picture.external_id, picture.url) == (
        "photo",
        "photo-900_456_ab12",
        "https://pics.example/x.jpg",
    )
    assert (document.kind, document.title) == ("document", "Смета.pdf")
    assert (unknown.kind, unknown.external_id) == ("other", "hologram1")


def test_an_author_of_whom_nothing_is_told_has_a_number() -> None:
    author = comments(RECORDED["wall.getComments"])["17"].author
    assert author is not None
    assert (author.external_id, author.name, author.link) == ("74", "id74", "https://vk.com/id74")


def test_posts_of_a_wall() -> None:
    first, second = mapping.wall_posts(RECORDED["wall.get"], page_external_id="-500", observed_at=NOW).posts
    assert (first.external_id, first.comment_count, first.link) == ("3", 7, "https://vk.com/wall-500_3")
    assert first.attachments[0].url == "https://news.example/1"
    assert second.text == ""
    assert "Ярмарка".encode() in second.raw


def test_counters_say_what_is_gone_and_leave_out_what_is_untold() -> None:
    page, other = PageRef(external_id="-500"), PageRef(external_id="-501")
    asked = [PostRef(page=page, external_id=number) for number in ("3", "4", "6")]
    asked.append(PostRef(page=other, external_id="5"))
    counts = mapping.post_counts(RECORDED["wall.getById"], asked=asked, observed_at=NOW)
    told = {count.external_id: (count.comment_count, count.gone) for count in counts}
    assert told == {"3": (7, False), "4": (0, True), "6": (0, True)}
    old_shape = mapping.post_counts(RECORDED["wall.getById"]["items"], asked=asked, observed_at=NOW)
    assert old_shape == counts


def test_a_community() -> None:
    page = mapping.page_snapshot(RECORDED["groups.getById"])
    assert (page.external_id, page.title, page.members) == ("-500", "Село Садовое", 812)
    assert page.link == "https://vk.com/sadovoye"
    assert mapping.page_snapshot(RECORDED["groups.getById"]["groups"]) == page


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://vk.com/sadovoye", Named(screen_name="sadovoye")),
        ("vk.ru/sadovoye?from=search", Named(screen_name="sadovoye")),
        ("https://m.vk.com/club500", Named(community=500)),
        ("public500", Named(community=500)),
        ("@sadovoye", Named(screen_name="sadovoye")),
        ("-500", Named(community=500)),
        ("500", Named(community=500)),
        ("https://vk.com/wall-500_3?reply=11", Named(community=500)),
        ("https://vk.com/wall71_3", Named(person=True)),
        ("https://vk.com/id71", Named(person=True)),
        ("https://example.org/club1", None),
        ("", None),
        ("две улицы", None),
    ],
)
def test_what_a_link_names(link: str, expected: Named | None) -> None:
    assert named(link) == expected


@examples(100)
@given(text=TEXT)
def test_no_character_is_lost(text: str) -> None:
    answer = deepcopy(RECORDED["wall.getComments"])
    answer["items"][0]["text"] = text
    answer["items"][0]["thread"]["items"][0]["text"] = text
    read = comments(answer)
    assert read["11"].text == text
    assert read["12"].text == text


@examples(150)
@given(answer=JSON | damaged(RECORDED["wall.getComments"]))
def test_any_answer_is_read_or_refused(answer: object) -> None:
    """Nothing but OddError, and no row disappears: each is a snapshot, a deletion or unreadable."""
    try:
        page = mapping.comments_page(answer, UNDER)
    except OddError:
        return
    assert isinstance(answer, dict)
    numbers = {item["id"] for item in answer["items"] if isinstance(item, dict) and _is_number(item.get("id"))}
    assert {row.id for row in page.rows} == numbers
    for row in page.rows:
        assert isinstance(row.parsed[0], CommentSnapshot | Deletion | Unreadable)
    nameless = [i for i in answer["items"] if not (isinstance(i, dict) and _is_number(i.get("id")))]
    assert len(page.unreadable) == len(nameless)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


@examples(100)
@given(walls=JSON | damaged(RECORDED["wall.get"]), pages=JSON | damaged(RECORDED["groups.getById"]), any_one=JSON)
def test_the_other_mappings_read_or_refuse(walls: object, pages: object, any_one: object) -> None:
    ref = PostRef(page=PageRef(external_id="-500"), external_id="3")
    readings: list[Callable[[], object]] = [
        lambda: mapping.wall_posts(walls, page_external_id="-500", observed_at=NOW),
        lambda: mapping.page_snapshot(pages),
        lambda: mapping.post_counts(walls, asked=[ref], observed_at=NOW),
        lambda: mapping.resolved(any_one),
        lambda: mapping.comment_of(any_one, UNDER, 11),
    ]
    for read in readings:
        with suppress(OddError):
            read()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"type": "poll", "poll": {"id": 7, "owner_id": -1, "question": "Где?"}}, ("other", "poll-1_7", "https://vk.com/poll-1_7", "Где?")),
        ({"type": "market", "market": {"id": 8, "owner_id": -1}}, ("other", "market-1_8", "https://vk.com/market-1_8", None)),
        ({"type": "video", "video": {"id": 9, "owner_id": -1, "title": "Яма"}}, ("video", "video-1_9", "https://vk.com/video-1_9", "Яма")),
        ({"type": "wall", "wall": {"id": 3, "owner_id": -5}}, ("other", "wall-5_3", "https://vk.com/wall-5_3", None)),
        ({"type": "gift", "gift": {"id": 4}}, ("other", "gift4", None, None)),
        ({"type": "something_new"}, ("other", "something_new", None, None)),
    ],
)  # fmt: skip
def test_whatever_is_attached_is_kept_as_a_reference(entry: dict[str, Any], told: tuple[str | None, ...]) -> None:
    (one,) = attachments([entry])
    assert (one.kind, one.external_id, one.url, one.title) == told
