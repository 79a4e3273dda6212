"""Guest books on the sites of town halls: read as a stream of events, answered in the town hall's name."""

from connectors.contract import Capability, Connector, Options, Plugin

KINDS = ("key",)
TEXT_LIMIT = 5000


def _build(options: Options) -> Connector:
    from .connector import GuestbookConnector  # noqa: PLC0415 - nothing loads before it is used

    return GuestbookConnector(options)


plugin = Plugin(
    platform="guestbook",
    title="Гостевая книга",
    default_api_url="https://guestbook.example",
    credential_kinds=KINDS,
    text_limit=TEXT_LIMIT,
    capabilities=(
        Capability(verb="describe_page", methods=("book",), token_kinds=KINDS, calls=1),
        Capability(verb="poll", methods=("events",), token_kinds=KINDS, calls=1),
        Capability(verb="send", methods=("remarks",), token_kinds=KINDS, calls=1),
        Capability(verb="find_sent", methods=("mark",), token_kinds=KINDS, calls=1),
    ),
    build=_build,
)
