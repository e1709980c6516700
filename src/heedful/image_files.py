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


def read_image(file: Path | BytesIO) -> Image.Image:
    """Return an image in RGB, upright, on white where it is transparent; from a file, or from its bytes.

    Raises `SettingsError` for a file that cannot be read, and for pixels that have no range.
    """
    return to_rgb(_open(file), f" in {file}" if isinstance(file, Path) else "")


def read_mask(file: Path) -> Image.Image:
    """Return a mask in shades of grey, upright, black where it is transparent; raises as `read_image`."""
    return to_grey(_open(file), f" in {file}")


def to_rgb(image: Image.Image, where: str = "") -> Image.Image:
    """Return an image in RGB, 16 bits scaled to 8, on white where it is transparent.

    Raises `SettingsError` for pixels that have no range, and says `where`.
    """
    return _eight_bits(image, "white", where).convert("RGB")


def to_grey(image: Image.Image, where: str = "") -> Image.Image:
    """Return a mask in shades of grey, black where it is transparent; raises as `to_rgb`."""
    return _eight_bits(image, "black", where).convert("L")


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF says a camera was held."""
    return ImageOps.exif_transpose(image)


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


def _open(file: Path | BytesIO) -> Image.Image:
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
            return image
    except BROKEN as reason:
        where = f" at {file}" if isinstance(file, Path) else ""
        raise SettingsError(f"Expected an image{where}, but it cannot be read ({reason}). Name another.") from reason


def _eight_bits(image: Image.Image, ground: str, where: str) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, in Pillow's integers
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise SettingsError(f"Expected 8 or 16 bits for each pixel{where}, got more. Save it as 8-bit PNG.")
        return Image.fromarray((values / 257).round().astype(np.uint8))
    if image.mode == "F":
        raise SettingsError(
            f"Expected whole numbers as pixels{where}, got floating-point numbers, whose white is not known. "
            "Save it as 8-bit PNG."
        )
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, ground)
        paper.alpha_composite(image.convert("RGBA"))
        return paper
    return image
