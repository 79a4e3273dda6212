"""MAX: comments under posts of channels, and private messages to the bot, answered there by the bot."""

from connectors.contract import Connector, Options, Plugin
from connectors.max.capabilities import BOTS, CAPABILITIES, PICTURES, TEXT_LIMIT
from connectors.max.links import MaxLinks
from connectors.max.mapping import kind_of_place
from connectors.max.push import MaxPush

API_URL = "https://platform-api2.max.ru"


def _build(options: Options) -> Connector:
    from connectors.max.connector import MaxConnector  # noqa: PLC0415 - httpx loads only where it is used

    return MaxConnector(options, options.api_url or API_URL)


plugin = Plugin(
    platform="max",
    title="MAX",
    default_api_url=API_URL,
    credential_kinds=BOTS,
    text_limit=TEXT_LIMIT,
    capabilities=CAPABILITIES,
    build=_build,
    push=MaxPush(),
    links=MaxLinks(),
    places=kind_of_place,
    hosts=("max.ru",),
    pictures=PICTURES,
)
