"""Odnoklassniki: comments under what groups publish, read by polling, answered in the group's name."""

from connectors.contract import Connector, Options, Plugin
from connectors.ok.capabilities import CAPABILITIES, KINDS, TEXT_LIMIT
from connectors.ok.links import OkLinks

API_URL = "https://api.ok.ru"


def _build(options: Options) -> Connector:
    from connectors.ok.connector import OkConnector  # noqa: PLC0415 - httpx loads only where it is used

    return OkConnector(options, options.api_url or API_URL)


plugin = Plugin(
    platform="ok",
    title="Одноклассники",
    default_api_url=API_URL,
    credential_kinds=KINDS,
    text_limit=TEXT_LIMIT,
    capabilities=CAPABILITIES,
    build=_build,
    links=OkLinks(),
    hosts=("ok.ru",),
)
