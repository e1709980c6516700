"""What is compared on one-image concepts: every teaching method, DisenDiff's ablations, other trials, answers."""

from dataclasses import dataclass, replace
from typing import Any

from teaching_answers import ANSWERS, Answer

from heedful.guidance import NONE, Method, methods
from heedful.guidance.methods import Segregation
from heedful.losses import Evenness
from heedful.teaching import METHODS, TeachingMethod
from heedful.teaching import methods as teaching_methods
from heedful.teaching.methods import EMBEDDED, Bind, SeparateAndStrengthen
from heedful.teaching.weights import Weights


@dataclass(frozen=True)
class Variant:
    """How concepts are taught, and how their images are guided."""

    name: str
    method: TeachingMethod
    guidance: Method = NONE
    taught_as: str | None = None
    """The variant whose taught concepts these are; its own unless given."""
    answer: Answer | None = None
    """What makes the images instead of a taught model; then nothing is taught."""
    has_masks: bool = False
    """Whether the true mask of each thing comes with the image."""


def _disendiff(name: str, loss: Any, **changes: Any) -> Variant:
    return Variant(name, replace(teaching_methods.DISENDIFF, name=name, loss=loss, **changes))


def _losses(**changes: Any) -> Any:
    return Bind(**changes) + SeparateAndStrengthen(**changes)


PUBLISHED = {name: Variant(name, method) for name, method in METHODS.items()}
ABLATIONS = {
    variant.name: variant
    for variant in (
        _disendiff("without-bind", SeparateAndStrengthen()),
        _disendiff("without-separation", Bind()),
        _disendiff("without-gaussian", _losses(sigma=None)),
        _disendiff("suppression-none", _losses(suppressions=0)),
        _disendiff("suppression-twice", _losses(suppressions=2)),
        _disendiff("query-too", teaching_methods.DISENDIFF.loss, weights="query-key-value"),
    )
}
"""The paper's."""
PHOTO = replace(
    teaching_methods.HEEDFUL,
    name="heedful-photo",
    loss=teaching_methods.DISENDIFF.loss,
    embedded=replace(EMBEDDED, learning_rate=2e-3, lr_scheduler="cosine", detach_start=False),
)
"""The whole denoiser and the words learn from the photo, without composites and with DisenDiff's losses."""
BEYOND = {
    variant.name: variant
    for variant in (
        _disendiff("value-alone", teaching_methods.DISENDIFF.loss, weights="value"),
        _disendiff("evenness", _losses() + Evenness()),
        _disendiff("segregation", _losses() + Segregation()),
        Variant("alone", replace(teaching_methods.CUSTOM_DIFFUSION, name="alone", shows_each_alone=True)),
        _disendiff("disendiff-alone", teaching_methods.DISENDIFF.loss, shows_each_alone=True),
        Variant("heedful-photo", PHOTO),
        Variant("heedful-photo-lora", PHOTO.as_lora()),
        Variant("heedful-without-maps", replace(PHOTO, name="heedful-without-maps", loss=None)),
        Variant("heedful-photo-guided", PHOTO, methods.HEEDFUL, taught_as="heedful-photo"),
    )
}
"""Ours to try."""
_OURS = teaching_methods.HEEDFUL


def _ours(name: str, *, weights: Weights = "all", **changes: Any) -> Variant:
    embedded = replace(_OURS.embedded or _OURS.settings, **changes)
    return Variant(name, replace(_OURS, name=name, weights=weights, embedded=embedded))


PARTS = {
    variant.name: variant
    for variant in (
        _ours("heedful-from-the-photo", composites=0),
        _ours("heedful-words-alone", weights="none"),
        _ours("heedful-without-classes", prior_loss_weight=0.0),
        Variant(
            "custom-diffusion-composites",
            replace(
                teaching_methods.CUSTOM_DIFFUSION,
                name="custom-diffusion-composites",
                embedded=replace(EMBEDDED, composites=256),
            ),
        ),
        _disendiff("disendiff-composites", teaching_methods.DISENDIFF.loss, embedded=replace(EMBEDDED, composites=256)),
    )
}
"""`heedful` with one part of it gone, and published methods with the part that matters."""
MASKED = {
    variant.name: variant
    for variant in (
        Variant("heedful-masks", teaching_methods.HEEDFUL, has_masks=True),
        Variant("heedful-masks-guided", teaching_methods.HEEDFUL, methods.HEEDFUL, "heedful-masks", has_masks=True),
    )
}
"""`heedful` with the true masks instead of where the untaught model sees each class."""
GUIDED = {
    f"{name}-guided": Variant(f"{name}-guided", method, methods.HEEDFUL, taught_as=name)
    for name, method in METHODS.items()
}
"""What each method taught, in images that `heedful` guides, as `heedful generate` does unless told otherwise."""
UNTAUGHT = {name: Variant(name, teaching_methods.DISENDIFF, answer=answer) for name, answer in ANSWERS.items()}
"""Rows between which every method stands: they were taught nothing."""
VARIANTS = PUBLISHED | ABLATIONS | BEYOND | PARTS | MASKED | GUIDED | UNTAUGHT
GROUPS = {"ablations": ABLATIONS, "beyond": BEYOND, "parts": PARTS, "answers": UNTAUGHT}
