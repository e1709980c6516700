"""Pictures of what is to be learnt, as training sees them: cropped, mirrored, far away or close up, with a caption.

Knows pictures, masks and captions. All randomness comes from the generator that is passed in. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor

from heedful.errors import SettingsError
from heedful.options import Augmentation

FAR, NEAR = ("a far away", "very small"), ("zoomed in", "close up")
_SMALL = 0.6


@dataclass(frozen=True, eq=False)
class Example:
    """One picture that the model is shown."""

    pixels: Float[Tensor, "3 height width"]
    """In [-1, 1]."""
    mask: Float[Tensor, "1 height width"]
    """In [0, 1]: how much each pixel counts in the denoising loss."""
    caption: str


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with one caption each, and masks or none."""

    images: tuple[Image.Image, ...]
    captions: tuple[str, ...]
    masks: tuple[Image.Image, ...] | None = None
    """White where a picture counts; None counts all of it."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` unless there is a picture, and one caption and mask for each."""
        if not self.images:
            raise SettingsError("Expected at least one picture to learn from, got none.")
        if len(self.captions) != len(self.images):
            raise SettingsError(
                f"Expected one caption for each of {len(self.images)} pictures, got {len(self.captions)}."
            )
        if self.masks is not None and len(self.masks) != len(self.images):
            raise SettingsError(f"Expected one mask for each of {len(self.images)} pictures, got {len(self.masks)}.")

    def draw(
        self,
        rng: np.random.Generator,
        resolution: tuple[int, int],
        augmentation: Augmentation,
        *,
        say_scale: bool = True,
    ) -> Example:
        """Return one of the pictures, augmented, at `resolution` (height, width) in pixels.

        `say_scale` puts the scale into the caption: "a far away photo of ...".
        """
        place = int(rng.integers(len(self.images)))
        picture, mask = (square(each, resolution) for each in (self.images[place], self._mask(place)))
        if augmentation != "none" and rng.random() < 0.5:
            picture, mask = picture[:, ::-1], mask[:, ::-1]
        words = ""
        if augmentation == "custom-diffusion":
            picture, mask, words = scaled(rng, picture, mask)
        caption = self.captions[place]
        return Example(
            _tensor(picture) * 2 - 1, _tensor(mask[..., :1]), f"{words} {caption}" if words and say_scale else caption
        )

    def _mask(self, place: int) -> Image.Image:
        image = self.images[place]
        if self.masks is None:
            return Image.new("RGB", image.size, (255, 255, 255))
        mask = self.masks[place]
        if mask.size != image.size:
            raise SettingsError(
                f"Expected a mask of the picture's size, {image.width}x{image.height}, got {mask.width}x{mask.height}."
            )
        return mask.convert("RGB")


def digest(image: Image.Image) -> str:
    """Return the SHA-256 of a picture's pixels, size and mode, in hexadecimal digits."""
    return sha256(f"{image.size} {image.mode} ".encode() + image.tobytes()).hexdigest()


def square(image: Image.Image, resolution: tuple[int, int]) -> np.ndarray:
    """Return the centre of an image, (height, width, 3) uint8, resized so that nothing is stretched."""
    height, width = resolution
    return np.asarray(ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS))


def pixels_of(image: Image.Image) -> Float[Tensor, "3 height width"]:
    """Return an image in [-1, 1]."""
    return _tensor(np.asarray(image.convert("RGB"))) * 2 - 1


def joined(*parts: "Pictures | None") -> "Pictures":
    """Return all pictures of several; where some have masks, the others count whole."""
    there = [part for part in parts if part is not None]
    return Pictures(
        tuple(image for part in there for image in part.images),
        tuple(caption for part in there for caption in part.captions),
        tuple(
            mask for part in there for mask in part.masks or [Image.new("L", each.size, 255) for each in part.images]
        ),
    )


def scaled(rng: np.random.Generator, picture: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Return picture and mask at a random scale, and the words that say it (Kumari et al. 2023, section 3.2).

    Two times in three the scale lies in [1/3, 1], else in [1.2, 1.4]. Below .6 the small picture stands somewhere on
    gray, which does not count; above 1 a piece of the large one is shown; in between the picture stays as it is.
    """
    height, width = picture.shape[:2]
    scale = rng.uniform(1 / 3, 1) if rng.random() < 2 / 3 else rng.uniform(1.2, 1.4)
    if _SMALL <= scale <= 1:
        return picture, mask, ""
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pieces = [_resized(picture, size), _resized(mask, size)]
    top, left = (int(rng.integers(abs(a - b) + 1)) for a, b in zip(size, (height, width), strict=True))
    if scale > 1:
        window = np.s_[top : top + height, left : left + width]
        return pieces[0][window], pieces[1][window], str(rng.choice(NEAR))
    canvas, counts = np.full_like(picture, 127), np.zeros_like(mask)
    window = np.s_[top : top + size[0], left : left + size[1]]
    canvas[window], counts[window] = pieces
    return canvas, counts, str(rng.choice(FAR))


def collate(examples: Sequence[Example]) -> tuple[Tensor, Tensor, list[str]]:
    """Return pixels (batch, 3, height, width), masks (batch, 1, height, width) and captions."""
    return (
        torch.stack([example.pixels for example in examples]),
        torch.stack([example.mask for example in examples]),
        [example.caption for example in examples],
    )


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.LANCZOS))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.copy()).permute(2, 0, 1).float() / 255
