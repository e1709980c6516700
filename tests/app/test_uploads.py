import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from heedful.app.uploads import LARGEST_FILE, read_upload
from heedful.errors import SettingsError


def png_that_claims(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG that claims a size, whatever is in it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def test_an_image_is_read_upright_in_rgb() -> None:
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (4, 6, 4), dtype=np.uint8), "RGBA").save(buffer, "PNG")
    read = read_upload(buffer.getvalue())
    assert (read.mode, read.size) == ("RGB", (6, 4))


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_000, 9_000), (60_000, 60_000)])
def test_a_bomb_is_refused_by_what_it_claims_before_it_is_unpacked(size: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match="at most 50 million pixels"):
        read_upload(png_that_claims(*size, bytes(1_000)))


def test_what_is_no_image_is_refused() -> None:
    for content, says in (
        (b"", "got none"),
        (b"<svg onload=alert(1)>", "none that can be read"),
        (png_that_claims(8, 8)[:40], "cannot be read|none that can be read"),
        (png_that_claims(8, 8), "cannot be read"),
        (bytes(LARGEST_FILE + 1), "at most 50 MB"),
    ):
        with pytest.raises(SettingsError, match=says):
            read_upload(content)
