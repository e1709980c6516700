"""Sheets of what a model has learnt so far: images of the same prompts and seeds, and where it looks in them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageOps

from heedful.attention import ImagePipeline, SiteSelection
from heedful.errors import UnsuitablePrompt
from heedful.guidance import NONE
from heedful.images import Sampling, Sight, look_at
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.report import Shown, lesson_sheet
from heedful.teaching import (
    NewConcept,
    TeachingSettings,
    TrainingImages,
    check_placeholders,
    concept_maps,
    new_concepts,
    taught_reader,
    taught_tokenizer,
)

PHOTOS = 4
"""Training images on a sheet."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Makes a sheet whenever it is called with the number of a training step."""

    model: Model
    prompts: Sequence[Prompt]
    """Each of them names concepts."""
    images: int
    """How many images of each prompt, from the seeds 0, 1, ..., the same at every step."""
    sampling: Sampling
    concepts: Sequence[NewConcept]
    """What is learnt."""
    sites: SiteSelection
    """Attention whose maps of the training images are shown."""
    photos: dict[int, tuple[Image.Image, str]] = field(default_factory=dict)
    """The first training images with a caption each, once it is known what is learnt of them."""

    def watch(self, photos: TrainingImages) -> None:
        """Keep the first training images for the sheets, as large as the model sees them."""
        for image, caption in zip(photos.images, photos.captions, strict=True):
            size = (self.sampling.width or image.width, self.sampling.height or image.height)
            if len(self.photos) < PHOTOS and id(image) not in self.photos:
                self.photos[id(image)] = (ImageOps.fit(image, size, Image.Resampling.LANCZOS), caption)

    def __call__(self, step: int, on_image: Callable[[float], None] = lambda images: None) -> Image.Image:
        """Make the images and return their sheet.

        `on_image` is called after each denoising step with the share of images that it did.
        """
        sights: list[Sight] = []
        for prompt in self.prompts:
            for start in range(0, self.images, self.model.batch_size):
                seeds = range(start, min(start + self.model.batch_size, self.images))
                prompts = [prompt] * len(seeds)
                sights += look_at(self.model, self.sampling, prompts, NONE, seeds, on_step=on_image)
        return lesson_sheet(list(self._shown()), sights, title=f"step {step}", note=self._note())

    def _shown(self) -> Iterator[Shown]:
        """Yield the training images with where the model looks in them for each concept."""
        pipe: Any = self.model.pipe
        for image, caption in self.photos.values():
            yield Shown(image, caption, concept_maps(pipe, image, caption, self.concepts, self.sites))

    def _note(self) -> str:
        scale = self.sampling.guidance_scale
        return f"{self.model.name} · {self.sampling.steps} steps · guidance scale {scale:g} · maps: mean over the steps"


def parse_validation(
    pipe: ImagePipeline, taught: str, texts: Sequence[str], settings: TeachingSettings
) -> tuple[Prompt, ...]:
    """Return validation prompts as `pipe` will read them once it knows the new words of the prompt `taught`.

    Raises `PromptError` for a prompt that cannot be read, and for a placeholder that is not taught.
    """
    concepts = new_concepts(taught, pipe.tokenizer)
    tokenizer = taught_tokenizer(pipe.tokenizer, concepts, settings.num_vectors)
    read = taught_reader(pipe, concepts, settings.num_vectors)
    prompts: dict[str, Prompt] = {}
    for text in texts:
        check_placeholders(text, tokenizer)
        prompt = read(text)
        if not prompt.concepts:
            raise UnsuitablePrompt(f"Expected a validation prompt that names things to look for, got {text!r}.")
        prompts[prompt.text] = prompt
    return tuple(prompts.values())
