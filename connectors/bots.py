"""Bots that are pages: whose private dialogs are to be heard, and which token is a page's own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from connectors.contract import Credential, PageRef
    from connectors.tokens import Tokens

DIALOGS: Final = "dialogs"
PRIVATE: Final = "private"
"""Of a page's options: of the bot itself "yes", and "on" once an administrator has switched private messages on."""
CREDENTIAL: Final = "credential_key"
"""Of a page's options: with which token the page was described."""
SWITCHED_OFF: Final = "private messages are switched off"


def is_dialogs(page: PageRef) -> bool:
    """Whether a page is the bot itself, with its private dialogs."""
    return page.options.get(DIALOGS) == "yes"


def hears_private(page: PageRef) -> bool:
    """Whether private messages to the bot are to be heard."""
    return is_dialogs(page) and page.options.get(PRIVATE) == "on"


def bot_of(bots: Tokens, page: PageRef) -> Credential | None:
    """A page's own bot, else the one that described it, else the first; None when there is none."""
    return next(iter(bots.own(page.external_id)), None) or bots.keyed(page.options.get(CREDENTIAL)) or next(iter(bots.all), None)
