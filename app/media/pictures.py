"""A picture made anew: what came is decoded and drawn again, so nothing but its pixels goes on to the reader."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from app.kernel.outgoing import RefusedError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
STILL = ("JPEG", "PNG", "WEBP")
"""By content, whatever name or type it came with. No vector graphics: they are programs."""
MOST_PIXELS = 24_000_000
"""More is refused before it is unpacked: a small file can hold a huge picture."""
MEDIA_TYPE = "image/jpeg"
PUBLISHED = 2560
"""No side of a picture that goes out is longer: platforms show none larger."""


def to_publish(content: bytes) -> tuple[bytes, int, int]:
    """The picture as it goes out with an answer, its width and height: as `redrawn`. No GIF: it would move no more."""
    drawn = redrawn(content, longest=PUBLISHED, formats=STILL)
    with Image.open(BytesIO(drawn)) as image:
        return drawn, image.width, image.height


def redrawn(content: bytes, *, longest: int, formats: tuple[str, ...] = FORMATS) -> bytes:
    """A JPEG of the first frame, no side longer than `longest`, without metadata. RefusedError `type`, `pixels` or `broken`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, which is thrown away
        try:
            with Image.open(BytesIO(content), formats=formats) as image:  # reads the head only
                if image.width * image.height > MOST_PIXELS:
                    raise RefusedError("pixels", f"The picture has {image.width} × {image.height} pixels.", sent=True)
                image.draft("RGB", (longest, longest))
                return _drawn(image, longest)
        except UnidentifiedImageError as error:
            raise RefusedError("type", "This is no picture that we show.", sent=True) from error
        except Image.DecompressionBombError as error:
            raise RefusedError("pixels", "The picture says that it is huge.", sent=True) from error
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError) as error:
            raise RefusedError("broken", f"The picture cannot be read: {type(error).__name__}.", sent=True) from error


def _drawn(image: Image.Image, longest: int) -> bytes:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
        layered = upright.convert("RGBA")
        flat = Image.new("RGB", layered.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
    else:
        flat = upright.convert("RGB")
    flat.thumbnail((longest, longest))
    clean = Image.new("RGB", flat.size)
    clean.paste(flat)
    out = BytesIO()
    clean.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()
