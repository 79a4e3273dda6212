"""Calls to addresses that somebody else wrote: only to allowed hosts, only to public addresses, and to the very one that was checked.

A name is resolved once, every address it has is looked at, and the connection goes to one of those: no second resolution could
lead elsewhere. Redirects are not followed, answers are bounded in size and time, compressed ones refused, proxies of the
environment ignored.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httpx

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host (OSError when it has none)."""

_REDIRECTS = range(300, 400)
_HTTPS = 443
_LONGEST_URL = 2_000
# Addresses that carry another one inside: what is inside would be reached, whatever the outside looks like.
_WRAPPERS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")))


class RefusedError(Exception):
    """Not called, or not taken: `code` says why. Nothing was sent unless `sent`."""

    def __init__(self, code: str, detail: str, *, sent: bool = False) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.sent = sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Hosts:
    """Hosts that may be called: `example.org`, `*.example.org` (any below it), or `127.0.0.1:8010` - this machine, that port, http."""

    names: tuple[str, ...] = ()

    def allow(self, host: str, port: int) -> bool:
        """Whether the list names it, on the port of https or on the very port that is named."""
        if self.names_port(host, port):
            return True
        return port == _HTTPS and any(
            host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name for name in self.names
        )

    def names_port(self, host: str, port: int) -> bool:
        """Whether this very port of this very host is named: only so a host of this machine can be."""
        return f"{host}:{port}" in self.names


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """An address taken apart and allowed."""

    scheme: str
    host: str
    port: int
    path: str
    local: bool
    """This machine was named on purpose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def parse_hosts(words: str) -> Hosts:
    """Hosts by comma or space. ValueError for one that is none."""
    names = tuple(name.lower().rstrip(".") for name in words.replace(",", " ").split())
    for name in names:
        bare, colon, port = name.removeprefix("*.").partition(":")
        if not bare or "*" in bare or "/" in name or "@" in name or (colon and not port.isdigit()):
            raise ValueError(f"{name!r} is no host: write example.org, *.example.org or 127.0.0.1:8010")
    return Hosts(names=names)


def target(url: str, hosts: Hosts) -> Target:
    """The address taken apart. RefusedError `address` for one that is none, `host` for one that is not allowed."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii").lower().rstrip(".") if ":" not in (parts.hostname or "") else ""
        port = parts.port or (_HTTPS if parts.scheme == "https" else 80)
    except (ValueError, UnicodeError) as error:
        raise RefusedError("address", "This is no address.") from error
    plain = url.isascii() and url.isprintable() and "\\" not in url and len(url) <= _LONGEST_URL
    if not host or not plain or parts.scheme not in {"https", "http"} or parts.username is not None or parts.password is not None:
        raise RefusedError("address", "Only plain https addresses are called.")
    local = hosts.names_port(host, port)
    if not hosts.allow(host, port) or (parts.scheme == "http" and not local):
        raise RefusedError("host", f"The host {host[:100]} is not on the list of allowed ones.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, local=local)


def public(address: str) -> bool:
    """Whether an address belongs to the public network and hides no other one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return public(str(found.ipv4_mapped))
        if any(found in wrapper for wrapper in _WRAPPERS):
            return False
    return found.is_global and not found.is_multicast


def loopback(address: str) -> bool:
    """Whether it is this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses that the system knows for a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Outgoing:
    """Calls allowed hosts. Keeps no connection: the next call resolves and looks anew."""

    def __init__(self, hosts: Hosts, *, seconds: float = 8.0, most_bytes: int = 8_000_000, resolver: Resolve = resolve) -> None:
        """`seconds`: until an answer must have come as a whole; `most_bytes`: how large it may be."""
        self.hosts = hosts
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._resolver = resolver

    async def call(
        self, method: Literal["GET", "POST"], url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """The answer, whatever its status but a redirect. RefusedError: see its code; `sent` when it may have reached somebody."""
        where = target(url, self.hosts)
        sent = False
        try:
            async with asyncio.timeout(self._seconds):
                address = await self._checked(where)
                sent = True
                return await self._ask(method, where, address, headers or {}, body)
        except TimeoutError as error:
            raise RefusedError("timeout", f"No whole answer within {self._seconds:g} s.", sent=sent) from error
        except httpx.ConnectError as error:
            raise RefusedError("network", "The host cannot be reached.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RefusedError("network", f"The connection failed: {type(error).__name__}.", sent=sent) from error

    async def _checked(self, where: Target) -> str:
        """An address that may be connected to. All are looked at: one bad one among them is a trick."""
        try:
            addresses = await self._resolver(where.host, where.port)
        except (OSError, UnicodeError) as error:
            raise RefusedError("network", "The host has no address.") from error
        good = loopback if where.local else public
        if not addresses or not all(map(good, addresses)):
            raise RefusedError("private", "The host leads to an address that is not public.")
        return addresses[0]

    async def _ask(self, method: str, where: Target, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
        literal = f"[{address}]" if ":" in address else address
        named = where.host if where.port == (_HTTPS if where.scheme == "https" else 80) else f"{where.host}:{where.port}"
        sent_headers = {"Accept-Encoding": "identity", "User-Agent": "otklik", **headers, "Host": named}
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=self._seconds) as client,
            client.stream(
                method,
                f"{where.scheme}://{literal}:{where.port}{where.path}",
                headers=sent_headers,
                content=body or None,
                extensions={"sni_hostname": where.host},  # the certificate is of the name, the connection to the address
            ) as response,
        ):
            if response.status_code in _REDIRECTS:
                raise RefusedError("redirect", "It leads elsewhere.", sent=True)
            if response.headers.get("content-encoding", "identity") != "identity":
                raise RefusedError("encoding", "The answer is compressed, though we did not ask for it.", sent=True)
            taken = bytearray()
            async for part in response.aiter_raw():
                taken += part
                if len(taken) > self._most_bytes:
                    raise RefusedError("size", f"The answer is larger than {self._most_bytes} bytes.", sent=True)
            return Answer(status=response.status_code, headers=dict(response.headers), body=bytes(taken))
