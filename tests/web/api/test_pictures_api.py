"""Pictures of answers by other systems: brought one by one, named in the answer, done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.app.media.test_pictures import picture

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from app.kernel.db import Database
    from tests.web.api.conftest import Region

    Bearer = Callable[[str], dict[str, str]]


async def test_a_picture_is_brought_once_and_goes_with_one_answer(
    client: httpx.AsyncClient, region: Region, bearer: Bearer, owner_db: Database
) -> None:
    """The same bytes are the same picture; another's, one that is put already and one named twice are refused; a key covers them."""
    ours, theirs = bearer("ours"), bearer("theirs")
    brought = [await client.post("/api/v1/pictures", content=picture("PNG", size=(60, 40)), headers=ours) for _ in range(2)]
    assert [one.status_code for one in brought] == [201, 201]
    first, again = (one.json() for one in brought)
    assert first == again
    assert (first["width"], first["height"]) == (60, 40)
    foreign = (await client.post("/api/v1/pictures", content=picture("PNG"), headers=theirs)).json()["id"]
    odd = await client.post("/api/v1/pictures", content=b"no picture", headers=ours)
    assert (odd.status_code, odd.json()["code"]) == (422, "picture.type")
    large = await client.post("/api/v1/pictures", content=b"x" * (5 * 1024 * 1024 + 1), headers=ours)
    assert (large.status_code, large.json()["code"]) == (422, "picture.large")

    path = f"/api/v1/appeals/{region.our_number}/replies"
    without = await client.post(path, json={"text": "Починили.", "pictures": [first["id"]]}, headers=ours)
    assert (without.status_code, without.json()["code"]) == (422, "picture.platform"), "no token is there that may bring them"
    async with owner_db.write() as session:
        await session.execute(text("INSERT INTO credential (platform, kind, secret) VALUES ('vk', 'user', '')"))
    for wrong in ([foreign], [first["id"], foreign], [first["id"], first["id"]], [9_000_000_000]):
        refused = await client.post(path, json={"text": "Починили.", "pictures": wrong}, headers=ours)
        assert (refused.status_code, refused.json()["code"]) == (422, "picture.unknown")
    keyed = ours | {"Idempotency-Key": "one answer"}
    told = [await client.post(path, json={"text": "Починили.", "pictures": [first["id"]]}, headers=keyed) for _ in range(2)]
    assert [(one.status_code, one.json()["repeated"]) for one in told] == [(202, False), (202, True)]
    other = await client.post(path, json={"text": "Починили."}, headers=keyed)
    assert other.json()["code"] == "idempotency.other"
    used = await client.post(path, json={"text": "И тут.", "pictures": [first["id"]]}, headers=ours)
    assert used.json()["code"] == "picture.unknown"
    appeal = (await client.get(f"/api/v1/appeals/{region.our_number}", headers=ours)).json()
    assert [one["pictures"] for one in appeal["replies"]] == [[0]]
    async with owner_db.read() as session:
        kept = (await session.execute(text("SELECT count(*) AS n, count(reply_id) AS put FROM reply_picture"))).one()
    assert (kept.n, kept.put) == (2, 1)
