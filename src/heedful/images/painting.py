"""Generates several images by one method, each of which depends on its seed and not on its neighbours."""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from heedful.attention import ImagePipeline
from heedful.errors import HeedfulError
from heedful.guidance import Guided, Method, Trace, embeddings_of, guide
from heedful.images.inpainting import any_channels
from heedful.images.sampling import Sampling
from heedful.prompts import Prompt


@dataclass(frozen=True, eq=False)
class Painted:
    """Images of one batch, and what guidance did."""

    pixels: UInt8[np.ndarray, "image height width 3"]
    is_finite: tuple[bool, ...]
    """Whether the model gave a number for each pixel of an image; one that it did not is black there."""
    guided: Guided

    @cached_property
    def images(self) -> list[Image.Image]:
        """The images, in RGB."""
        return [Image.fromarray(pixels) for pixels in self.pixels]


@dataclass(frozen=True)
class Outcome:
    """How the guidance of one image ended."""

    loss: float | None
    """The loss at the last guided step; None for a method without a loss, and if it was not finite."""
    skipped_updates: int
    """Steps at which an update was skipped because its gradient was not finite."""
    restarts: int = 0
    """Other noises tried before the one that the image was made from was settled."""


def paint(
    pipe: ImagePipeline,
    sampling: Sampling,
    prompts: Sequence[Prompt],
    method: Method,
    seeds: Sequence[int],
    *,
    on_step: Callable[[float], None] = lambda images: None,
    keep_maps: bool = False,
    keep_self_attention: bool = False,
    on_latents: Callable[[torch.Tensor], None] | None = None,
) -> Painted:
    """Return an image for each prompt, made from the seed at the same position, and what guidance did.

    `on_step` is called after each denoising step with the share of images that it did: the sum is the number of images.
    `on_latents` is called with the latents after each step, as the pipeline has them, and may look at them.
    Each image has its own generator on the CPU, seeded with its seed, so it does not depend on the others, beyond what
    the last bit of a sum in another order may do. Raises what `heedful.guide` raises, and `HeedfulError` if the memory
    is too small.
    """
    share = len(prompts) / sampling.steps_made
    options: dict[str, Any] = {}
    if "callback_on_step_end" in signature(pipe.__call__).parameters:

        def after_step(_pipe: ImagePipeline, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(share)
            if on_latents is not None:
                on_latents(tensors["latents"])
            return tensors

        options["callback_on_step_end"] = after_step
    with ExitStack() as stack:
        with warnings.catch_warnings():  # which the plan has shown already, once for all batches
            warnings.simplefilter("ignore", UserWarning)
            guided = stack.enter_context(
                guide(
                    pipe,
                    prompts,
                    method,
                    retry_seeds=seeds,
                    keep_maps=keep_maps or keep_self_attention,
                    keep_self_attention=keep_self_attention,
                    gradient_checkpointing=sampling.gradient_checkpointing,
                )
            )
        if any(prompt.weighted for prompt in prompts):
            options |= embeddings_of(pipe, prompts, sampling.negative_prompt or "")
        values = sample(pipe, sampling, [prompt.text for prompt in prompts], seeds, **options)
    if not options:
        on_step(float(len(prompts)))
    return Painted(to_pixels(values), tuple(bool(np.isfinite(image).all()) for image in values), guided)


def sample(
    pipe: ImagePipeline, sampling: Sampling, texts: Sequence[str], seeds: Sequence[int], **options: Any
) -> Float[np.ndarray, "image height width 3"]:
    """Call a pipeline, guided or not, and return images in [0, 1]; `options` go to the pipeline too.

    With `prompt_embeds` among them, these take the place of the texts and of the negative prompt.

    Raises what the pipeline raises, and `HeedfulError` if the memory is too small.
    """
    if sampling.inpainting is not None:
        options |= sampling.inpainting.arguments(len(texts))
    has_embeddings = "prompt_embeds" in options
    if sampling.negative_prompt is not None and not has_embeddings:
        options["negative_prompt"] = [sampling.negative_prompt] * len(texts)
    try:
        # a pipeline whose weights wait elsewhere has no device that autocast knows
        narrow = torch.autocast(pipe.device.type, torch.bfloat16) if sampling.bfloat16 else nullcontext()
        with any_channels(pipe), narrow:
            return pipe(
                None if has_embeddings else list(texts),
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                num_inference_steps=sampling.steps,
                guidance_scale=sampling.guidance_scale,
                width=sampling.width,
                height=sampling.height,
                output_type="np",
                **options,
            ).images
    except (RuntimeError, MemoryError) as reason:
        # torch has no error of its own for the memory of the processor
        is_memory = isinstance(reason, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(reason)
        if not is_memory:
            raise
        raise HeedfulError(
            f"There is too little memory for {len(texts)} images at once. "
            "Take a batch size of 1, 16-bit precision, or a smaller size."
        ) from reason


def to_pixels(values: Float[np.ndarray, "*any"]) -> UInt8[np.ndarray, "*any"]:
    """Return images in [0, 1] as whole numbers, as diffusers does; black where a number is not finite."""
    return (np.nan_to_num(values) * 255).round().astype(np.uint8)


def outcomes(trace: Trace) -> list[Outcome]:
    """Return how the guidance of each image ended."""
    guided = [step for step in trace if step.is_guided]
    last = guided[-1].loss if guided else (math.nan,) * trace.images
    skipped = [sum(step.skipped[item] for step in guided) for item in range(trace.images)]
    tries = [restart.tries for restart in trace.restarts] or [0] * trace.images
    return [
        Outcome(float(loss) if math.isfinite(loss) else None, count, begun)
        for loss, count, begun in zip(last, skipped, tries, strict=True)
    ]


def summarize_trace(trace: Trace) -> list[dict[str, Any]]:
    """Return what a record keeps of each image's trace, as plain JSON values."""
    guided = [step for step in trace if step.is_guided]
    return [
        {
            "guided_steps": len(guided),
            "skipped_updates": outcome.skipped_updates,
            "restarts": outcome.restarts,
            "first_loss": rounded(guided[0].loss[item]) if guided else None,
            "last_loss": rounded(outcome.loss),
        }
        for item, outcome in enumerate(outcomes(trace))
    ]


def rounded(value: float | None) -> float | None:
    """Return a figure as records keep it: to six decimals, None if it is not finite."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6)
