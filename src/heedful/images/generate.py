"""Makes the images of a plan, batch by batch, and writes each whole or not at all.

Knows in which order things are written. Knows no terminal: whoever asks for the images takes them one by one and sees
how far it is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from heedful.attention import MaskRule
from heedful.images.coco import describe_segments
from heedful.images.gallery import MASKS_NOTE, Entry, Gallery
from heedful.images.painting import VERSIONS, Outcome, outcomes, paint
from heedful.images.plan import Case, Plan
from heedful.models import Model


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
    prompts, seeds = [case.prompt for case in batch], [case.seed for case in batch]
    images, guided = paint(
        model.pipe, plan.sampling, prompts, batch[0].method, seeds, on_step=on_step, keep_self_attention=plan.masks
    )
    notes: list[dict[str, Any]] = [{} for _ in batch]
    if plan.masks:
        notes = [{MASKS_NOTE: describe_segments(segments)} for segments in MaskRule()(guided.maps, images)]
    return images, outcomes(guided.trace), notes


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
