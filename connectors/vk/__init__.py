"""VK: comments under posts of communities, read by polling, answered in the community's name."""

from connectors.contract import Connector, Options, Plugin
from connectors.vk.capabilities import CAPABILITIES, PICTURES, TEXT_LIMIT
from connectors.vk.links import VkLinks
from connectors.vk.places import kind_of_place
from connectors.vk.push import VkPush

API_URL = "https://api.vk.ru"


def _build(options: Options) -> Connector:
    from connectors.vk.connector import VkConnector  # noqa: PLC0415 - the SDK loads only where VK is really used

    return VkConnector(options, options.api_url or API_URL)


plugin = Plugin(
    platform="vk",
    title="ВКонтакте",
    default_api_url=API_URL,
    credential_kinds=("user", "service", "community"),
    text_limit=TEXT_LIMIT,
    capabilities=CAPABILITIES,
    build=_build,
    push=VkPush(),
    links=VkLinks(),
    places=kind_of_place,
    hosts=("vk.com", "vk.ru"),
    pictures=PICTURES,
)
