"""How the rows of a denoiser's call stand for a pipeline's images: a fact of each pipeline, as data."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from heedful.attention import GuidanceRows, Layout
from heedful.errors import SettingsError, UnsupportedPipeline

OWN_ROWS: dict[str, GuidanceRows] = {
    "ModularPipeline": "apart",
    "SanaSprintImg2ImgPipeline": "apart",  # it asks for no unconditional prediction at all
    "SanaSprintPipeline": "apart",
    "StableDiffusionInstructPix2PixPipeline": "tripled",
    "StableDiffusionXLInstructPix2PixPipeline": "tripled",
}
"""Pipelines, by the names of their classes, that do not ask as their denoiser's family does (`Layout.guidance`)."""

REFUSED = {
    "LEditsPPPipelineStableDiffusion": "its batch holds a row for each edit",
    "LEditsPPPipelineStableDiffusionXL": "its batch holds a row for each edit",
    "SemanticStableDiffusionPipeline": "its batch holds a row for each edit",
    "StableDiffusionPanoramaPipeline": "its batch holds a row for each window of one image",
    "Flux2KleinKVPipeline": "it keeps keys of reference images of its first step, which later passes would lack",
    "QwenImageLayeredPipeline": "it makes several layers in one row",
    "QwenImageLayeredModularPipeline": "it makes several layers in one row",
    "ZImageOmniPipeline": "its rows are lists of images",
}
"""Pipelines whose rows are not whole images that can be guided, and why."""

_JOINED = ("StableDiffusionSAGPipeline",)
"""Pipelines that look at the attention of all rows of a call, which then cannot be made in parts."""

_ROWS: dict[GuidanceRows, tuple[int, int]] = {
    "apart": (1, -1),
    "doubled": (2, -1),
    "condition first": (2, 0),
    "tripled": (3, 0),
}
"""Rows per image in a call under guidance, and which of them has the whole condition."""


def check_rows(pipe: object) -> None:
    """Raise `UnsupportedPipeline` if the rows of this pipeline's batch are no images."""
    for name in _names(pipe):
        if name in REFUSED:
            raise UnsupportedPipeline(
                f"Expected a pipeline whose rows are images that can be guided, got {type(pipe).__name__}: "
                f"{REFUSED[name]}. Use a pipeline of docs/pipelines.md."
            )


def copies_in(
    pipe: object,
    layout: Layout,
    arguments: dict[str, Any],
    prompts: int,
    is_guided: bool | None = None,
    images: int | None = None,
) -> tuple[int, int]:
    """Return how many rows a call has for each image, and which of them has the whole condition.

    The pipeline knows whether it asks for an unconditional prediction: by `do_classifier_free_guidance`, or by what it
    told its text encoder (`is_guided`). The number of rows alone does not tell two images from one image under
    classifier-free guidance. A loop that says neither has a doubled batch if it shows the same latents twice, under
    different text.

    Raises `SettingsError` if prompts and rows disagree.
    """
    batch = layout.rows(arguments)
    if batch == images:
        return 1, -1
    own: list[GuidanceRows] = [OWN_ROWS[name] for name in _names(pipe) if name in OWN_ROWS]
    kind = own[0] if own else layout.guidance
    is_perturbed = getattr(pipe, "do_perturbed_attention_guidance", False)
    is_guided = getattr(pipe, "do_classifier_free_guidance", is_guided)
    if is_guided is None:
        is_guided = batch % (2 * prompts) == 0 and _is_doubled(arguments[layout.latents], arguments[layout.text[0]])
    copies, condition = _ROWS[kind] if is_guided else (1, -1)
    if is_perturbed:  # one more row per image, with the condition and another attention, behind all others
        copies, condition = copies + 1, condition % copies
    if batch % (copies * prompts) != 0:
        raise SettingsError(
            f"Expected the prompts that were given to heedful.guide ({prompts}) in the pipeline's call, got "
            f"{batch // copies} images, which is no multiple. Give both the same prompts, in the same order."
        )
    return copies, condition


def is_joined(pipe: object) -> bool:
    """Return whether rows of one kind cannot run without the others: one's attention, or its store, is for all."""
    return bool(getattr(pipe, "do_perturbed_attention_guidance", False)) or not {*_names(pipe)}.isdisjoint(_JOINED)


def _is_doubled(latents: Sequence[Tensor] | Tensor, text: Sequence[Tensor] | Tensor) -> bool:
    """Return whether a batch shows the same latents twice, under different text."""
    return _is_repeated(latents) and not _is_repeated(text)


def _is_repeated(rows: Sequence[Tensor] | Tensor) -> bool:
    """Return whether the second half of a batch is the first half again."""
    half = len(rows) // 2
    return all(first.equal(second) for first, second in zip(rows[:half], rows[half:], strict=False))


def _names(pipe: object) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in type(pipe).__mro__)
