"""Servers that a platform's answers name (of long polls, of uploads): only its own hosts, or where its API is asked, are ever called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from connectors import meanings
from connectors.payload import OddError, is_object, readable_json
from connectors.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.payload import Json

OK: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """An address in two parts: the origin, and the path with its query."""

    origin: str
    path: str
    query: str

    @property
    def rest(self) -> str:
        """What is asked for at the origin."""
        return f"{self.path}?{self.query}" if self.query else self.path


def own_place(address: str, hosts: Sequence[str], *, base_url: str) -> Place:
    """The address, if it is https on one of these hosts or below, or where the API is. OddError otherwise, ValueError for no address."""
    parts = urlsplit(address if "://" in address else f"https://{address}")
    host = parts.hostname or ""
    known = parts.scheme == "https" and parts.port in {None, 443} and any(host == own or host.endswith(f".{own}") for own in hosts)
    if not known and parts[:2] != urlsplit(base_url)[:2]:
        raise OddError("the server is none of the platform's")
    return Place(f"{parts.scheme}://{parts.netloc}", parts.path or "/", parts.query)


class Servers:
    """Whatever is asked of such servers, one way to each."""

    def __init__(self, *, what: str, timeout: float, time_scale: float) -> None:
        """`what`: what they are called where their answer is odd."""
        self._what = what
        self._timeout = timeout
        self._scale = time_scale
        self._wires: dict[str, Wire] = {}

    async def ask(
        self,
        method: str,
        place: Place,
        *,
        query: Mapping[str, str | int] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Json:
        """One exchange; the object that is answered. Raises as a reading does."""
        scene = meanings.Scene(sending=False, credential_key="", time_scale=self._scale)
        wire = self._wires.get(place.origin)
        if wire is None:
            wire = self._wires[place.origin] = Wire(place.origin, self._timeout)
        heard = await wire.ask(method, place.path if query else place.rest, scene=scene, query=query, files=files)
        if heard.status != OK:
            raise meanings.from_status(heard.status, raw=heard.body, scene=scene)
        try:
            told: object = json.loads(readable_json(heard.body))
        except (ValueError, RecursionError):
            told = None
        if not is_object(told):
            raise meanings.unreadable("malformed", f"{self._what}: not what is described", raw=heard.body, scene=scene)
        return told

    async def close(self) -> None:
        """Release the sockets."""
        for wire in self._wires.values():
            await wire.close()
