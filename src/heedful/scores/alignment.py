"""How alike images and originals are: the whole image, and each concept alone.

An original is an image that concepts were taught from, or a part of it. `clip.py` and `dino.py` make the vectors that
are compared.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from heedful.errors import SettingsError
from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.boxes import Boxes, Part, crop
from heedful.scores.embedding import cosine
from heedful.scores.score import Figure, Score, Values, check_prompts


@dataclass(frozen=True, kw_only=True)
class Original:
    """An image to be alike, or the part of it that shows one concept."""

    image: Path
    concept: str | None = None
    """The noun that it shows, as in the prompts: "cat". None: the whole image, whatever the prompt."""
    box: Part | None = None
    """Where in the image: left, top, right, bottom as shares of its sides. None: all of it."""


@dataclass(frozen=True, kw_only=True)
class ImageScore(Score):
    """Cosines of images and the originals that their concepts were taught from, whole and by concept.

    Without `boxes` a concept's original is compared with the whole image, as DisenDiff does (Zhang et al. 2024). With
    them, it is compared with the surest box of the concept, and a concept that is not found does not count: this says
    how a concept looks, not whether it is there. None where there is nothing to compare.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            name="image",
            low=-1.0,
            says="cosine of the image and the original, mean over the originals that show no one concept",
        ),
        Figure(
            name="concept",
            low=-1.0,
            says="cosine of each concept's crop and its original, mean over the concepts that have both",
        ),
    )
    needs_originals: ClassVar[bool] = True

    originals: tuple[Original, ...]
    boxes: Boxes | None = None
    """Finds the concepts in the images; None compares their originals with the whole image."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if not self.originals:
            raise SettingsError(
                "Expected images to compare with, got none. "
                "Pass originals=(Original(image=Path(...)), Original(image=Path(...), concept='cat', box=...))."
            )

    @abstractmethod
    def embed(self, images: Sequence[Image.Image]) -> Float[Tensor, "image width"]:
        """Return the unit vector of each image."""

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return how alike each image and its originals are, whole and by concept."""
        check_prompts(images, prompts)
        vectors = self.embed([_open(original) for original in self.originals])
        pairs = list(zip(vectors, self.originals, strict=True))
        found = self.boxes(images, prompts) if self.boxes else None
        values: Values = {"image": [], "concept": []}
        for item, (image, prompt, vector) in enumerate(zip(images, prompts, self.embed(images), strict=True)):
            values["image"].append(_mean([cosine(vector, whole) for whole, each in pairs if each.concept is None]))
            alike: list[float] = []
            for noun in dict.fromkeys(concept.noun for concept in prompt.concepts):
                wanted = [original for original, each in pairs if each.concept == noun]
                if found is None:
                    alike += [cosine(vector, original) for original in wanted]
                elif wanted and found[item].get(noun):
                    seen = self.embed([crop(image, found[item][noun][0])])[0]
                    alike += [cosine(seen, original) for original in wanted]
            values["concept"].append(_mean(alike))
        return values


def _open(original: Original) -> Image.Image:
    try:
        with Image.open(original.image) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as reason:
        raise SettingsError(
            f"Expected an image at {original.image}, but it cannot be read ({reason}). Name another file."
        ) from reason
    return image if original.box is None else crop(image, original.box)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
