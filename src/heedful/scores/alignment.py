"""How alike images and originals are: the whole image, and each concept alone.

An original is a picture that concepts were taught from, or a part of it. Knows boxes and unit vectors, and nothing of
the model that makes the vectors: `clip.py` and `dino.py` bring their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.scores.boxes import Boxes, Part, crop
from heedful.scores.embedding import cosine
from heedful.scores.score import Figure, Values, check_prompts

Embed = Callable[[Sequence[Image.Image]], Float[Tensor, "image width"]]
"""Pictures to unit vectors."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """A picture to be alike, or the part of it that shows one concept."""

    image: Path
    concept: str | None = None
    """The noun that it shows, as in the prompts: "cat". None: the whole picture, whatever the prompt."""
    box: Part | None = None
    """Where in the picture: left, top, right, bottom as shares of its sides. None: all of it."""


FIGURES = (
    Figure(
        name="image",
        low=-1.0,
        high=1.0,
        higher_is_better=True,
        says="cosine of the image and the original, mean over the originals that show no one concept",
    ),
    Figure(
        name="concept",
        low=-1.0,
        high=1.0,
        higher_is_better=True,
        says="cosine of each concept's crop and its original, mean over the concepts that have both",
    ),
)


def check_originals(originals: Sequence[Original]) -> None:
    """Raise `SettingsError` if there are none."""
    if not originals:
        raise SettingsError(
            "Expected pictures to compare the images with, got none. "
            "Pass originals=(Original(image=Path(...)), Original(image=Path(...), concept='cat', box=...))."
        )


def align(
    embed: Embed,
    originals: Sequence[Original],
    boxes: Boxes | None,
    images: Sequence[Image.Image],
    prompts: Sequence[Prompt],
) -> Values:
    """Return the two figures of `FIGURES` for each image.

    Without `boxes` a concept's original is compared with the whole image, as DisenDiff does (Zhang et al. 2024). With
    them, it is compared with the surest box of the concept, and a concept that is not found does not count: this says
    how a concept looks, not whether it is there. None where there is nothing to compare.
    """
    check_prompts(images, prompts)
    vectors = embed([_open(original) for original in originals])
    wholes = [vector for vector, each in zip(vectors, originals, strict=True) if each.concept is None]
    taught = [(each.concept, vector) for vector, each in zip(vectors, originals, strict=True) if each.concept]
    whole_vectors = embed(images)
    found = boxes(images, prompts) if boxes else None
    values: Values = {"image": [], "concept": []}
    for item, (image, prompt, vector) in enumerate(zip(images, prompts, whole_vectors, strict=True)):
        values["image"].append(_mean([cosine(vector, whole) for whole in wholes]))
        alike: list[float] = []
        for noun in dict.fromkeys(concept.noun for concept in prompt.concepts):
            wanted = [original for name, original in taught if name == noun]
            if found is None:
                alike += [cosine(vector, original) for original in wanted]
            elif wanted and found[item].get(noun):
                seen = embed([crop(image, found[item][noun][0])])[0]
                alike += [cosine(seen, original) for original in wanted]
        values["concept"].append(_mean(alike))
    return values


def _open(original: Original) -> Image.Image:
    try:
        with Image.open(original.image) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError) as reason:
        raise SettingsError(
            f"Expected a picture at {original.image}, but it cannot be read ({reason}). Name another file."
        ) from reason
    return image if original.box is None else crop(image, original.box)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
