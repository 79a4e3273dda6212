"""Pictures of an answer on the screen: brought with the form, kept as plain pixels, seen by whoever sees the answer, refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from sqlalchemy import text

from tests.app.media.test_pictures import opened, picture
from tests.web.ui.conftest import PART

if TYPE_CHECKING:
    import httpx

    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

WORDS = "Здравствуйте! Починили, фото внизу."


async def rows(database: Database, sql: str) -> list[Any]:
    async with database.read() as session:
        return list((await session.execute(text(sql))).all())


async def write(database: Database, sql: str, **values: object) -> None:
    async with database.write() as session:
        await session.execute(text(sql), values)


async def answer(browser: Browser, town: Town, *files: bytes, part: bool = False, key: str = "k" * 32) -> httpx.Response:
    """The form as a browser sends it, with files or (without a script) with an empty field of files."""
    page = await browser.get(f"/appeals/{town.number}")
    seen = page.text.split('data-version="', 1)[1].split('"', 1)[0]
    fields = {"csrf": browser.csrf, "version": seen, "text": WORDS, "comment": str(town.comment.id), "key": key}
    chosen = [("pictures", (f"{place}.png", content, "image/png")) for place, content in enumerate(files)] or [("pictures", ("", b"", ""))]
    headers = {"Referer": f"http://otklik.example/appeals/{town.number}"} | (PART if part else {})
    return await browser.http.post(f"/appeals/{town.number}/answer", data=fields, files=chosen, headers=headers)


async def test_they_come_with_the_answer_and_are_seen_by_whoever_approves_it(
    operator: Browser, coordinator: Browser, enter: Enter, town: Town, owner_db: Database
) -> None:
    """Offered where a token may bring them; nothing but pixels is kept; nobody else sees them. The same click once more adds nothing."""
    assert 'id="answer-pictures"' not in (await operator.get(f"/appeals/{town.number}")).text
    await write(owner_db, "INSERT INTO credential (platform, kind, secret) VALUES ('vk', 'user', '')")
    assert 'id="answer-pictures"' in (await operator.get(f"/appeals/{town.number}")).text
    await write(owner_db, "UPDATE agency SET approval_required = true WHERE id = :id", id=town.ours.id)
    exif = Image.Exif()
    exif[0x010E] = "снято во дворе Петровых"
    files = (picture("JPEG", size=(60, 40), exif=exif.tobytes()), picture("PNG", size=(3000, 300), mode="RGBA"))
    for _ in range(2):
        assert (await answer(operator, town, *files)).status_code == 303
    kept = await rows(owner_db, "SELECT i.*, r.state FROM reply_picture i JOIN reply r ON r.id = i.reply_id ORDER BY place")
    assert [(one.state, one.place, one.width, one.height) for one in kept] == [("awaiting", 0, 60, 40), ("awaiting", 1, 2560, 256)]
    assert opened(bytes(kept[0].content)).getexif() == {}

    reply_id = kept[0].reply_id
    assert f"/media/reply/{reply_id}/1/small" in (await coordinator.get(f"/appeals/{town.number}")).text
    for size in ("small", "large"):
        shown = await coordinator.get(f"/media/reply/{reply_id}/0/{size}")
        assert (shown.status_code, shown.headers["content-type"], shown.headers["x-content-type-options"]) == (200, "image/jpeg", "nosniff")
        assert "sandbox" in shown.headers["content-security-policy"]
        opened(shown.content)
    stranger = await enter("other")
    for browser, path in ((stranger, f"{reply_id}/0/small"), (coordinator, f"{reply_id}/2/small"), (coordinator, "999999/0/small")):
        assert (await browser.get(f"/media/reply/{path}")).status_code == 404
    (event,) = await rows(owner_db, "SELECT data FROM appeal_event WHERE act = 'reply_submitted'")
    assert event.data["pictures"] == 2


@pytest.mark.parametrize(("options", "offered"), [('{"dialogs": "yes"}', True), ("{}", False)])
async def test_they_are_offered_only_in_a_place_where_the_platform_takes_them(
    operator: Browser,
    town: Town,
    owner_db: Database,
    options: str,
    offered: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A private message on MAX carries them, a comment does not."""
    for statement in (
        "INSERT INTO credential (platform, kind, secret) VALUES ('max', 'bot', '')",
        "UPDATE page SET platform = 'max'",
        "UPDATE appeal SET platform = 'max'",
    ):
        await write(owner_db, statement)
    await write(owner_db, "UPDATE page SET options = CAST(:options AS jsonb)", options=options)
    assert ('id="answer-pictures"' in (await operator.get(f"/appeals/{town.number}")).text) is offered
    assert (await answer(operator, town, picture("PNG"))).status_code == (303 if offered else 422)


REFUSED = [
    ([picture("GIF")], "Файл 1 не подходит: нужна картинка JPEG, PNG или WebP."),
    ([picture("PNG"), b"<svg xmlns='http://www.w3.org/2000/svg'/>"], "Файл 2 не подходит"),
    ([picture("PNG")[:60]], "Файл 1 повреждён"),
    ([picture("PNG", size=(4200, 200))], "слишком узкая и длинная"),
    ([b"\x89PNG" + bytes(5 * 1024 * 1024)], "Файл 1 больше 5 МБ. Уменьшите его."),
    ([picture("PNG")] * 3, "не больше 2 картинок"),
    ([picture("PNG")] * 11, "не больше 10 картинок"),
]


@pytest.mark.parametrize(("files", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
async def test_what_does_not_fit_is_refused_in_words_and_the_text_stays(
    operator: Browser, town: Town, owner_db: Database, files: list[bytes], sentence: str
) -> None:
    """A script hears a problem, a person without one sees the form again; neither answer nor picture is kept."""
    await write(owner_db, "INSERT INTO credential (platform, kind, secret) VALUES ('vk', 'user', '')")
    page = await answer(operator, town, *files)
    assert page.status_code == 422
    assert sentence in page.text
    assert WORDS in page.text
    problem = await answer(operator, town, *files, part=True)
    assert (problem.status_code, problem.headers["content-type"]) == (422, "application/problem+json")
    assert await rows(owner_db, "SELECT id FROM reply_picture") == []
    assert WORDS not in [one.text for one in await rows(owner_db, "SELECT text FROM reply")]
    assert (await answer(operator, town)).status_code == 303  # an empty field of files is none
