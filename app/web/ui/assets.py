"""Static files from memory: read and compressed once at start, kept by browsers for as long as they do not change."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from app.web.ui.render import FONTS

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_PACKED = (".css", ".js", ".svg", ".json", ".html", ".txt")
_SMALL = 1_000
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "public, no-cache"
_TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    content: bytes
    packed: bytes | None
    media_type: str
    version: str
    is_font: bool  # a new one comes in a new folder: the folder's name holds its version


class StaticFiles:
    """An ASGI application over a folder. An address with the right `v` never changes what it means."""

    def __init__(self, folder: Path, versions: dict[str, str]) -> None:
        """`versions`: the digest of each file by its path below the folder; nothing else is served."""
        self._files = {name: _read(folder / name, version) for name, version in versions.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""
        response = self._answer(scope)
        await response(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("405 Method Not Allowed\n", status_code=405, headers={"Allow": "GET, HEAD"})
        found = self._files.get(scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/"))
        if found is None:
            return PlainTextResponse("404 Not Found\n", status_code=404)
        sent = {name: value for name, value in scope["headers"] if name in {b"if-none-match", b"accept-encoding"}}
        tag = f'"{found.version}"'
        known = found.is_font or scope["query_string"] == f"v={found.version}".encode()
        headers = {"ETag": tag, "Cache-Control": _FOR_EVER if known else _ASK_AGAIN, "Vary": "Accept-Encoding"}
        if sent.get(b"if-none-match", b"").decode("latin-1") == tag:
            return Response(status_code=304, headers=headers)
        if found.packed is not None and b"gzip" in sent.get(b"accept-encoding", b""):
            return Response(found.packed, media_type=found.media_type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(found.content, media_type=found.media_type, headers=headers)


def _read(path: Path, version: str) -> _File:
    content = path.read_bytes()
    packs = path.suffix in _PACKED and len(content) > _SMALL
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(
        content=content,
        packed=gzip.compress(content, compresslevel=9, mtime=0) if packs else None,
        media_type=media_type,
        version=version,
        is_font=path.suffix == FONTS,
    )
