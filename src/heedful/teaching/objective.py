"""What a training step lowers: the denoising loss, that of the class images, and a loss on the attention maps.

Every random number in it follows from the generator that is passed in.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Reader, Record, find_denoiser, full_precision
from heedful.errors import UnsupportedPipeline
from heedful.losses import AnyLoss
from heedful.prompts import Prompt
from heedful.shapes import Latents
from heedful.teaching.concepts import NewConcept, taught_prompt
from heedful.teaching.dataset import Example, collate
from heedful.teaching.denoiser_inputs import encode_captions, encode_images
from heedful.teaching.settings import TeachingSettings


@dataclass(frozen=True)
class StepLosses:
    """The parts of one step's loss; scalars, with their graph."""

    total: Tensor
    """denoising + prior_loss_weight * prior + loss_weight * maps."""
    denoising: Tensor
    prior: Tensor | None
    """None without class images."""
    maps: Tensor | None
    """Mean over the training images; None for a method without a loss on maps."""

    def values(self) -> dict[str, float]:
        """Return those that are there as numbers, under the names of their fields."""
        parts = {"loss": self.total, "denoising": self.denoising, "prior": self.prior, "maps": self.maps}
        return {name: float(part.detach()) for name, part in parts.items() if part is not None}


class Objective:
    """The loss of a step as a function of its images and its random numbers.

    L = mean |target - prediction|^2 over the training images, where their masks count
      + prior_loss_weight * the same over class images + loss_weight * loss(maps), at a random timestep for each.
    The target is the noise, or the velocity for a v-prediction model. Maps are read in the same pass of the denoiser.
    """

    def __init__(
        self,
        pipe: Any,
        loss: AnyLoss | None,
        settings: TeachingSettings,
        concepts: Sequence[NewConcept],
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ):
        self._pipe, self._loss, self._settings, self._concepts = pipe, loss, settings, concepts
        self._autocast = autocast
        self._denoiser: Any = find_denoiser(pipe)
        self._noise: Any = DDPMScheduler.from_config(pipe.scheduler.config)
        self._reader = Reader(self._denoiser, settings.sites)
        self._prompts: dict[str, Prompt] = {}

    @contextmanager
    def losses(
        self,
        shown: Sequence[Example],
        prior: Sequence[Example],
        resolution: tuple[int, int],
        generator: torch.Generator,
    ) -> Iterator[StepLosses]:
        """Run the forward pass of a step and yield its losses; run the backward pass before the block is left.

        Until then, where blocks are run again to save memory, the maps are read once more.
        """
        pixels, masks, captions = collate([*shown, *prior])
        latents = encode_images(self._pipe, pixels, generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        steps = int(self._noise.config["num_train_timesteps"])
        times = torch.randint(steps, (len(latents),), generator=generator).to(latents.device)
        with self._autocast():
            arguments = encode_captions(self._pipe, captions, resolution)
        arguments |= {
            "sample": self._noise.add_noise(latents, noise, times).to(self._denoiser.dtype),
            "timestep": times,
            "return_dict": False,
        }
        target = self._target(latents, noise, times)
        counts = F.interpolate(masks.to(latents), latents.shape[-2:], mode="area")
        with ExitStack() as stack:
            record, forward = Record(), partial(self._denoiser, **arguments)
            if self._loss is not None:
                once = stack.enter_context(self._reader.reading(arguments, record))
                forward = partial(once, self._denoiser.forward)
            with self._autocast():
                predicted: Tensor = forward()[0]
            each = _errors(predicted.float(), target, counts)
            maps = self._on_maps(record, captions[: len(shown)])
            yield self._sum(each[: len(shown)].mean(), each[len(shown) :].mean() if prior else None, maps)

    def _on_maps(self, record: Record, captions: Sequence[str]) -> Tensor | None:
        """Return the loss on the maps of the first rows, whose captions these are."""
        if self._loss is None:
            return None
        with full_precision(self._pipe.device.type):
            maps = record.maps().select(range(len(captions)))
            return self._loss(maps, [self._prompt(caption) for caption in captions], None).mean()

    def _sum(self, denoising: Tensor, prior: Tensor | None, maps: Tensor | None) -> StepLosses:
        total = denoising
        if prior is not None:
            total = total + self._settings.prior_loss_weight * prior
        if maps is not None:
            total = total + self._settings.loss_weight * maps
        return StepLosses(total, denoising, prior, maps)

    def _target(self, latents: Latents, noise: Latents, times: Tensor) -> Latents:
        kind = self._noise.config["prediction_type"]
        if kind == "epsilon":
            return noise
        if kind == "v_prediction":
            return self._noise.get_velocity(latents, noise, times)
        if kind == "sample":
            return latents
        raise UnsupportedPipeline(
            f"Expected a denoiser that predicts noise, velocity or the image, got prediction_type={kind!r}. "
            "Flow matching models can be guided, but not taught yet."
        )

    def _prompt(self, caption: str) -> Prompt:
        if caption not in self._prompts:
            self._prompts[caption] = taught_prompt(caption, self._pipe.tokenizer, self._concepts)
        return self._prompts[caption]


def _errors(
    predicted: Latents, target: Latents, counts: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, "batch"]:
    """Return each image's squared error, mean over what counts: a small mask makes no image matter less."""
    errors = (predicted - target).square() * counts
    return errors.sum((1, 2, 3)) / (counts.sum((1, 2, 3)) * target.shape[1]).clamp(min=1)
