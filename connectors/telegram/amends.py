"""Answers of the bot that stand in a discussion group: changed and deleted. Telegram shows no single message: done again is harmless."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from connectors.bots import is_dialogs
from connectors.contract import AccessLost, Rejected
from connectors.payload import check_text
from connectors.telegram import mapping
from connectors.telegram.capabilities import TEXT_LIMIT

if TYPE_CHECKING:
    from connectors.contract import Credential, PageRef, Standing
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
        try:
            await self._client.edit(credential, chat=group, message=message, text=text)
        except Rejected as error:
            if error.code != "unchanged":  # it says that already
                raise

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away: for 48 hours after it was published."""
        credential, group, message = self._where(standing)
        try:
            await self._client.delete(credential, chat=group, message=message)
        except Rejected as error:
            if error.code != "gone":
                raise

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
