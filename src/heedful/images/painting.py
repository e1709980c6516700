"""Paints prompts together by one method, so that an image depends on its seed and not on its neighbours.

Knows how to call a guided pipeline. Knows nothing of plans, files or records.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from inspect import signature
from typing import Any

import torch
from PIL import Image

from heedful.errors import HeedfulError
from heedful.guidance import Guided, Method, Trace, guide
from heedful.images.inpainting import any_channels
from heedful.images.sampling import Sampling
from heedful.prompts import Prompt

VERSIONS = {name: version(name) for name in ("heedful", "torch", "diffusers", "transformers")}
"""What images are made with; written into each."""


@dataclass(frozen=True)
class Outcome:
    """How the guidance of one image ended."""

    loss: float | None
    """The loss at the last guided step; None for a method without a loss, and if it was not finite."""
    skipped_updates: int
    """Steps at which an update was left out because its gradient was not finite."""
    restarts: int = 0
    """Other noises tried before the one that the image was made from was settled."""


def paint(
    pipe: Any,
    sampling: Sampling,
    prompts: Sequence[Prompt],
    method: Method,
    seeds: Sequence[int],
    *,
    on_step: Callable[[float], None] = lambda images: None,
    keep_maps: bool = False,
    keep_self_attention: bool = False,
) -> tuple[list[Image.Image], Guided]:
    """Return an image for each prompt, made from the seed at the same place, and what guidance did.

    `on_step` is called after each denoising step with the share of images that it did: the sum is the number of images.
    Each image has its own generator on the CPU, seeded with its seed, so it does not depend on the others, beyond what
    the last bit of a sum in another order may do. Raises what `heedful.guide` raises, and `HeedfulError` if the memory
    of the device is too small.
    """
    arguments: dict[str, Any] = {
        "prompt": [prompt.text for prompt in prompts],
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        "num_inference_steps": sampling.steps,
        "guidance_scale": sampling.guidance_scale,
        "width": sampling.width,
        "height": sampling.height,
        **(sampling.inpainting.arguments(len(prompts)) if sampling.inpainting is not None else {}),
    }
    share = len(prompts) / sampling.steps_made
    if "callback_on_step_end" in signature(pipe.__call__).parameters:

        def after_step(_pipe: Any, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(share)
            return tensors

        arguments["callback_on_step_end"] = after_step
    try:
        kept = {"keep_maps": keep_maps or keep_self_attention, "keep_self_attention": keep_self_attention}
        with steered(pipe, prompts, method, seeds, **kept) as guided, any_channels(pipe):
            images = pipe(**arguments).images
    except torch.OutOfMemoryError as reason:
        raise HeedfulError(
            f"The device has too little memory for {len(prompts)} images at once. "
            "Make images one by one (a batch size of 1), in float16, or smaller."
        ) from reason
    if "callback_on_step_end" not in arguments:
        on_step(float(len(prompts)))
    return images, guided


@contextmanager
def steered(
    pipe: Any,
    prompts: Sequence[Prompt],
    method: Method,
    seeds: Sequence[int],
    *,
    keep_maps: bool = True,
    keep_self_attention: bool = False,
) -> Iterator[Guided]:
    """Enter `heedful.guide` without its warnings, which the plan has shown already, once for all batches."""
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            guided = stack.enter_context(
                guide(pipe, prompts, method, seeds=seeds, keep_maps=keep_maps, keep_self_attention=keep_self_attention)
            )
        yield guided


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
