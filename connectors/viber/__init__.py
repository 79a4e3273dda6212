"""Viber: private messages to a bot, pushed by Viber and answered by the bot. There are no comments, and nothing can be read again."""

from connectors.contract import Connector, Options, Plugin
from connectors.viber.capabilities import BOTS, CAPABILITIES, TEXT_LIMIT
from connectors.viber.push import ViberPush

API_URL = "https://chatapi.viber.com"


def _build(options: Options) -> Connector:
    from connectors.viber.connector import ViberConnector  # noqa: PLC0415 - httpx loads only where it is used

    return ViberConnector(options, options.api_url or API_URL)


plugin = Plugin(
    platform="viber",
    title="Viber",
    default_api_url=API_URL,
    credential_kinds=BOTS,
    text_limit=TEXT_LIMIT,
    capabilities=CAPABILITIES,
    build=_build,
    push=ViberPush(),
)
