"""What goes in: any stream of batches once, whatever is hostile, nothing lost."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from sqlalchemy import text

from app.kernel.db import Database, DatabaseRole
from app.sources.store import Stored, store_batch
from connectors.contract import Attachment, AuthorSnapshot, Batch, CommentSnapshot, Deletion, PostSnapshot, Unreadable, WholeThread
from tests.factories import make_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.databases import Databases

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
POST = PostSnapshot(
    page_external_id="-1", external_id="10", text="Пост", published_at=NOW, observed_at=NOW, link="", raw=b"{}", thread_ref="t10"
)


def comment(number: int, words: str = "Когда?", *, seen: int = 0, **more: Any) -> CommentSnapshot:
    """A comment of post 10, observed `seen` seconds after it was written."""
    return CommentSnapshot(
        **{
            "page_external_id": "-1", "post_external_id": "10", "external_id": str(number), "text": words, "written_at": NOW,
            "observed_at": NOW + timedelta(seconds=seen), "link": "", "raw": words.encode("utf-8", "surrogatepass"),
            "author": AuthorSnapshot(external_id="7", name="Олег"), **more,
        }
    )  # fmt: skip


@pytest.fixture
async def ready(owner_db: Database) -> None:
    """The page -1 of VK."""
    async with owner_db.write() as session:
        await make_page(session, external_id="-1")


async def put(database: Database, *batches: Batch) -> Stored:
    """Store batches, each in its own transaction; what the last one did."""
    done = Stored()
    for batch in batches:
        async with database.write() as session:
            done = await store_batch(session, platform="vk", batch=batch, now=NOW)
    return done


async def read(database: Database, sql: str) -> list[Any]:
    """All rows."""
    async with database.read() as session:
        return list((await session.execute(text(sql))).all())


HOSTILE = {
    "script": "<script>alert(1)</script> \"'><img src=x onerror=alert(1)>",
    "bidi": "\u202eтекст наоборот\u2066\u200b\u200d",
    "emoji": "👨‍👩‍👧‍👦 \U0001f1f7\U0001f1fa",
    "json": '{"a": "\\u0000"}',
    "sql": "'; DROP TABLE comment; --",
    "whitespace": "  \t\r\n начало и конец \n\n ",
}


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE)
async def test_texts_stay_character_for_character(worker_db: Database, words: str) -> None:
    """Nothing is cleaned that PostgreSQL can hold."""
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, words),)))
    (row,) = await read(worker_db, "SELECT c.text, c.text_altered, r.raw FROM comment c JOIN comment_revision r ON r.comment_id = c.id")
    assert (row.text, row.text_altered, row.raw) == (words, False, words.encode())


@pytest.mark.usefixtures("ready")
async def test_nul_and_lone_surrogates_are_replaced_and_marked(worker_db: Database) -> None:
    """The platform's own bytes stay."""
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, "а\0б\ud800в"),)))
    (row,) = await read(worker_db, "SELECT c.text, c.text_altered, r.raw FROM comment c JOIN comment_revision r ON r.comment_id = c.id")
    assert (row.text, row.text_altered) == ("а\ufffdб\ufffdв", True)
    assert row.raw == "а\0б\ud800в".encode("utf-8", "surrogatepass")


@pytest.mark.usefixtures("ready")
@pytest.mark.timeout(60)
async def test_ten_megabytes_go_in(worker_db: Database) -> None:
    """Only a prefix is indexed."""
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, "слово " * 1_750_000), comment(2))))
    rows = await read(worker_db, "SELECT length(text) AS n FROM comment ORDER BY external_id")
    assert [row.n for row in rows] == [10_500_000, 6]


@pytest.mark.usefixtures("ready")
async def test_a_row_that_will_not_go_in_is_set_aside_and_its_batch_goes_on(worker_db: Database, owner_db: Database) -> None:
    """An id that no index takes, an id with NUL, an unknown page, an unknown post, an unreadable row."""
    long_id = "".join(random.Random(1).choices("0123456789abcdef", k=40_000))
    done = await put(
        worker_db,
        Batch(
            posts=(POST,),
            comments=(
                comment(1), comment(2, external_id=long_id), comment(3), comment(4, external_id="4\0"), comment(5, page_external_id="-404"),
                comment(6, post_external_id="404"), comment(7, "Где?", author=AuthorSnapshot(external_id="\0", name="?")), comment(8),
            ),
            unreadable=(Unreadable(reason="malformed", raw=b"\xff\x00", page_external_id="-1"),),
        ),
    )  # fmt: skip
    assert [row.external_id for row in await read(worker_db, "SELECT external_id FROM comment ORDER BY id")] == ["1", "3", "8"]
    reasons = sorted(row.reason.split(":")[0] for row in await read(owner_db, "SELECT reason FROM set_aside"))
    assert reasons == ["database", "malformed", "unknown_page", "unknown_post", "unstorable_id", "unstorable_id"]
    assert done.set_aside == 6
    assert len(done.new) == 3


@pytest.mark.usefixtures("ready")
async def test_a_post_that_an_event_named_gives_way_to_whatever_shows_it(worker_db: Database) -> None:
    """Its comments have a place; a post that is known already stays as it was shown."""
    named = replace(POST, text="", published_at=comment(1).written_at, observed_at=POST.observed_at + timedelta(hours=1), named_only=True)
    await put(worker_db, Batch(posts=(named,), comments=(comment(1),)))
    assert [row.text for row in await read(worker_db, "SELECT p.text FROM post p JOIN comment c ON c.post_id = p.id")] == [""]
    shown = replace(POST, observed_at=POST.published_at)  # as an event tells it, after that of the comment
    await put(worker_db, Batch(posts=(shown,)))
    await put(worker_db, Batch(posts=(named,)))
    assert [row.text for row in await read(worker_db, "SELECT text FROM post")] == [POST.text]


@pytest.mark.usefixtures("ready")
async def test_a_deleted_author_has_no_name(worker_db: Database) -> None:
    """Each such comment stands alone."""
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, author=None), comment(2, author=None))))
    assert [row.author_id for row in await read(worker_db, "SELECT author_id FROM comment")] == [None, None]


@pytest.mark.usefixtures("ready")
async def test_the_root_of_a_reply_chain_is_found(worker_db: Database) -> None:
    """Where the platform names only the parent: in the batch or stored before, in any order."""
    first = [comment(1), comment(3, reply_to_external_id="2"), comment(2, reply_to_external_id="1")]
    await put(
        worker_db,
        Batch(posts=(POST,), comments=tuple(first)),
        Batch(comments=(comment(4, reply_to_external_id="3"), comment(5, reply_to_external_id="99"))),
    )
    roots = {row.external_id: row.root_external_id for row in await read(worker_db, "SELECT external_id, root_external_id FROM comment")}
    assert roots == {"1": "1", "2": "1", "3": "1", "4": "1", "5": "99"}


@pytest.mark.usefixtures("ready")
async def test_a_comment_finds_its_post_by_its_thread(worker_db: Database) -> None:
    """Telegram names only the thread."""
    await put(worker_db, Batch(posts=(POST,)), Batch(comments=(comment(1, post_external_id=None, thread_ref="t10"),)))
    assert len(await read(worker_db, "SELECT 1 FROM comment")) == 1


@pytest.mark.usefixtures("ready")
async def test_a_comment_that_is_back_is_no_longer_deleted(worker_db: Database) -> None:
    """VK can restore."""
    gone = Deletion(page_external_id="-1", post_external_id="10", external_id="1", observed_at=NOW + timedelta(seconds=5))
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1),)), Batch(deletions=(gone,)))
    assert (await read(worker_db, "SELECT deleted_at FROM comment"))[0].deleted_at == gone.observed_at
    await put(worker_db, Batch(comments=(comment(1, seen=9),)))
    assert (await read(worker_db, "SELECT deleted_at FROM comment"))[0].deleted_at is None


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("later", [-1, 0, 3])
async def test_an_edit_told_together_with_what_it_edited_wins(worker_db: Database, later: int) -> None:
    """In whatever order they come: of the same second, or both written while the platform was asked (a long poll) or before."""
    for number in (1, 2):
        asked = NOW - timedelta(seconds=later)
        first = comment(number, observed_at=asked)
        edited = comment(number, "Когда же?", observed_at=asked, edited_at=NOW)
        await put(worker_db, Batch(posts=(POST,), comments=(first, edited) if number == 1 else (edited, first)), Batch(comments=(first,)))
    assert [(row.text, row.revision) for row in await read(worker_db, "SELECT text, revision FROM comment ORDER BY id")] == [
        ("Когда же?", 2),
        ("Когда же?", 2),
    ]


@pytest.mark.usefixtures("ready")
async def test_what_a_whole_thread_lacks_is_deleted(worker_db: Database) -> None:
    """But not what was seen since the reading began, nor what stands in another thread."""
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1), comment(2), comment(3, root_external_id="2"), comment(4, seen=8))))
    whole = WholeThread(page_external_id="-1", post_external_id="10", observed_at=NOW + timedelta(seconds=5), root_external_id="2")
    await put(worker_db, Batch(complete_for=(whole,)))
    assert sorted(row.external_id for row in await read(worker_db, "SELECT external_id FROM comment WHERE deleted_at IS NOT NULL")) == [
        "2",
        "3",
    ]
    await put(worker_db, Batch(comments=(comment(1, seen=6),), complete_for=(replace(whole, root_external_id=None),)))
    assert sorted(row.external_id for row in await read(worker_db, "SELECT external_id FROM comment WHERE deleted_at IS NULL")) == [
        "1",
        "4",
    ]


# --- any stream ---------------------------------------------------------------------------------------------------

Observation = CommentSnapshot | Deletion
_WORDS = st.sampled_from(["Когда?", "Почему?", "Спасибо", ""])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Observation], list[list[Observation]]]:
    """What was observed, in order, and the same re-cut, repeated and shuffled."""
    told: list[Observation] = []
    count = draw(st.integers(1, 12))
    for second in range(count):
        number = draw(st.integers(1, 4))
        if draw(st.integers(0, 4)):
            told.append(comment(number, draw(_WORDS), seen=second, reply_to_external_id=None if number < 3 else "1"))
        else:
            told.append(
                Deletion(page_external_id="-1", post_external_id="10", external_id=str(number), observed_at=NOW + timedelta(seconds=second))
            )
    again = draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=6))))
    cuts = sorted(draw(st.lists(st.integers(0, len(again)), max_size=4)))
    parts = [again[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(again)], strict=True)]
    return told, parts


def _batch(rows: Sequence[Observation]) -> Batch:
    return Batch(
        posts=(POST,),
        comments=tuple(row for row in rows if isinstance(row, CommentSnapshot)),
        deletions=tuple(row for row in rows if isinstance(row, Deletion)),
    )


@given(streams())
@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@pytest.mark.timeout(120)
async def test_any_stream_is_stored_once(databases: Databases, stream: tuple[list[Observation], list[list[Observation]]]) -> None:
    """The newest observation of each comment stands, whatever came when, how often and in which cut.

    A comment that is only ever told as deleted was never seen; whether one that was deleted *before* it was first
    told is known as deleted depends on what a platform tells after, so the last word here is always an observation.
    """
    told, parts = stream
    numbers = {row.external_id for row in told if isinstance(row, CommentSnapshot)}
    told += [
        comment(int(number), "Последнее слово", seen=60, reply_to_external_id=None if int(number) < 3 else "1")
        for number in sorted(numbers)
    ]
    parts.insert(random.Random(len(told)).randrange(len(parts) + 1), list(told[-len(numbers) :]) if numbers else [])
    assert await _stored(databases, [told]) == await _stored(databases, parts)


async def _stored(databases: Databases, stream: Sequence[Sequence[Observation]]) -> list[Any]:
    """What an empty database holds after this stream."""
    url = await databases.shared()
    acting = databases.acting
    async with acting(url, None, application="tests") as owner, acting(url, DatabaseRole.WORKER, application="tests") as worker:
        async with owner.write() as session:
            await make_page(session, external_id="-1")
        await put(worker, *(_batch(rows) for rows in stream))
        assert len(await read(worker, "SELECT comment_id, revision FROM comment_revision GROUP BY 1, 2 HAVING count(*) > 1")) == 0
        return await read(
            worker,
            "SELECT external_id, text, deleted_at IS NULL AS living, observed_at, root_external_id FROM comment ORDER BY external_id",
        )


def picture(number: int, words: str = "", **more: Any) -> CommentSnapshot:
    """A message of an album."""
    return comment(number, words, album="13", seen=5, attachments=(Attachment(kind="photo", external_id=f"f{number}"),), **more)


ALBUM = [picture(41, "Вот яма"), picture(42), picture(43)]


@pytest.mark.parametrize(
    "cuts",
    [
        [ALBUM],
        [[one] for one in ALBUM],  # each in a batch of its own, at the same moment: as they are pushed
        [ALBUM[:2], ALBUM[1:], ALBUM],  # told again
        [[ALBUM[0]], [ALBUM[2]], [ALBUM[1]], [ALBUM[0]]],
    ],
    ids=["together", "one by one", "repeated", "shuffled"],
)
@pytest.mark.usefixtures("ready")
async def test_an_album_is_one_comment_however_it_comes(owner_db: Database, cuts: list[list[CommentSnapshot]]) -> None:
    await put(owner_db, Batch(posts=(POST,)), *(Batch(comments=tuple(part)) for part in cuts), Batch(comments=(comment(50, "Другое"),)))
    album, other = await read(owner_db, "SELECT external_id, text, attachments, root_external_id FROM comment ORDER BY id")
    assert (album.external_id, album.text, other.external_id) == ("41", "Вот яма", "50")
    assert sorted(one["external_id"] for one in album.attachments) == ["f41", "f42", "f43"]
    edited = [
        picture(41, "Вот яма у школы", edited_at=NOW + timedelta(minutes=1)),
        picture(43, "И ещё", edited_at=NOW + timedelta(minutes=1)),
    ]
    await put(owner_db, Batch(comments=tuple(replace(one, observed_at=NOW + timedelta(minutes=2)) for one in edited)))
    album, _ = await read(owner_db, "SELECT text, jsonb_array_length(attachments) AS n FROM comment ORDER BY id")
    assert tuple(album) == ("Вот яма у школы\n\nИ ещё", 3)


@pytest.mark.usefixtures("ready")
async def test_each_picture_of_an_album_keeps_its_own_newest_caption(owner_db: Database) -> None:
    """However the forms of the messages come: an edit before its original, one caption after the other, a caption taken away."""

    def form(number: int, words: str, at: int, order: int) -> CommentSnapshot:
        edited = {"edited_at": NOW + timedelta(minutes=at)} if at else {}
        return replace(picture(number, words, **edited), form_at=NOW + timedelta(minutes=at), form_number=order)

    for one, words in (
        (form(42, "Где асфальт?", 2, 22), "Где асфальт?"),  # the edit comes first
        (form(42, "Где асфалт?", 0, 20), "Где асфальт?"),
        (form(41, "Вот яма", 0, 19), "Вот яма\n\nГде асфальт?"),
        (form(41, "Вот яма у школы", 3, 23), "Вот яма у школы\n\nГде асфальт?"),
        (form(42, "", 4, 24), "Вот яма у школы"),
        (form(41, "Вот яма", 0, 19), "Вот яма у школы"),
    ):
        await put(owner_db, Batch(posts=(POST,), comments=(one,)))
        (row,) = await read(owner_db, "SELECT text, album_parts FROM comment")
        assert (row.text, len(row.text)) == (words, sum(part[1] for part in row.album_parts) + 2 * words.count("\n\n"))
