"""Images in files: read right or refused, and as PNG."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from heedful.errors import SettingsError

BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for a file that is cut off, broken, enormous or no image."""
_END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"


def read_image(file: Path) -> Image.Image:
    """Return an image in RGB, upright, on white where it is transparent.

    Raises `SettingsError` for a file that cannot be read, and for pixels that have no range.
    """
    return _read(file, "white").convert("RGB")


def read_mask(file: Path) -> Image.Image:
    """Return a mask in shades of grey, upright, black where it is transparent; raises as `read_image`."""
    return _read(file, "black").convert("L")


def png_bytes(image: Image.Image, **texts: str) -> bytes:
    """Return `image` as a PNG file that carries `texts`: the same image and texts give the same bytes."""
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    buffer = BytesIO()
    image.save(buffer, format="PNG", pnginfo=chunks)
    return buffer.getvalue()


def is_whole_png(content: bytes) -> bool:
    """Return whether the end of a PNG file is there; `content` is the file or the last bytes of it."""
    return content.endswith(_END)


def _read(file: Path, ground: str) -> Image.Image:
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except BROKEN as reason:
        raise SettingsError(f"Expected an image at {file}, but it cannot be read ({reason}). Name another.") from reason
    if image.mode.startswith("I"):  # 16 bits a pixel, in Pillow's integers
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise SettingsError(f"Expected 8 or 16 bits for each pixel in {file}, got more. Save it as 8-bit PNG.")
        return Image.fromarray((values / 257).round().astype(np.uint8))
    if image.mode == "F":
        raise SettingsError(
            f"Expected whole numbers as pixels in {file}, got floating-point numbers, whose white is not known. "
            "Save it as 8-bit PNG."
        )
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, ground)
        paper.alpha_composite(image.convert("RGBA"))
        return paper
    return image
