"""Answers of the bot that stand in a discussion group: changed and deleted. Telegram shows no single message: done again is harmless."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from connectors.contract import AccessLost, Rejected
from connectors.payload import is_publishable
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
        check_text(text)
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
        group = standing.post.external_id if mapping.is_dialogs(page) else page.options.get(mapping.GROUP)
        message = mapping.maybe_number(standing.external_id)
        if credential is None:
            raise AccessLost("token_kind", "no bot is configured")
        if group is None or message is None:
            raise Rejected("bad_request", "the page has no discussion group, or the answer no number")
        return credential, group, message


def check_text(text: str) -> None:
    """Whether Telegram takes it. Rejected `too_long`, `bad_text`."""
    # Telegram counts as JavaScript does: a character beyond the first plane counts twice.
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > TEXT_LIMIT:
        raise Rejected("too_long", f"{units} UTF-16 units, {TEXT_LIMIT} are allowed")
    if not is_publishable(text):
        raise Rejected("bad_text", "the text is empty or has characters that no platform takes")
