"""A town hall's site with its guest book, in memory: what the stranger's connector talks to over HTTP."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.wire import Cut

if TYPE_CHECKING:
    from starlette.requests import Request

KEY = "hall-key-7"
NAME = "sadovoye.example"


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, media_type="application/json")  # ASCII: half a character survives it


@dataclass
class Guestbook:
    """The book: events in order, remarks by their number, failures that are planned for the next call of a path."""

    events: list[dict[str, Any]] = field(default_factory=list)
    remarks: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    """(path, what goes wrong): "before", "after", "malformed", or a status."""

    def write(self, kind: str, words: str, **more: Any) -> int:
        """Something new; its number."""
        number = more.pop("id", len(self.events) + 1)
        event = {"number": len(self.events) + 1, "kind": kind, "id": number, "words": words, "at": int(time.time()), **more}
        self.events.append(event)
        if kind == "remark":
            self.remarks[number] = event
        return int(number)

    def edit(self, remark: int, words: str) -> None:
        """The same remark with other words."""
        old = self.remarks[remark]
        kept = {key: value for key, value in old.items() if key not in {"number", "kind", "words"}}
        self.write("remark", words, **kept)

    def answers(self) -> list[dict[str, Any]]:
        """What stands there in the town hall's name."""
        return [one for one in self.remarks.values() if one.get("by_hall")]

    def app(self) -> Starlette:
        """The site."""
        return Starlette(
            routes=[
                Route("/api/book", self._guarded("book", self._book)),
                Route("/api/events", self._guarded("events", self._events)),
                Route("/api/remarks", self._guarded("remarks", self._remark), methods=["POST"]),
                Route("/api/marks/{mark}", self._guarded("marks", self._marked)),
            ]
        )

    def _guarded(self, path: str, act: Any) -> Any:
        async def answer(request: Request) -> Response:
            if request.headers.get("x-key") != KEY:
                return Response("unknown key", 401)
            fault = next((one for one in self.faults if one[0] == path), None)
            if fault is not None:
                self.faults.remove(fault)
            kind = fault[1] if fault else ""
            if kind.isdecimal():
                return Response("no", int(kind))
            if kind == "before":
                return Cut(b"{}")
            done: Response = await act(request)
            if kind == "after":
                return Cut(bytes(done.body))
            return _json(["nobody", "expected", "this"]) if kind == "malformed" else done

        return answer

    async def _book(self, _request: Request) -> Response:
        return _json({"name": NAME, "title": "Село Садовое", "address": f"https://{NAME}/guestbook"})

    async def _events(self, request: Request) -> Response:
        after, limit = int(request.query_params["after"]), int(request.query_params["limit"])
        return _json({"events": self.events[after : after + limit]})

    async def _remark(self, request: Request) -> Response:
        told = await request.json()
        if told["in_reply_to"] not in self.remarks:
            return Response("no such remark", 404)
        number = self.write("remark", told["words"], topic=told["topic"], in_reply_to=told["in_reply_to"], by_hall=True, mark=told["mark"])
        return _json(self.remarks[number])

    async def _marked(self, request: Request) -> Response:
        mark = request.path_params["mark"]
        return _json({"remarks": [one for one in self.answers() if one["mark"] == mark]})
