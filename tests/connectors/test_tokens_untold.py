"""Whatever a platform answers, and whatever breaks, no error, no finding and no log line holds a token."""

from __future__ import annotations

import traceback

import pytest

from connectors.contract import ConnectorError, Credential, Options
from connectors.pages import ChecksAbilities, TellsPages
from connectors.registry import load
from tests.connectors.raw_server import http, raw_server

CANARY = "4711:CANARYcanaryCANARYcanaryCANARYcan"
PLUGINS = load(None)
LINKS = {"vk": "club77", "ok": "https://ok.ru/group/77", "telegram": "@sadovoye", "max": "https://max.ru/sadovoye", "viber": "sadovoye"}
ANSWERS = (
    http(b"{", status="502 Bad Gateway"),
    http(b'{"ok": false, "error_code": 401, "description": "Unauthorized"}', status="401 Unauthorized"),
    http(b"[]", status="302 Found", headers="Location: http://127.0.0.1:9/elsewhere\r\n"),
    http(b"no JSON at all"),
)


def secret(platform: str) -> str:
    """In the form that a platform's tokens have."""
    return f"APPKEY {CANARY} {CANARY}" if platform == "ok" else CANARY


@pytest.mark.parametrize("platform", sorted(PLUGINS))
async def test_no_error_and_no_finding_tells_a_token(platform: str, caplog: pytest.LogCaptureFixture) -> None:
    plugin = PLUGINS[platform]
    credential = Credential(key="1", kind=plugin.credential_kinds[0], secret=secret(platform))
    said = repr(credential)
    async with raw_server() as raw:
        for url, answers in ((raw.url, ANSWERS), ("http://127.0.0.1:9", ANSWERS[:1])):
            connector = plugin.build(Options(api_url=url, credentials=(credential,), timeout=0.3, time_scale=60.0))
            for answer in answers:
                raw.plan(answer)
                try:
                    said += repr(await connector.describe_page(LINKS[platform]))
                except ConnectorError as error:
                    said += "".join(traceback.format_exception(error)) + repr(vars(error))
                if isinstance(connector, TellsPages):
                    try:
                        said += repr(await connector.tell_pages([LINKS[platform]]))
                    except ConnectorError as error:
                        said += "".join(traceback.format_exception(error)) + repr(vars(error))
                assert isinstance(connector, ChecksAbilities)
                said += repr(await connector.check_page("-77", page_options={}))
            await connector.close()
        assert raw.requests, "it was asked"
    assert "network" in said or "server" in said or "reauthorise" in said
    assert "CANARY" not in said
    assert "CANARY" not in caplog.text
