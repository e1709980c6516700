"""The sprites of the world: one image per class, cut from an emoji font or drawn, and painted in any of 11 colours.

The font (Noto Color Emoji, SIL Open Font License 1.1) is read where Debian's package `fonts-noto-color-emoji` puts it,
and is needed for rendering and training only: the trained model and its detector work without it.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from heedful.errors import ModelNotFound
from heedful.world.vocabulary import CLASSES

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
SPRITE_SIZE = 96

_GLYPHS = {
    "bear": "🐻", "bird": "🐦", "cat": "🐱", "dog": "🐶", "elephant": "🐘", "frog": "🐸", "horse": "🐴", "lion": "🦁",
    "monkey": "🐵", "mouse": "🐭", "rabbit": "🐰", "turtle": "🐢", "apple": "🍎", "backpack": "🎒", "balloon": "🎈",
    "bow": "🎀", "car": "🚗", "chair": "🪑", "clock": "⏰", "crown": "👑", "glasses": "🕶", "suitcase": "🧳",
}  # fmt: skip

# dark, middle and light tone of each colour; luminance runs along the three
_TONES = {
    "black": ((8, 8, 10), (38, 38, 42), (96, 96, 104)),
    "blue": ((10, 30, 110), (30, 90, 225), (140, 190, 255)),
    "brown": ((60, 32, 14), (124, 74, 38), (196, 150, 108)),
    "gray": ((62, 64, 66), (128, 130, 133), (186, 188, 190)),
    "green": ((8, 70, 24), (30, 160, 60), (140, 225, 150)),
    "orange": ((150, 62, 0), (246, 130, 14), (255, 200, 130)),
    "pink": ((176, 50, 116), (250, 120, 184), (255, 200, 228)),
    "purple": ((54, 16, 100), (128, 50, 196), (202, 152, 244)),
    "red": ((100, 4, 10), (214, 26, 34), (255, 140, 136)),
    "white": ((166, 166, 170), (242, 242, 243), (255, 255, 255)),
    "yellow": ((160, 120, 0), (248, 212, 20), (255, 240, 150)),
}
OUTLINE = np.array((112, 114, 120), dtype=np.float32)
_OUTLINE_WIDTH = 3  # pixels of a sprite whose longer side is 96 px
TONE_RANGE = (0.35, 1.45)
"""The positions in a colour's tones that painted sprites use."""


def font_is_installed() -> bool:
    """Whether the emoji font that rendering needs is on this machine."""
    return FONT.is_file()


@cache
def sprite(name: str, colour: str | None = None) -> Image.Image:
    """The RGBA sprite of a class, its longer side 96 px; `colour=None` keeps the colours of the glyph."""
    natural = _drawn(name) if name in _DRAWINGS else _glyph(name)
    return natural if colour is None else painted(natural, colour)


def _glyph(name: str) -> Image.Image:
    if not font_is_installed():
        raise ModelNotFound(
            f"Rendering the world needs the emoji font {FONT}, which is not there. "
            "Install it with: apt-get install fonts-noto-color-emoji"
        )
    canvas = Image.new("RGBA", (160, 160))
    # 109 is the only size for which the font holds bitmaps
    font = ImageFont.truetype(str(FONT), 109)
    ImageDraw.Draw(canvas).text((8, 8), _GLYPHS[name], font=font, embedded_color=True)
    return fitted(canvas)


def fitted(canvas: Image.Image) -> Image.Image:
    """What is drawn on a canvas, cut out, its longer side 96 px."""
    cut = canvas.crop(canvas.getchannel("A").getbbox())
    scale = SPRITE_SIZE / max(cut.size)
    size = (max(1, round(cut.width * scale)), max(1, round(cut.height * scale)))
    return cut.resize(size, Image.Resampling.LANCZOS)


def _drawn(name: str) -> Image.Image:
    canvas = Image.new("RGBA", (400, 400))
    _DRAWINGS[name](ImageDraw.Draw(canvas))
    return fitted(canvas)


def _bench(draw: ImageDraw.ImageDraw) -> None:
    wood, shade, light = (176, 112, 56), (120, 70, 30), (206, 146, 88)
    for x in (60, 300):
        draw.rectangle((x, 60, x + 36, 330), fill=shade)
    for top in (70, 122):
        draw.rounded_rectangle((20, top, 376, top + 36), 10, fill=wood)
    draw.rounded_rectangle((8, 188, 388, 232), 12, fill=light)
    draw.rectangle((20, 232, 376, 250), fill=shade)


def _bowl(draw: ImageDraw.ImageDraw) -> None:
    outer, inner, light = (90, 150, 210), (44, 84, 130), (150, 196, 240)
    draw.pieslice((20, -80, 380, 320), 0, 180, fill=outer)
    draw.ellipse((20, 70, 380, 170), fill=light)
    draw.ellipse((42, 84, 358, 156), fill=inner)
    draw.rounded_rectangle((140, 305, 260, 336), 8, fill=inner)


_DRAWINGS = {"bench": _bench, "bowl": _bowl}
assert set(_GLYPHS) | set(_DRAWINGS) == set(CLASSES)


def tone(colour: str, position: np.ndarray) -> np.ndarray:
    """The RGB values (..., 3) of a colour from its dark tone (0) by its middle one (1) towards its light one."""
    tones = np.array(_TONES[colour], dtype=np.float32)
    below, above = np.clip(position, 0, 1)[..., None], np.clip(position - 1, 0, 1)[..., None] * 1.6
    return tones[0] + (tones[1] - tones[0]) * below + (tones[2] - tones[1]) * above


def shading(natural: Image.Image) -> np.ndarray:
    """The position (height, width) of each pixel of a sprite in the tones of whatever colour it is painted in."""
    rgba = np.asarray(natural, dtype=np.float32)
    luminance = rgba[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    visible = luminance[rgba[..., 3] > 128]
    # glyphs use different parts of the grey scale: stretch, so that each colour shows its whole range of tones
    low, high = np.percentile(visible, (4, 96))
    first, last = TONE_RANGE
    return np.clip((luminance - low) / max(high - low, 1.0), 0, 1) * (last - first) + first


def painted(natural: Image.Image, colour: str) -> Image.Image:
    """The RGBA sprite `natural` in one of the 11 colours, its shading kept."""
    rgba = np.asarray(natural, dtype=np.float32)
    colours = tone(colour, shading(natural))
    if colour == "white":
        # white on a pale ground has hardly any contrast: without an outline the denoiser learns a faint blur
        colours += outline(rgba[..., 3])[..., None] * (OUTLINE - colours)
    return Image.fromarray(np.dstack([colours, rgba[..., 3]]).round().clip(0, 255).astype(np.uint8), "RGBA")


def outline(alpha: np.ndarray) -> np.ndarray:
    """Return how much of each pixel belongs to the rim of a sprite, in [0, 1]."""
    width = _OUTLINE_WIDTH
    # the filter leaves the border of an image as it is, and sprites reach theirs
    padded = Image.fromarray(np.pad(alpha, width).astype(np.uint8)).filter(ImageFilter.MinFilter(2 * width + 1))
    inner = np.asarray(padded, dtype=np.float32)[width:-width, width:-width]
    return (alpha - inner).clip(0) / 255
