"""Images that a person drops on the page: read in memory, or refused in words before they take any."""

from io import BytesIO
from typing import NoReturn

from PIL import Image

from heedful.errors import SettingsError
from heedful.image_files import BROKEN, read_image

LARGEST_FILE = 50_000_000
"""Bytes."""
LARGEST = 50_000_000
"""Pixels; what a file claims is believed before any of it is unpacked."""


def read_upload(content: bytes) -> Image.Image:
    """Return an image in RGB, upright; raises `SettingsError` for what is none, or too large."""
    if len(content) > LARGEST_FILE:
        refuse_size(len(content))
    if not content:
        raise SettingsError("Expected an image to learn from, got none. Drop one on the page.")
    try:
        with Image.open(BytesIO(content)) as opened:
            width, height = opened.size
    except Image.DecompressionBombError as reason:
        raise _too_large(str(reason).split(" pixels")[0].split("(")[-1]) from reason
    except BROKEN as reason:
        raise SettingsError(
            "Expected an image, but the file is none that can be read. Save it as PNG or JPEG."
        ) from reason
    if width * height > LARGEST:
        raise _too_large(f"{width} x {height}")
    return read_image(BytesIO(content))


def refuse_size(size: int) -> NoReturn:
    """Raise `SettingsError` for a file of so many bytes."""
    raise SettingsError(f"Expected an image file of at most 50 MB, got {size / 1e6:.0f} MB. Save it smaller.")


def _too_large(got: str) -> SettingsError:
    return SettingsError(f"Expected an image of at most 50 million pixels, got {got}. Make it smaller first.")
