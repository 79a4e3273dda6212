"""Attachments: what is shown is drawn anew - by content, bounded, without anything but its pixels."""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO
from zlib import compress, crc32

import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.kernel.outgoing import RefusedError
from app.media.pictures import PUBLISHED, redrawn, to_publish


def picture(kind: str = "PNG", *, size: tuple[int, int] = (40, 30), mode: str = "RGB", **more: object) -> bytes:
    out = BytesIO()
    Image.new(mode, size, 90 if mode in {"L", "P"} else (90, 20, 10, 0)[: len(mode)]).save(out, kind, **more)
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content), formats=["JPEG"])
    image.load()
    return image


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_attachments_every_usual_kind_becomes_a_jpeg(kind: str) -> None:
    shown = opened(redrawn(picture(kind, size=(800, 200)), longest=320))
    assert (shown.format, shown.size) == ("JPEG", (320, 80))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1"])
def test_every_mode_is_drawn_and_what_is_transparent_becomes_white(mode: str) -> None:
    shown = opened(redrawn(picture(mode=mode), longest=320))
    assert shown.mode == "RGB"
    if mode == "RGBA":
        assert all(channel > 250 for channel in shown.getpixel((5, 5)))  # type: ignore[union-attr]


def test_attachments_no_metadata_goes_on() -> None:
    """Where and by whom it was taken stays with us; so does whatever hides behind the picture."""
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    source = picture("JPEG", exif=exif, comment=b"secret comment") + b"<script>alert(1)</script>PK\x03\x04"
    assert b"secret" in source
    shown = redrawn(source, longest=320)
    assert not opened(shown).getexif()
    info = PngInfo()
    info.add_text("Author", "secret author")
    for content in (shown, redrawn(picture(pnginfo=info), longest=320)):
        assert b"secret" not in content
        assert b"script" not in content
        assert b"PK\x03\x04" not in content


def test_a_picture_on_its_side_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(redrawn(picture("JPEG", size=(40, 20), exif=exif), longest=320)).size == (20, 40)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7", b"\x00" * 64, b"BM" + b"\x00" * 60, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
        b"II*\x00\x08\x00\x00\x00", picture("TIFF"), picture("BMP"), picture("ICO"),
    ],
)  # fmt: skip
def test_attachments_dangerous_types_are_refused_whatever_they_are_called(content: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        redrawn(content, longest=320)
    assert refused.value.code in {"type", "broken"}


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", compress(b"\0" * 100_000)) + chunk(b"IEND", b"")


def test_attachments_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    assert len(bomb(30_000, 30_000)) < 1_000
    with pytest.raises(RefusedError) as refused:
        redrawn(bomb(30_000, 30_000), longest=320)
    assert refused.value.code == "pixels"
    with pytest.raises(RefusedError):
        redrawn(bomb(2**31 - 1, 2**31 - 1), longest=320)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([picture(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")]), st.data())
def test_a_damaged_picture_is_drawn_or_refused_and_breaks_nothing(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content) - 1))
    damaged = content[:at] + data.draw(st.binary(max_size=8)) + content[at + data.draw(st.integers(0, 8)) :]
    with suppress(RefusedError):
        assert redrawn(damaged, longest=64)[:2] == b"\xff\xd8"
    with suppress(RefusedError):
        drawn, width, height = to_publish(damaged)
        assert (opened(drawn).size, opened(drawn).info.get("exif")) == ((width, height), None)
        assert max(width, height) <= PUBLISHED
