"""Answers of the community that stand on its wall: changed, deleted, looked at. VK lets only a user token of an administrator do that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import CannotTell, NotThere, Rejected, StandsAs, UnknownPayload
from connectors.payload import OddError, check_text
from connectors.vk import mapping
from connectors.vk.calls import Call
from connectors.vk.capabilities import AMENDERS, TEXT_LIMIT, WALL
from connectors.vk.places import Place, place_of

if TYPE_CHECKING:
    from connectors.contract import CommentSnapshot, Look, Options, Standing
    from connectors.vk.client import VkClient

# VK says of a comment that is not there also that it is closed to us.
UNSURE: Final = frozenset({"gone", "denied"})
NAMED: Final = frozenset({"photo", "video", "audio", "document"})
"""Attachments that a comment is given by their name."""


class Amends:
    """Part of the connector: what is done to an answer that stands."""

    _client: VkClient
    _options: Options

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place."""
        check_text(text, limit=TEXT_LIMIT)
        try:
            await self._act("wall.editComment", standing, {"message": text, **await self._kept(standing)})
        except Rejected as error:
            if error.code in UNSURE and isinstance(await self.look_at_answer(standing), NotThere):
                raise Rejected("gone", error.detail, credential_key=error.credential_key) from error
            raise

    async def _kept(self, standing: Standing) -> dict[str, str | int]:
        """What hangs there besides the text: VK takes away what is not named again."""
        _on_the_wall(standing)
        try:
            found = await self._read(standing)
        except UnknownPayload as odd:
            raise meanings.prepared_badly(odd, self._options.time_scale) from odd
        names = [one.external_id for one in found.attachments if one.kind in NAMED and one.external_id] if found else []
        return {"attachments": ",".join(names)} if names else {}

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away."""
        try:
            await self._act("wall.deleteComment", standing, {})
        except Rejected as error:
            if error.code not in UNSURE or not isinstance(await self.look_at_answer(standing), NotThere):
                raise

    async def _act(self, method: str, standing: Standing, more: dict[str, str | int]) -> None:
        place = _on_the_wall(standing)
        params: dict[str, str | int] = {"owner_id": place.owner, "comment_id": standing.external_id, **more}
        await self._client.call(Call(method=method, params=params, kinds=AMENDERS, page=str(place.voice), sending=True))

    async def look_at_answer(self, standing: Standing) -> Look:
        """Read that very comment."""
        place = place_of(standing.post)
        if place.kind != WALL:
            return CannotTell(reason="a single comment beside the wall cannot be read")
        if not self._client.can(AMENDERS, str(place.voice)):
            return CannotTell(reason="no user token is configured to read a single comment")
        try:
            found = await self._read(standing)
        except Rejected as error:
            return NotThere() if error.code == "gone" else CannotTell(reason=f"the comment cannot be read ({error.code})")
        return NotThere() if found is None or found.deleted else StandsAs(text=found.text)

    async def _read(self, standing: Standing) -> CommentSnapshot | None:
        """That very comment; None when VK answers another, or none."""
        page, place = standing.post.page.external_id, place_of(standing.post)
        params: dict[str, str | int] = {"owner_id": place.owner, "comment_id": standing.external_id}
        answer = await self._client.call(Call(method="wall.getComment", params=params, kinds=AMENDERS, page=str(place.voice)))
        under = mapping.Under(
            page_external_id=page, post_external_id=standing.post.external_id, observed_at=self._options.now(), place=place
        )
        try:
            return mapping.comment_of(answer.value, under, int(standing.external_id))
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd


def _on_the_wall(standing: Standing) -> Place:
    """Numbers of comments beside the wall are counted apart: a call would meet another comment. Rejected `unsupported` there."""
    place = place_of(standing.post)
    if place.kind != WALL:
        raise Rejected("unsupported", "answers beside the wall are changed by hand")
    return place
