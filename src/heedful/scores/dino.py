"""DINOv2: how alike an image and the images are that its concepts were taught from.

DINOv2 was trained without texts, so it sees the individual thing where a CLIP sees its class (Ruiz et al. 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize
from transformers import BitImageProcessorPil, Dinov2Model

from heedful.models import find_device
from heedful.scores.alignment import ImageScore
from heedful.scores.hub import image_pixels, load_network


@dataclass(frozen=True, kw_only=True)
class DinoImage(ImageScore):
    """Cosine of DINOv2's class tokens, after the last layer norm, of images and originals; see `ImageScore`.

    Images are prepared as the model's own processor says: for the published ones the shorter side to 256 pixels, the
    middle 224x224.
    """

    citations: ClassVar[tuple[str, ...]] = ("oquab2024dinov2", "ruiz2023dreambooth")

    name: str = "dino"
    model: str = "facebook/dinov2-base"
    """Hub id or folder of a Dinov2Model."""

    @torch.no_grad()
    def embed(self, images: Sequence[Image.Image]) -> Float[Tensor, "image width"]:
        """Return the unit vector of each image."""
        network = load_network(Dinov2Model, self.model, find_device(self.device))
        if not images:
            return torch.zeros(0, network.config.hidden_size)
        pixels = image_pixels(BitImageProcessorPil, self.model, images, network.device)
        return normalize(network(pixels).pooler_output.cpu(), dim=-1)
