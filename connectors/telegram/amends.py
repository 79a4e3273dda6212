"""Answers of the bot that stand in a discussion group: changed, deleted, given their pictures. Telegram shows no single message.

An answer whose words stand under its picture has its own number among its parts: these are then the messages of the album. Pictures
that followed a long text are messages of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from connectors.bots import is_dialogs
from connectors.contract import AccessLost, OutcomeUnknown, Rejected
from connectors.payload import OddError, check_text
from connectors.telegram import mapping
from connectors.telegram.capabilities import CAPTION_LIMIT, PICTURES, TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import Credential, PageRef, Picture, Standing
    from connectors.telegram.client import TelegramClient


class Amends(ABC):
    """Part of the connector: what is done to an answer that stands."""

    _client: TelegramClient

    @abstractmethod
    def _owner(self, page: PageRef) -> Credential | None:
        """The connector's own."""

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place."""
        check_text(text, limit=TEXT_LIMIT, measure=utf16_units)
        credential, group, message = self._where(standing)
        caption = standing.external_id in standing.parts
        if caption and utf16_units(text) > CAPTION_LIMIT:
            raise Rejected("too_long", f"{utf16_units(text)} UTF-16 units under a picture, {CAPTION_LIMIT} are allowed")
        try:
            await self._client.edit(credential, chat=group, message=message, text=text, caption=caption)
        except Rejected as error:
            if error.code != "unchanged":  # it says that already
                raise

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away: for 48 hours after it was published."""
        credential, group, message = self._where(standing)
        parts = (number for part in standing.parts if (number := mapping.maybe_number(part)) not in {None, message})
        for number in (*parts, message):  # the words last: while they stand, the answer does
            try:
                await self._client.delete(credential, chat=group, message=number)
            except Rejected as error:
                if error.code != "gone":
                    raise

    async def attach_pictures(self, standing: Standing, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Have them follow the text, in reply to it."""
        PICTURES.check(pictures)
        credential, group, message = self._where(standing)
        answer = await self._client.send(credential, chat=group, reply_to=message, text="", pictures=pictures)
        try:
            return tuple(map(str, mapping.numbers(answer.value)))
        except OddError as odd:
            raise OutcomeUnknown("malformed", str(odd), credential_key=credential.key) from odd

    def _where(self, standing: Standing) -> tuple[Credential, str, int]:
        page = standing.post.page
        credential = self._owner(page)
        group = standing.post.external_id if is_dialogs(page) else page.options.get(mapping.GROUP)
        message = mapping.maybe_number(standing.external_id)
        if credential is None:
            raise AccessLost("token_kind", "no bot is configured")
        if group is None or message is None:
            raise Rejected("bad_request", "the page has no discussion group, or the answer no number")
        return credential, group, message


def utf16_units(text: str) -> int:
    """Telegram counts as JavaScript does: a character beyond the first plane counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
