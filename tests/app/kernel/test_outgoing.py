"""SSRF: whatever address somebody writes, only allowed, public hosts are called, at the very address that was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from app.kernel.outgoing import Hosts, Outgoing, RefusedError, parse_hosts, public, target
from tests.connectors.raw_server import http, raw_server

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTS = parse_hosts("example.org, *.pictures.example, 127.0.0.1:8010 localhost:8010")

NOT_PUBLIC = (
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104 - a list
    "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "::127.0.0.1",
    "2001:db8::1", "nonsense", "",
)  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_ssrf_private_addresses_in_every_dress_are_told(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "87.240.132.72", "2a00:1450:4010::8a", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/a.jpg", ""),
        ("https://EXAMPLE.org./a.jpg", ""),
        ("https://a.b.pictures.example/x?y=1", ""),
        ("http://127.0.0.1:8010/pictures/x.png", ""),
        ("https://pictures.example/x", "host"),
        ("https://evilpictures.example/x", "host"),
        ("https://example.org.evil.example/", "host"),
        ("http://example.org/a.jpg", "host"),
        ("https://example.org:8443/", "host"),
        ("http://127.0.0.1/", "host"),
        ("http://127.0.0.1:8011/", "host"),
        ("https://127.1/", "host"),
        ("https://2130706433/", "host"),
        ("https://[::1]/", "address"),
        ("https://user@example.org/", "address"),
        ("https://example.org@evil.example/", "address"),
        ("https://example.org\\@evil.example/", "address"),
        ("https://example.org/\r\nHost: evil", "address"),
        ("https://exa\tmple.org/", "address"),
        ("file:///etc/passwd", "address"),
        ("gopher://example.org/", "address"),
        ("javascript:alert(1)", "address"),
        ("//example.org/", "address"),
        ("https://", "address"),
        ("https://example.org:99999/", "address"),
        ("https://еxample.org/", "address"),
        ("https://example.org/" + "a" * 3_000, "address"),
    ],
)
def test_ssrf_only_named_hosts_by_plain_https(url: str, code: str) -> None:
    if not code:
        assert target(url, HOSTS).path.startswith("/")
        return
    with pytest.raises(RefusedError) as refused:
        target(url, HOSTS)
    assert refused.value.code == code


@given(st.text(max_size=60) | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_ssrf_no_address_breaks_the_reader(url: str) -> None:
    """Refused or allowed, never anything else; what is allowed really names an allowed host."""
    try:
        found = target(url, HOSTS)
    except RefusedError:
        return
    assert HOSTS.allow(found.host, found.port)
    assert (urlsplit(url).hostname or "").rstrip(".").lower() == found.host


@pytest.mark.parametrize("words", ["*", "*.", "a b/c", "user@host", "*.*.ru", ":80"])
def test_a_host_that_is_none_stops_the_start(words: str) -> None:
    with pytest.raises(ValueError, match=r"example\.org"):
        parse_hosts(words)


class Names:
    """A resolver that says what it is told to, in turn."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if self.answers else ()


async def _code(caller: Outgoing, url: str) -> tuple[str, bool]:
    with pytest.raises(RefusedError) as refused:
        await caller.call("GET", url)
    return refused.value.code, refused.value.sent


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["8.8.8.8", "::1"], []])
async def test_ssrf_a_name_that_leads_inside_is_not_called(addresses: list[str]) -> None:
    """One bad address among good ones is enough."""
    names = Names(addresses)
    assert await _code(Outgoing(HOSTS, resolver=names), "https://example.org/") == ("private", False)
    assert names.asked == ["example.org"]


async def test_ssrf_a_name_is_resolved_once_so_that_rebinding_leads_nowhere() -> None:
    """The second answer would be this machine; the connection goes to the first, which nobody answers."""
    async with raw_server() as raw:
        raw.plan(http(b"secret"))
        port = int(raw.url.rpartition(":")[2])
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        caller = Outgoing(Hosts(names=(f"inside.example:{port}",)), resolver=names, seconds=3)
        code, sent = await _code(caller, f"http://inside.example:{port}/")
    assert (code, raw.requests) == ("network", [])
    assert (names.asked, sent) == (["inside.example"], False)


async def test_ssrf_a_redirect_is_not_followed() -> None:
    async with raw_server() as raw:
        raw.plan(http(b"", status="302 Found", headers="Location: http://169.254.169.254/latest/meta-data\r\n"))
        caller = Outgoing(Hosts(names=(raw.url.removeprefix("http://"),)))
        assert await _code(caller, f"{raw.url}/x") == ("redirect", True)
        assert len(raw.requests) == 1


async def test_an_answer_is_bounded_in_size_time_and_kind() -> None:
    async with raw_server() as raw:
        hosts = Hosts(names=(raw.url.removeprefix("http://"),))
        raw.plan(http(b"x" * 2_000))
        assert await _code(Outgoing(hosts, most_bytes=1_000), raw.url) == ("size", True)
        raw.plan(http(b"x", headers="Content-Encoding: gzip\r\n"))
        assert await _code(Outgoing(hosts), raw.url) == ("encoding", True)
        raw.plan(b"no http at all\r\n\r\n")
        assert await _code(Outgoing(hosts), raw.url) == ("network", True)
        raw.plan(http(b"slow"))
        raw.drip = 0.5
        assert await _code(Outgoing(hosts, seconds=0.3), raw.url) == ("timeout", True)


async def test_a_plain_answer_comes_whole_under_the_host_s_own_name() -> None:
    async with raw_server() as raw:
        raw.plan(http(b"picture", content_type="image/png"))
        found = await Outgoing(Hosts(names=(raw.url.removeprefix("http://"),))).call("GET", f"{raw.url}/a?b=1")
        assert (found.status, found.body, found.headers["content-type"]) == (200, b"picture", "image/png")
        assert raw.requests[0].startswith(b"GET /a?b=1 HTTP/1.1\r\n")
        assert f"host: {raw.url.removeprefix('http://')}".encode() in raw.requests[0].lower()
