"""What is to be made: every combination of prompt, seed and method, checked before the first image.

Knows how a wish becomes a list of cases, which of them are done, and which share a batch. Makes no image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.errors import PromptError, SettingsError
from heedful.guidance import Method, parse_prompt
from heedful.images.gallery import MASKS_NOTE, Gallery, read_entry
from heedful.images.inpainting import Inpainting, begun_late, paints_into_pictures
from heedful.images.sampling import Sampling, at_least, choose_sampling, describe, rehearse, settings_of
from heedful.models import Model
from heedful.prompts import Prompt
from heedful.teaching import check_placeholders


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks for. None means: what suits the model."""

    prompts: Sequence[str]
    """With or without `[marks]`."""
    methods: Sequence[Method]
    seeds: Sequence[int]
    concepts: Sequence[str] | None = None
    """For a single prompt; several prompts mark their concepts."""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    batch_size: int | None = None
    masks: bool = False
    """Whether each image is to carry the masks of its concepts."""
    inpainting: Inpainting | None = None
    """A picture to paint into."""


@dataclass(frozen=True)
class Case:
    """One image to be made."""

    method: Method
    prompt: Prompt
    seed: int
    path: Path
    settings: dict[str, Any]
    """What decides the image, as plain JSON values."""


@dataclass(frozen=True)
class Plan:
    """All cases by method, prompt and seed; those that are done; those to do, in batches."""

    cases: Sequence[Case]
    done: Sequence[Case]
    batches: Sequence[Sequence[Case]]
    sampling: Sampling
    remarks: Sequence[str] = ()
    """What a method has to say about a prompt, each once: that a part of its loss has nothing to do, for example."""
    masks: bool = False
    """Whether each image carries the masks of its concepts."""

    @property
    def todo(self) -> int:
        """How many images are still to be made."""
        return sum(len(batch) for batch in self.batches)


def make_plan(model: Model, gallery: Gallery, wish: Wish, *, overwrite: bool = False) -> Plan:
    """Check `wish` against the model and the folder, and return what is to be done. Writes nothing.

    Batches are cut from the whole list, not from what is left of it, so that a run that was interrupted goes on in the
    same batches. Raises `PromptError`, `SettingsError`, `PipelineError`; `OutputError` for a folder that cannot be
    written; `SettingsError` for an image that was made in another way, unless `overwrite`.
    """
    sampling = choose_sampling(
        model,
        steps=wish.steps,
        guidance_scale=wish.guidance_scale,
        width=wish.width,
        height=wish.height,
        inpainting=wish.inpainting,
    )
    methods, late = _fitting(model, sampling, wish.methods)
    batch_size = at_least(1, wish.batch_size, model.batch_size, "a batch size")
    prompts = _parse(model.pipe, wish)
    gallery.check()
    remarks = (*late, *rehearse(model, prompts, methods))
    shared = {method.name: settings_of(model, sampling, method) for method in methods}

    def case(method: Method, prompt: Prompt, seed: int) -> Case:
        concepts = [concept.name for concept in prompt.concepts]
        settings = shared[method.name] | {"prompt": prompt.text, "seed": seed, "concepts": concepts}
        return Case(method, prompt, seed, gallery.path(method.name, prompt.text, seed), settings)

    cases = [[case(method, prompt, seed) for prompt in prompts for seed in wish.seeds] for method in methods]
    is_done = {
        one.path: gallery.is_done(one.path, one.settings) if not overwrite else False for row in cases for one in row
    }
    if wish.masks:
        _check_masks(path for path, done in is_done.items() if done)
    batches = [row[start : start + batch_size] for row in cases for start in range(0, len(row), batch_size)]
    left = [[one for one in batch if not is_done[one.path]] for batch in batches]
    everything = [one for row in cases for one in row]
    return Plan(
        cases=everything,
        done=[one for one in everything if is_done[one.path]],
        batches=[batch for batch in left if batch],
        sampling=sampling,
        remarks=remarks,
        masks=wish.masks,
    )


def clear(plan: Plan) -> None:
    """Remove the images that `plan` makes again, before the first is made.

    Otherwise an interrupted run would leave old images among the new ones.
    """
    for batch in plan.batches:
        for case in batch:
            case.path.unlink(missing_ok=True)


def _check_masks(done: Iterable[Path]) -> None:
    """Raise `SettingsError` for an image that is there without masks: they come from the run that makes an image."""
    for path in done:
        entry = read_entry(path)
        if entry is not None and MASKS_NOTE not in entry.notes:
            raise SettingsError(
                f"Expected masks in {path}, but it was made without them. "
                "Choose another folder, or have it made again."
            )


def _fitting(model: Model, sampling: Sampling, methods: Sequence[Method]) -> tuple[list[Method], list[str]]:
    """Return the methods as they can work in this run, and what there is to say of it; raises `SettingsError`."""
    if sampling.inpainting is None:
        if paints_into_pictures(model.pipe):
            raise SettingsError(
                "Expected an image for a model that paints into images. Pass an image and a mask."
            )
        return list(methods), []
    if sampling.inpainting.strength == 1:
        return list(methods), []
    late = [begun_late(method) for method in methods]
    changed = [
        each.name for each, now in zip(methods, late, strict=True) if describe(model, each) != describe(model, now)
    ]
    return late, [f"{name}: a strength below 1 does not begin as noise, so none is chosen." for name in changed]


def _parse(pipe: Any, wish: Wish) -> list[Prompt]:
    """Return the prompts, each once; raises `PromptError` or `SettingsError`."""
    if not wish.prompts:
        raise PromptError('Expected a prompt, got none. Write one, such as "a cat and a blue clock".')
    if wish.concepts is not None and len(set(wish.prompts)) > 1:
        raise SettingsError(
            f"Expected one prompt with a list of concepts, got {len(set(wish.prompts))}. "
            "Mark the concepts in the prompts instead: a [cat] and a [blue clock]."
        )
    for written in wish.prompts:
        check_placeholders(written, pipe.tokenizer)
    prompts = {written: parse_prompt(pipe, written, wish.concepts) for written in wish.prompts}
    first: dict[str, str] = {}
    for written, prompt in prompts.items():
        other = first.setdefault(prompt.text, written)
        if other != written:
            raise SettingsError(
                f"Expected different prompts, got {other!r} and {written!r}, which are the same text with other marks. "
                "Make them in two runs with two folders."
            )
    return list(prompts.values())
