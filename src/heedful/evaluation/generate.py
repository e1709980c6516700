"""Makes the images of a plan, batch by batch, and writes each whole or not at all.

Knows how to call a guided pipeline so that an image depends on its seed alone. Knows no terminal: whoever asks for the
images takes them one by one and sees how far it is.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from inspect import signature
from time import perf_counter
from typing import Any

import torch

from heedful.errors import HeedfulError
from heedful.evaluation.coco import describe_segments
from heedful.evaluation.gallery import MASKS_NOTE, Entry, Gallery
from heedful.evaluation.masks import MaskRule
from heedful.evaluation.pipelines import Model
from heedful.evaluation.plan import Case, Plan
from heedful.guidance import Guided, Method, Trace, guide
from heedful.prompts import Prompt

VERSIONS = {name: version(name) for name in ("heedful", "torch", "diffusers", "transformers")}
"""What the images are made with; written into each."""


@dataclass(frozen=True)
class Outcome:
    """How the guidance of one image ended."""

    loss: float | None
    """The loss at the last guided step; None for a method without a loss, and if it was not finite."""
    skipped_updates: int
    """Steps at which an update was left out because its gradient was not finite."""
    restarts: int = 0
    """Other noises tried before the one that the image was made from was settled."""


@dataclass(frozen=True)
class Made:
    """One image that has just been written."""

    case: Case
    outcome: Outcome
    seconds: float
    """Its share of the time of its batch."""


def make_images(
    model: Model, gallery: Gallery, plan: Plan, on_step: Callable[[float], None] = lambda images: None
) -> Iterator[Made]:
    """Make what `plan` leaves to do, and yield each image after it was written.

    `on_step` is called after each denoising step with the share of images that it did: the sum over a run is the number
    of images. Each image has its own generator on the CPU, seeded with its seed, so it does not depend on the batch it
    is made in, beyond what the last bit of a sum in another order may do. Whatever ends this, also Ctrl-C, only whole
    images are left; metadata.jsonl is made again from them.
    """
    try:
        for batch in plan.batches:
            start = perf_counter()
            images, outcomes, notes = _paint(model, plan, batch, on_step)
            seconds = (perf_counter() - start) / len(batch)
            entries = [
                Entry(case.settings, {"model": model.name, **asdict(outcome), "versions": VERSIONS, **note})
                for case, outcome, note in zip(batch, outcomes, notes, strict=True)
            ]
            _write(gallery, batch, images, entries)
            yield from (Made(case, outcome, seconds) for case, outcome in zip(batch, outcomes, strict=True))
    finally:
        if next(gallery.entries(), None) is not None:
            gallery.write_metadata()


def _paint(
    model: Model, plan: Plan, batch: Sequence[Case], on_step: Callable[[float], None]
) -> tuple[list[Any], list[Outcome], list[dict[str, Any]]]:
    """Return the images of one batch, how the guidance of each ended, and what else each is to carry."""
    pipe, texts = model.pipe, [case.prompt.text for case in batch]
    arguments: dict[str, Any] = {
        "prompt": texts,
        "generator": [torch.Generator("cpu").manual_seed(case.seed) for case in batch],
        "num_inference_steps": plan.steps,
        "guidance_scale": plan.guidance_scale,
        "width": plan.width,
        "height": plan.height,
    }
    share = len(batch) / plan.steps
    if "callback_on_step_end" in signature(pipe.__call__).parameters:

        def after_step(_pipe: Any, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(share)
            return tensors

        arguments["callback_on_step_end"] = after_step
    try:
        prompts, seeds = [case.prompt for case in batch], [case.seed for case in batch]
        with steered(pipe, prompts, batch[0].method, seeds, keep_self_attention=plan.masks) as guided:
            images = pipe(**arguments).images
    except torch.OutOfMemoryError as reason:
        raise HeedfulError(
            f"The device has too little memory for {len(batch)} images at once. "
            "Pass --batch-size 1, --dtype float16, or a smaller --width and --height."
        ) from reason
    if "callback_on_step_end" not in arguments:
        on_step(float(len(batch)))
    notes: list[dict[str, Any]] = [{} for _ in batch]
    if plan.masks:
        notes = [{MASKS_NOTE: describe_segments(segments)} for segments in MaskRule()(guided.maps, images)]
    return images, _outcomes(guided.trace), notes


@contextmanager
def steered(
    pipe: Any, prompts: Sequence[Prompt], method: Method, seeds: Sequence[int], *, keep_self_attention: bool = False
) -> Iterator[Guided]:
    """Enter `heedful.guide` without its warnings, which the plan has shown already, once for all batches."""
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            guided = stack.enter_context(
                guide(pipe, prompts, method, seeds=seeds, keep_self_attention=keep_self_attention)
            )
        yield guided


def _outcomes(trace: Trace) -> list[Outcome]:
    """Return how the guidance of each image ended."""
    guided = [step for step in trace if step.is_guided]
    last = guided[-1].loss if guided else (math.nan,) * trace.images
    skipped = [sum(step.skipped[item] for step in guided) for item in range(trace.images)]
    tries = [restart.tries for restart in trace.restarts] or [0] * trace.images
    return [
        Outcome(float(loss) if math.isfinite(loss) else None, count, begun)
        for loss, count, begun in zip(last, skipped, tries, strict=True)
    ]


def _write(gallery: Gallery, batch: Sequence[Case], images: Sequence[Any], entries: Sequence[Entry]) -> None:
    """Write a batch; a Ctrl-C meanwhile waits for the rest of it, so that the next run starts with a whole batch."""
    waiting = list(zip(batch, images, entries, strict=True))
    try:
        while waiting:
            case, image, entry = waiting[0]
            gallery.save(case.path, image, entry)
            waiting.pop(0)
    except KeyboardInterrupt:
        for case, image, entry in waiting:
            gallery.save(case.path, image, entry)
        raise
