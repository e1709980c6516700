"""DINOv2: how alike an image and the pictures are that its concepts were taught from.

Knows the model's class token. DINOv2 was trained without texts, so it sees the individual thing where a CLIP sees its
class (Ruiz et al. 2023).
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

from heedful.guidance import MapHistory
from heedful.models import find_device
from heedful.prompts import Prompt
from heedful.scores.alignment import FIGURES, Original, align, check_originals
from heedful.scores.boxes import Boxes
from heedful.scores.hub import load_network, load_processor
from heedful.scores.score import Figure, Score, Values


@dataclass(frozen=True, kw_only=True)
class DinoImage(Score):
    """Cosine of DINOv2's class tokens, after the last layer norm, of images and originals (`align`).

    Images are prepared as the model's own processor says: for the published ones the shorter side to 256 pixels, the
    middle 224x224.
    """

    figures: ClassVar[tuple[Figure, ...]] = FIGURES
    citations: ClassVar[tuple[str, ...]] = ("oquab2024dinov2", "ruiz2023dreambooth")
    needs_originals: ClassVar[bool] = True

    name: str = "dino"
    originals: tuple[Original, ...]
    boxes: Boxes | None = None
    """Finds the concepts in the images; None compares their originals with the whole image."""
    model: str = "facebook/dinov2-base"
    """Hub id or folder of a Dinov2Model."""
    device: str = "auto"

    def __post_init__(self) -> None:
        check_originals(self.originals)

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return how alike each image and its originals are, whole and by concept."""
        return align(self._embed, self.originals, self.boxes, images, prompts)

    @torch.no_grad()
    def _embed(self, images: Sequence[Image.Image]) -> Float[Tensor, "image width"]:
        network = load_network(Dinov2Model, self.model, find_device(self.device))
        if not images:
            return torch.zeros(0, network.config.hidden_size)
        processor = load_processor(BitImageProcessorPil, self.model)
        pixels = processor([image.convert("RGB") for image in images], return_tensors="pt").pixel_values
        return normalize(network(pixels.to(network.device)).pooler_output.cpu(), dim=-1)
