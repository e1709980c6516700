import pytest
from PIL import Image, ImageDraw

from heedful.world import render, sprites
from heedful.world.vocabulary import CLASSES


@pytest.fixture
def drawn_sprites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sprites drawn as polygons, a different one for each class: rendering without the emoji font."""

    def polygon(name: str) -> Image.Image:
        canvas = Image.new("RGBA", (96, 96))
        corners = 3 + CLASSES.index(name) % 6
        shade = 60 + 7 * CLASSES.index(name)
        pen = ImageDraw.Draw(canvas)
        pen.regular_polygon((48, 48, 44), corners, fill=(shade, 255 - shade, 120))
        pen.rectangle((36, 36, 48, 48), fill=(20, 20, 20))
        return canvas

    for cached in (sprites.sprite, render._placed):
        cached.cache_clear()
    monkeypatch.setattr(sprites, "_glyph", polygon)
    yield
    for cached in (sprites.sprite, render._placed):
        cached.cache_clear()
