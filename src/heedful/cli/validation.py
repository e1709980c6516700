"""Sheets of what a model has learnt so far: images of the same prompts and seeds, and where it looks in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from heedful.attention import ImagePipeline
from heedful.errors import UnsuitablePrompt
from heedful.guidance import NONE
from heedful.images import Sampling, Sight, look_at
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.report import seed_sheet
from heedful.teaching import TeachingSettings, check_captions, check_placeholders, new_concepts, taught_tokenizer


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Makes a sheet whenever it is called with the number of a training step."""

    model: Model
    prompts: Sequence[Prompt]
    """Each of them names concepts."""
    images: int
    """How many images of each prompt, from the seeds 0, 1, ..., the same at every step."""
    sampling: Sampling

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
        return seed_sheet(sights, title=f"step {step}", note=self._note())

    def _note(self) -> str:
        scale = self.sampling.guidance_scale
        return f"{self.model.name} · {self.sampling.steps} steps · guidance scale {scale:g} · maps: mean over the steps"


def parse_validation(
    pipe: ImagePipeline, taught: str, texts: Sequence[str], settings: TeachingSettings
) -> tuple[Prompt, ...]:
    """Return validation prompts as `pipe` will read them once it knows the new words of the prompt `taught`.

    Raises `PromptError` for a prompt that cannot be read, `taught` too, also where its captions say a scale, and for a
    placeholder that is not taught.
    """
    tokenizer = taught_tokenizer(pipe.tokenizer, new_concepts(taught, pipe.tokenizer), settings.num_vectors)
    check_captions(taught, tokenizer, settings)
    prompts: dict[str, Prompt] = {}
    for text in texts:
        check_placeholders(text, tokenizer)
        prompt = Prompt.parse(text, tokenizer)
        if not prompt.concepts:
            raise UnsuitablePrompt(f"Expected a validation prompt that names things to look for, got {text!r}.")
        prompts[prompt.text] = prompt
    return tuple(prompts.values())
