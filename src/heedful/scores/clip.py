"""CLIP: how well an image and a text, or an image and an original, agree.

Knows Attend-and-Excite's protocol for texts and DisenDiff's for images. The embedded world's CLIP is the default, and
needs no download; it knows the world's words and pictures only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.alignment import FIGURES, Original, align, check_originals
from heedful.scores.boxes import Boxes
from heedful.scores.embedding import cosine, load_embedder
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.scores.templates import Templates, halves, sentences, spoken

B16 = "openai/clip-vit-base-patch16"
"""The model of Attend-and-Excite's published numbers."""
B32 = "openai/clip-vit-base-patch32"
"""The model of DisenDiff's published numbers."""


@dataclass(frozen=True, kw_only=True)
class ClipText(Score):
    """Cosine of an image and its prompt, and of the part of the prompt that agrees least (Chefer et al. 2023).

    The parts lie between " and ", or else between " with "; a prompt with neither is its own only part, where the
    published code leaves it out. A text is the mean unit vector of its `templates`. Placeholder tokens are left out.
    With `model=B16, templates="imagenet"` this is the published protocol; CLIPScore (Hessel et al. 2021) is
    2.5 max(cosine, 0).
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="text", low=-1.0, high=1.0, higher_is_better=True, says="cosine of the image and the whole prompt"),
        Figure(
            name="text_min",
            low=-1.0,
            high=1.0,
            higher_is_better=True,
            says="the smallest cosine of the image and a part of the prompt",
        ),
    )
    citations: ClassVar[tuple[str, ...]] = ("radford2021clip", "hessel2021clipscore", "chefer2023attend")

    name: str = "clip"
    model: str | None = None
    """Hub id or folder of a CLIPModel; None is the embedded world's."""
    templates: Templates = "plain"
    """The world's CLIP knows no words of the templates."""
    device: str = "auto"

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the cosines of each image with its prompt and with the part that agrees least."""
        check_prompts(images, prompts)
        embedder = load_embedder(self.model, self.device)
        values: Values = {"text": [], "text_min": []}
        for vector, prompt in zip(embedder.images(images), prompts, strict=True):
            text = spoken(prompt.text)
            whole, *parts = (
                cosine(vector, embedder.text(sentences(part, self.templates))) for part in (text, *halves(text))
            )
            values["text"].append(whole)
            values["text_min"].append(min(parts))
        return values


@dataclass(frozen=True, kw_only=True)
class ClipImage(Score):
    """Cosine of an image and the pictures that its concepts were taught from, whole and by concept (`align`).

    With `model=B32` and originals that show one concept each, `concept` follows DisenDiff's protocol (Zhang et al.
    2024): the original is cut out, the image is not.
    """

    figures: ClassVar[tuple[Figure, ...]] = FIGURES
    citations: ClassVar[tuple[str, ...]] = ("radford2021clip", "zhang2024disendiff")
    needs_originals: ClassVar[bool] = True

    name: str = "clip"
    originals: tuple[Original, ...]
    boxes: Boxes | None = None
    """Finds the concepts in the images; None compares their originals with the whole image."""
    model: str | None = None
    """Hub id or folder of a CLIPModel; None is the embedded world's."""
    device: str = "auto"

    def __post_init__(self) -> None:
        check_originals(self.originals)

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return how alike each image and its originals are, whole and by concept."""
        embedder = load_embedder(self.model, self.device)
        return align(embedder.images, self.originals, self.boxes, images, prompts)
