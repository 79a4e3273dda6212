"""Answers of the bot that stand under a post or in a dialog: changed, deleted, looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from urllib.parse import quote

from connectors.bots import is_dialogs
from connectors.contract import CannotTell, NotThere, OutcomeUnknown, Rejected, StandsAs, UnknownPayload
from connectors.max import mapping
from connectors.max.capabilities import TEXT_LIMIT
from connectors.payload import OddError, check_text, is_object, maybe_text

if TYPE_CHECKING:
    from connectors.contract import Credential, Look, PageRef, PostRef, Standing
    from connectors.http_api import Answer
    from connectors.max.client import MaxClient


class Amends(ABC):
    """Part of the connector: what is done to an answer that stands."""

    _client: MaxClient

    @abstractmethod
    def _bot(self, page: PageRef) -> Credential:
        """The connector's own."""

    @abstractmethod
    def _under(self, post: PostRef) -> mapping.Under:
        """The connector's own."""

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place: MAX lets a comment be changed for 26 hours, a message of a dialog for a week."""
        check_text(text, limit=TEXT_LIMIT)
        bot, path, name = self._place(standing)
        _done(await self._client.put(bot, path, {"text": text}, **{name: standing.external_id}))

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away; under a post the bot needs the right `delete`."""
        bot, path, name = self._place(standing)
        try:
            _done(await self._client.delete(bot, path, **{name: standing.external_id}))
        except Rejected as error:
            if error.code != "gone":
                raise

    async def look_at_answer(self, standing: Standing) -> Look:
        """Read that very comment or message."""
        post = standing.post
        number = quote(standing.external_id, safe="")
        path = f"/messages/{number}" if is_dialogs(post.page) else f"{comments_of(post.external_id)}/{number}"
        try:
            answer = await self._client.get(self._bot(post.page), path)
        except Rejected as error:
            return NotThere() if error.code == "gone" else CannotTell(reason=f"the comment cannot be read ({error.code})")
        try:
            return StandsAs(text=mapping.one_comment(answer.value, self._under(post)).text)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd

    def _place(self, standing: Standing) -> tuple[Credential, str, str]:
        """With which bot, at which address, and what its number is called there."""
        post = standing.post
        bot = self._bot(post.page)
        return (bot, "/messages", "message_id") if is_dialogs(post.page) else (bot, comments_of(post.external_id), "comment_id")


def comments_of(post: str) -> str:
    """The address of a post's comments."""
    return f"/messages/{quote(post, safe='')}/comments"


def _done(answer: Answer) -> None:
    """MAX may answer 200 and say that it did nothing."""
    told = answer.value
    if is_object(told) and told.get("success") is False:
        raise Rejected("denied", maybe_text(told.get("message")) or "MAX did not do it")
    if not is_object(told) or told.get("success") is not True:
        raise OutcomeUnknown("malformed", "no success in the answer")
