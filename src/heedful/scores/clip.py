"""CLIP: how well an image and a text, or an image and an original, agree.

Texts follow Attend-and-Excite's protocol, images DisenDiff's. The embedded world's CLIP is the default, and needs no
download; it knows the world's words and images only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.scores.alignment import ImageScore
from heedful.scores.embedding import Embedder, cosine, load_embedder
from heedful.scores.score import Figure, Score, Values, check_prompts
from heedful.scores.templates import Templates, halves, sentences, spoken

B16 = "openai/clip-vit-base-patch16"
"""The model of Attend-and-Excite's published numbers."""
B32 = "openai/clip-vit-base-patch32"
"""The model of DisenDiff's published numbers."""


@dataclass(frozen=True, kw_only=True)
class TextScore(Score):
    """What compares by a CLIP with the text of a prompt, which is the mean unit vector of its `templates`."""

    model: str | None = None
    """Hub id or folder of the CLIPModel that compares; None is the embedded world's."""
    templates: Templates = "plain"
    """The world's CLIP knows no words of the templates."""
    device: str = "auto"

    def embedder(self) -> Embedder:
        """Return the CLIP that compares, loaded once."""
        return load_embedder(self.model, self.device)

    def embed(self, text: str) -> Float[Tensor, "width"]:
        """Return the unit vector of a text, or of a part of a prompt, in the templates."""
        return self.embedder().text(sentences(text, self.templates))


@dataclass(frozen=True, kw_only=True)
class ClipText(TextScore):
    """Cosine of an image and its prompt, and of the part of the prompt that agrees least (Chefer et al. 2023).

    The parts lie between " and ", or else between " with "; a prompt with neither is its own only part, where the
    published code skips it. Placeholder tokens are skipped. With `model=B16, templates="imagenet"` this is the
    published protocol; CLIPScore (Hessel et al. 2021) is 2.5 max(cosine, 0).
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(name="text", low=-1.0, says="cosine of the image and the whole prompt"),
        Figure(name="text_min", low=-1.0, says="the smallest cosine of the image and a part of the prompt"),
    )
    citations: ClassVar[tuple[str, ...]] = ("radford2021clip", "hessel2021clipscore", "chefer2023attend")

    name: str = "clip"

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return the cosines of each image with its prompt and with the part that agrees least."""
        check_prompts(images, prompts)
        values: Values = {"text": [], "text_min": []}
        for vector, prompt in zip(self.embedder().images(images), prompts, strict=True):
            text = spoken(prompt.text)
            whole, *parts = (cosine(vector, self.embed(part)) for part in (text, *halves(text)))
            values["text"].append(whole)
            values["text_min"].append(min(parts))
        return values


@dataclass(frozen=True, kw_only=True)
class ClipImage(ImageScore):
    """Cosine of CLIP's vectors of an image and the originals that its concepts were taught from; see `ImageScore`.

    With `model=B32` and originals that show one concept each, `concept` follows DisenDiff's protocol (Zhang et al.
    2024): the original is cut out, the image is not.
    """

    citations: ClassVar[tuple[str, ...]] = ("radford2021clip", "zhang2024disendiff")

    name: str = "clip"
    model: str | None = None
    """Hub id or folder of a CLIPModel; None is the embedded world's."""

    def embed(self, images: Sequence[Image.Image]) -> Float[Tensor, "image width"]:
        """Return the unit vector of each image."""
        return load_embedder(self.model, self.device).images(images)
