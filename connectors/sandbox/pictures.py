"""Pictures out of nothing: a small PNG whose colours follow from its name."""

import struct
from zlib import compress, crc32

_WIDTH = 320
_HEIGHT = 240


def picture(name: str) -> bytes:
    """A PNG of 320 by 240 pixels: a gradient between two colours of the name's own."""
    seed = crc32(name.encode("utf-8", "surrogatepass"))
    top = [90 + (seed >> shift) % 120 for shift in (0, 8, 16)]
    bottom = [30 + (seed >> shift) % 90 for shift in (4, 12, 20)]
    rows = bytearray()
    for y in range(_HEIGHT):
        colour = bytes((a * (_HEIGHT - y) + b * y) // _HEIGHT for a, b in zip(top, bottom, strict=True))
        rows += b"\0" + colour * _WIDTH
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", compress(bytes(rows))) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))
