"""Training images with captions and masks, and how a step sees one: cropped, mirrored, far away or close up."""

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
GRAY = (127, 127, 127)
"""What stands where an image does not reach; it does not count."""
_SMALL = 0.6

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, eq=False)
class Example:
    """One image that the model is shown."""

    pixels: Float[Tensor, "3 height width"]
    """In [-1, 1]."""
    mask: Float[Tensor, "1 height width"]
    """In [0, 1]: how much each pixel counts in the denoising loss."""
    caption: str


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Images with one caption each, and masks or none."""

    images: tuple[Image.Image, ...]
    captions: tuple[str, ...]
    masks: tuple[Image.Image, ...] | None = None
    """White where an image counts; None counts all of it."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` unless there is an image, and one caption and one mask of its size for each."""
        if not self.images:
            raise SettingsError("Expected at least one image to learn from, got none.")
        for name, given in (("caption", self.captions), ("mask", self.masks)):
            if given is not None and len(given) != len(self.images):
                raise SettingsError(f"Expected one {name} for each of {len(self.images)} images, got {len(given)}.")
        for image, mask in zip(self.images, self.masks or (), strict=False):
            if mask.size != image.size:
                raise SettingsError(
                    f"Expected a mask of the image's size, {image.width}x{image.height}, got "
                    f"{mask.width}x{mask.height}."
                )

    def check_masks(self, size: Size) -> None:
        """Raise `SettingsError` for a mask that is black all over the square that is learnt."""
        for number, mask in enumerate(self.masks or (), start=1):
            if not crop(mask, size).any():
                raise SettingsError(
                    f"Expected masks that are white where an image counts, got one (number {number}) that is black all "
                    "over the square that is learnt. Mark something there, or leave the masks out."
                )

    def draw(
        self, rng: np.random.Generator, size: Size, augmentation: Augmentation, *, say_scale: bool = True
    ) -> Example:
        """Return one of the images, augmented, at `size`.

        `say_scale` puts the scale into the caption: "a far away photo of ...".
        """
        index = int(rng.integers(len(self.images)))
        image = crop(self.images[index], size)
        mask = np.full_like(image, 255) if self.masks is None else crop(self.masks[index], size)
        if augmentation != "none" and rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        words = ""
        if augmentation == "custom-diffusion":
            image, mask, words = rescale(rng, image, mask)
        caption = self.captions[index]
        return Example(
            _tensor(image) * 2 - 1, _tensor(mask[..., :1]), f"{words} {caption}" if words and say_scale else caption
        )


def digest(image: Image.Image) -> str:
    """Return the SHA-256 of an image's pixels, size and mode, in hexadecimal digits."""
    return sha256(f"{image.size} {image.mode} ".encode() + image.tobytes()).hexdigest()


def crop(image: Image.Image, size: Size) -> np.ndarray:
    """Return the centre of an image, (height, width, 3) uint8, resized so that nothing is stretched."""
    height, width = size
    return np.asarray(ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS))


def pixels_of(image: Image.Image) -> Float[Tensor, "3 height width"]:
    """Return an image in [-1, 1]."""
    return _tensor(np.asarray(image.convert("RGB"))) * 2 - 1


def join(*parts: TrainingImages | None) -> TrainingImages:
    """Return all images of several; where some have masks, the others count whole."""
    there = [part for part in parts if part is not None]
    return TrainingImages(
        tuple(image for part in there for image in part.images),
        tuple(caption for part in there for caption in part.captions),
        tuple(
            mask for part in there for mask in part.masks or [Image.new("L", each.size, 255) for each in part.images]
        ),
    )


def rescale(rng: np.random.Generator, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Return image and mask at a random scale, and the words that say it (Kumari et al. 2023, section 3.2).

    Two times in three the scale lies in [1/3, 1], else in [1.2, 1.4]. Below 0.6 the small image stands somewhere on
    gray, which does not count; above 1 a part of the large one is shown; in between the image stays as it is.
    """
    height, width = image.shape[:2]
    scale = rng.uniform(1 / 3, 1) if rng.random() < 2 / 3 else rng.uniform(1.2, 1.4)
    if _SMALL <= scale <= 1:
        return image, mask, ""
    size = max(1, round(height * scale)), max(1, round(width * scale))
    resized = [
        np.asarray(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.LANCZOS))
        for values in (image, mask)
    ]
    top, left = (int(rng.integers(abs(a - b) + 1)) for a, b in zip(size, (height, width), strict=True))
    if scale > 1:
        window = np.s_[top : top + height, left : left + width]
        return resized[0][window], resized[1][window], str(rng.choice(NEAR))
    canvas, counts = np.full_like(image, GRAY), np.zeros_like(mask)
    window = np.s_[top : top + size[0], left : left + size[1]]
    canvas[window], counts[window] = resized
    return canvas, counts, str(rng.choice(FAR))


def collate(examples: Sequence[Example]) -> tuple[Tensor, Tensor, list[str]]:
    """Return pixels (batch, 3, height, width), masks (batch, 1, height, width) and captions."""
    return (
        torch.stack([example.pixels for example in examples]),
        torch.stack([example.mask for example in examples]),
        [example.caption for example in examples],
    )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.copy()).permute(2, 0, 1).float() / 255  # -> (channel, height, width)
