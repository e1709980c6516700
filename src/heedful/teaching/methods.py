"""The teaching methods by name: which weights learn, from which losses on maps, and the numbers published with them.

Knows data only. There is one training loop (`teach`); a method of your own is one more `TeachingMethod`.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.losses import AnyLoss, Bind, SeparateAndStrengthen, Total, citations_of, parts_of
from heedful.options import TeachingOptions
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.trained import Weights
from heedful.world import is_world

PUBLISHED = TeachingSettings()
OWN = TeachingOptions()


@dataclass(frozen=True, kw_only=True)
class TeachingMethod:
    """What learns, and from which loss."""

    name: str
    """As in folders and on the command line."""
    trains_embeddings: bool = True
    """Whether the embeddings of the new words learn."""
    weights: Weights = "key-value"
    """Which weights of the denoiser learn."""
    rank: int | None = None
    """Of low-rank additions that learn in place of the weights (LoRA); None: the weights themselves."""
    loss: AnyLoss | None = None
    """On the maps of the pictures of what is learnt, beside the denoising loss."""
    shows_each_alone: bool = False
    """Whether each concept is also shown alone: the same picture, where the model sees the concept's class."""
    settings: TeachingSettings = PUBLISHED
    """As published, where it was."""
    world: TeachingSettings | None = None
    """Used by itself on denoisers of the embedded world's architecture."""
    citation: str
    """Key of the paper behind it, for `heedful.cite`."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` if nothing learns."""
        if not self.trains_embeddings and self.weights == "none":
            raise SettingsError(f"Expected something to train, got the method {self.name!r}, which trains nothing.")
        if self.rank is not None and (self.rank < 1 or self.weights == "none"):
            raise SettingsError(
                f"Expected a LoRA of rank 1 or more on weights that learn, got rank {self.rank} on {self.weights!r}."
            )

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind it."""
        lora = () if self.rank is None else ("hu2022lora",)
        return tuple(dict.fromkeys([self.citation, *citations_of(self.loss), *lora]))

    def settings_for(self, denoiser: Any, options: TeachingOptions = OWN) -> TeachingSettings:
        """Return the settings that suit `denoiser`, but for what `options` say; raises `SettingsError`."""
        own = self.world if self.world is not None and is_world(denoiser) else self.settings
        return replace(own, **{name: value for name, value in vars(options).items() if value is not None})

    def with_loss(self, **changes: Any) -> "TeachingMethod":
        """Return the same method with other fields of its losses: `DISENDIFF.with_loss(suppressions=2, sigma=None)`.

        Each changes in every loss that has it. Raises `SettingsError` for one that none has.
        """
        if self.loss is None:
            raise SettingsError(f"Expected a method with losses on maps, got {self.name!r}, which has none.")
        parts = parts_of(self.loss)
        known = sorted({each.name for part in parts if is_dataclass(part) for each in fields(part)})
        for name in changes:
            if name not in known:
                raise SettingsError(
                    f"Expected a field of the losses of {self.name!r} ({', '.join(known)}), got {name!r}."
                )
        changed: list[Any] = [
            replace(part, **{each.name: changes[each.name] for each in fields(part) if each.name in changes})
            if is_dataclass(part)
            else part
            for part in parts
        ]
        return replace(self, loss=changed[0] if len(changed) == 1 else Total(tuple(changed)))

    def as_lora(self, rank: int = 4) -> "TeachingMethod":
        """Return the same method with a LoRA in place of its weights, at the learning rate of diffusers' scripts, 1e-4.

        Raises `SettingsError` for a method that trains no weights.
        """
        world = None if self.world is None else replace(self.world, learning_rate=WORLD_LORA_RATE)
        settings = replace(self.settings, learning_rate=1e-4)
        return replace(self, name=f"{self.name}-lora", rank=rank, settings=settings, world=world)


WORLD = TeachingSettings(
    learning_rate=1e-2,
    max_train_steps=300,
    train_batch_size=2,
    augmentation="flip",
    say_scale=False,
    num_class_images=64,
    sites=SiteSelection(blocks=("up",), scale=2),
)
"""On the embedded world, whose tokenizer has no words for scales: they would take most of its 16 tokens.

Its weights are few, so they learn at a higher rate; the same 300 steps of 2 pictures and 2 prior ones for every method.
"""
WORLD_LORA_RATE = 1e-2

TEXTUAL_INVERSION = TeachingMethod(
    name="textual-inversion",
    weights="none",
    settings=TeachingSettings(
        learning_rate=1e-4,
        max_train_steps=5000,
        with_prior_preservation=False,
        augmentation="flip",
        detach_start=False,
    ),
    world=replace(WORLD, learning_rate=1e-2, with_prior_preservation=False),
    citation="gal2023image",
)
"""Textual Inversion (Gal et al. 2023): the new words alone learn. Rates and steps are those of diffusers' script; the
class noun behind the word is ours, so that all methods have the same prompts."""

DREAMBOOTH = TeachingMethod(
    name="dreambooth",
    trains_embeddings=False,
    weights="all",
    settings=TeachingSettings(
        learning_rate=5e-6,
        max_train_steps=800,
        train_batch_size=1,
        num_class_images=100,
        augmentation="none",
        detach_start=False,
    ),
    world=replace(WORLD, learning_rate=1e-3, detach_start=False),
    citation="ruiz2023dreambooth",
)
"""DreamBooth (Ruiz et al. 2023): the whole denoiser learns what a rare word means, with prior preservation. The word is
a new token that begins, and stays, as the rare one."""

CUSTOM_DIFFUSION = TeachingMethod(name="custom-diffusion", world=WORLD, citation="kumari2023custom")
"""Custom Diffusion (Kumari et al. 2023): new words and the keys and values of cross-attention learn; 250 steps of 4
pictures and 4 prior ones at 8e-5, which is what its code's 1e-5 comes to."""

DISENDIFF = TeachingMethod(
    name="disendiff",
    loss=Bind() + SeparateAndStrengthen(),
    world=WORLD,
    citation="zhang2024disendiff",
)
"""DisenDiff (Zhang et al. 2024): Custom Diffusion, and on the maps L_bind + L_s&s, weighted .01 as in its code.
Every choice in which paper and code differ is a field of `Bind` and `SeparateAndStrengthen`."""

HEEDFUL = TeachingMethod(
    name="heedful",
    weights="all",
    loss=Bind() + SeparateAndStrengthen(),
    settings=replace(DREAMBOOTH.settings, augmentation="flip", lr_scheduler="cosine"),
    world=replace(WORLD, learning_rate=2e-3, lr_scheduler="cosine", detach_start=False),
    citation="ruiz2023dreambooth",
)
"""What does best on the embedded world (docs/teach.md): new words and the whole denoiser learn, with DisenDiff's losses
on maps, at a rate that falls to 0. Its settings for other models are DreamBooth's, and were not tried."""

_WHOLE = (HEEDFUL, TEXTUAL_INVERSION, DREAMBOOTH, CUSTOM_DIFFUSION, DISENDIFF)
TEACHING_METHODS: dict[str, TeachingMethod] = {
    method.name: method for method in (*_WHOLE, *(each.as_lora() for each in _WHOLE if each.weights != "none"))
}
"""By the name that the command line knows; those that train weights also as LoRA."""


def find_method(method: TeachingMethod | str) -> TeachingMethod:
    """Return the teaching method that is given itself, or by its name; raises `SettingsError`."""
    if isinstance(method, TeachingMethod):
        return method
    if method not in TEACHING_METHODS:
        raise SettingsError(f"Expected a teaching method ({', '.join(TEACHING_METHODS)}), got {method!r}.")
    return TEACHING_METHODS[method]
