"""Answers of the group that stand in a discussion: changed, deleted, looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from connectors.contract import CannotTell, NotThere, Rejected, StandsAs, UnknownPayload
from connectors.ok import links, mapping
from connectors.ok.capabilities import TEXT_LIMIT
from connectors.payload import OddError, check_text, is_object

if TYPE_CHECKING:
    from connectors.contract import Look, PostRef, Standing
    from connectors.ok.client import OkClient


class Amends(ABC):
    """Part of the connector: what is done to an answer that stands."""

    _client: OkClient

    @abstractmethod
    def _under(self, post: PostRef) -> mapping.Under:
        """The connector's own."""

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place."""
        check_text(text, limit=TEXT_LIMIT)
        await self._act("discussions.editDiscussionComment", standing, {"comment": text})

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away."""
        try:
            await self._act("discussions.deleteDiscussionComment", standing, {})
        except Rejected as error:
            if error.code != "gone":
                raise

    async def _act(self, method: str, standing: Standing, more: dict[str, str]) -> None:
        answer = await self._client.send(method, _named(standing) | more, page=standing.post.page.external_id)
        told = answer.value.get("success") if is_object(answer.value) else answer.value
        if told is False:
            raise Rejected("denied", f"{method} answered that it did nothing")

    async def look_at_answer(self, standing: Standing) -> Look:
        """Read that very comment."""
        try:
            answer = await self._client.read("discussions.getComment", _named(standing), page=standing.post.page.external_id)
        except Rejected as error:
            return NotThere() if error.code == "gone" else CannotTell(reason=f"the comment cannot be read ({error.code})")
        try:
            return StandsAs(text=mapping.one_comment(answer.value, self._under(standing.post)).text)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd


def _named(standing: Standing) -> dict[str, str]:
    kind, number = links.parts(standing.post.external_id)
    return {"discussionId": number, "discussionType": kind, "comment_id": standing.external_id}
