"""Telegram: comments under channel posts, heard in the discussion group by a bot, answered there."""

from connectors.contract import Connector, Options, Plugin
from connectors.telegram.capabilities import BOTS, CAPABILITIES, PICTURES, TEXT_LIMIT
from connectors.telegram.links import TelegramLinks
from connectors.telegram.push import TelegramPush

API_URL = "https://api.telegram.org"


def _build(options: Options) -> Connector:
    from connectors.telegram.connector import TelegramConnector  # noqa: PLC0415 - aiogram takes seconds to import

    return TelegramConnector(options, options.api_url or API_URL)


plugin = Plugin(
    platform="telegram",
    title="Telegram",
    default_api_url=API_URL,
    credential_kinds=BOTS,
    text_limit=TEXT_LIMIT,
    capabilities=CAPABILITIES,
    build=_build,
    push=TelegramPush(),
    links=TelegramLinks(),
    hosts=("t.me", "telegram.org"),
    pictures=PICTURES,
)
