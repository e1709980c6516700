"""What a training step lowers: the denoising loss, that of the class images, and a loss on the attention maps.

Every random number in it follows from the generator that is passed in.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Reader, Record, TeachablePipeline, find_denoiser, full_precision
from heedful.losses import AnyLoss
from heedful.shapes import Latents
from heedful.teaching.concepts import NewConcept
from heedful.teaching.dataset import Example, collate
from heedful.teaching.denoiser_inputs import encode_captions, encode_images
from heedful.teaching.families import family_of
from heedful.teaching.noise import noise_of
from heedful.teaching.reading import learnt_of, reader_of
from heedful.teaching.settings import TeachingSettings


class Objective:
    """The loss of a step as a function of its images and its random numbers.

    L = mean |target - prediction|^2 over the training images, where their masks count
      + prior_loss_weight * the same over class images + loss_weight * loss(maps), at a random timestep for each.
    The target is the noise, the velocity for a v-prediction model, or noise - latents for a flow. Maps are read in the
    same pass of the denoiser.
    """

    def __init__(
        self,
        pipe: TeachablePipeline,
        loss: AnyLoss | None,
        settings: TeachingSettings,
        concepts: Sequence[NewConcept],
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ):
        self._pipe, self._loss, self._autocast = pipe, loss, autocast
        self._denoiser: Any = find_denoiser(pipe)
        self._family = family_of(self._denoiser)
        self._noise = noise_of(pipe, self._family.noise)
        self._reader = Reader(self._denoiser, settings.sites)
        self._weights = {"prior": settings.prior_loss_weight, "maps": settings.loss_weight}
        read = reader_of(pipe)
        self._prompt = cache(lambda caption: learnt_of(read(caption), concepts))

    @contextmanager
    def losses(
        self,
        shown: Sequence[Example],
        prior: Sequence[Example],
        resolution: tuple[int, int],
        generator: torch.Generator,
    ) -> Iterator[dict[str, Tensor]]:
        """Run the forward pass of a step and yield "loss", "denoising", and "prior" and "maps" if there are any.

        Run the backward pass of "loss", the weighted sum of the others, before the block is left.

        Until then, where blocks are run again to save memory, the maps are read once more.
        """
        pixels, masks, captions = collate([*shown, *prior])
        latents = encode_images(self._pipe, pixels, generator)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        times = self._noise.draw(len(latents), generator).to(latents.device)
        with self._autocast():
            text = encode_captions(self._pipe, captions, resolution)
        noisy = self._noise.add(latents, noise, times)
        arguments = self._family.arguments(self._denoiser, noisy, times, text) | {"return_dict": False}
        target = self._noise.target(latents, noise, times)
        counts = F.interpolate(masks.to(latents), latents.shape[-2:], mode="area")
        with ExitStack() as stack:
            record, forward = Record(), partial(self._denoiser, **arguments)
            if self._loss is not None:
                once = stack.enter_context(self._reader.reading(arguments, record))
                forward = partial(once, self._denoiser.forward)
            with self._autocast():
                predicted = self._family.prediction(forward()[0], latents)
            each = _errors(predicted.float(), target, counts)
            losses = {"denoising": each[: len(shown)].mean()}
            if prior:
                losses["prior"] = each[len(shown) :].mean()
            if self._loss is not None:
                losses["maps"] = self._on_maps(self._loss, record, captions[: len(shown)])
            total = losses["denoising"]
            for name, weight in self._weights.items():
                if name in losses:
                    total = total + weight * losses[name]
            yield {"loss": total, **losses}

    def _on_maps(self, loss: AnyLoss, record: Record, captions: Sequence[str]) -> Tensor:
        """Return the loss on the maps of the first rows, whose captions these are."""
        with full_precision(self._pipe.device.type):
            maps = record.maps().select(range(len(captions)))
            return loss(maps, [self._prompt(caption) for caption in captions], None).mean()


def _errors(
    predicted: Latents, target: Latents, counts: Float[Tensor, "batch 1 height width"]
) -> Float[Tensor, "batch"]:
    """Return each image's squared error, mean over what counts: a small mask makes no image matter less."""
    errors = (predicted - target).square() * counts
    return errors.sum((1, 2, 3)) / (counts.sum((1, 2, 3)) * target.shape[1]).clamp(min=1)
