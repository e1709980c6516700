"""What a teaching method is: which weights learn, from which losses on attention maps, with which numbers."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from heedful.attention import SiteSelection, layout_of
from heedful.errors import SettingsError, UnsupportedPipeline
from heedful.fields import check_fields
from heedful.losses import AnyLoss, Total, citations_of, parts_of
from heedful.options import TeachingOptions
from heedful.teaching.families import family_of, find_family
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.weights import Weights
from heedful.world import is_world

PUBLISHED = TeachingSettings()
"""Custom Diffusion's and DisenDiff's numbers."""
EMBEDDED = TeachingSettings(
    learning_rate=1e-2,
    max_train_steps=300,
    train_batch_size=2,
    augmentation="flip",
    say_scale=False,
    num_class_images=64,
    sites=SiteSelection(blocks=("up",), scale=2),
)
"""The numbers of every method on the embedded models, unless it has its own: 300 steps of 2 images and 2 class images.

Their weights are few, so they learn at a higher rate. Their tokenizers have no words for scales, which would take most
of 16 tokens.
"""
_EMBEDDED_LORA_RATE, _LORA_RATE = 1e-2, 1e-4
_NO_OPTIONS = TeachingOptions()


@dataclass(frozen=True, kw_only=True)
class TeachingMethod:
    """What learns, and from which losses."""

    name: str
    """As in folders and on the command line."""
    trains_embeddings: bool = True
    """Whether the embeddings of the new words learn."""
    weights: Weights = "key-value"
    """Which weights of the denoiser learn."""
    rank: int | None = None
    """Rank of low-rank additions that learn instead of the weights (LoRA); None: the weights themselves learn."""
    loss: AnyLoss | None = None
    """Loss on the attention maps of training images, added to the denoising loss."""
    shows_each_alone: bool = False
    """Whether each concept is also shown alone: the same image, where the model sees the concept's class."""
    settings: TeachingSettings = PUBLISHED
    """As published, where it was."""
    embedded: TeachingSettings | None = None
    """Used instead on denoisers of the embedded models' architecture."""
    is_best_guided: bool = False
    """Whether images of what it taught are better guided than plain, as far as docs/teach.md has measured."""
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

    def settings_for(self, denoiser: Any, options: TeachingOptions = _NO_OPTIONS) -> TeachingSettings:
        """Return the settings that suit `denoiser`, but for what `options` say; raises `SettingsError`.

        Transformers are read at the blocks that show things best, and without a start token none is detached, and
        no composites are made.
        """
        own = self.embedded if self.embedded is not None and is_world(denoiser) else self.settings
        family = find_family(denoiser)
        usual = None if family is None else layout_of(denoiser).usual_sites(denoiser)
        if family is not None and usual is not None:
            start = family.has_start
            composites = own.composites if start else 0
            own = replace(own, sites=usual, detach_start=own.detach_start and start, composites=composites)
        return replace(own, **{name: value for name, value in vars(options).items() if value is not None})

    def with_loss(self, **changes: Any) -> "TeachingMethod":
        """Return the same method with other fields of its losses: `DISENDIFF.with_loss(suppressions=2, sigma=None)`.

        Each changes in every loss that has it. Raises `SettingsError` for a field that none has, and for a value of
        another type.
        """
        if self.loss is None:
            raise SettingsError(f"Expected a method with losses on maps, got {self.name!r}, which has none.")
        parts: list[Any] = list(parts_of(self.loss))
        names = [{each.name for each in fields(part)} if is_dataclass(part) else set[str]() for part in parts]
        known = sorted(set[str]().union(*names))
        for name in changes:
            if name not in known:
                raise SettingsError(
                    f"Expected a field of the losses of {self.name!r} ({', '.join(known)}), got {name!r}."
                )
        for number, own in enumerate(names):
            given = {name: value for name, value in changes.items() if name in own}
            if given:
                check_fields(type(parts[number]), given, f"fields of {type(parts[number]).__name__}")
                parts[number] = replace(parts[number], **given)
        return replace(self, loss=parts[0] if len(parts) == 1 else Total(tuple(parts)))

    def as_lora(self, rank: int = 4) -> "TeachingMethod":
        """Return the same method with a LoRA instead of its weights, at the learning rate of diffusers' scripts, 1e-4.

        A LoRA is returned with another rank. Raises `SettingsError` for a method that trains no weights.
        """
        if self.rank is not None:
            return replace(self, rank=rank)
        embedded = None if self.embedded is None else replace(self.embedded, learning_rate=_EMBEDDED_LORA_RATE)
        settings = replace(self.settings, learning_rate=_LORA_RATE)
        return replace(self, name=f"{self.name}-lora", rank=rank, settings=settings, embedded=embedded)

    def check(self, denoiser: Any, settings: TeachingSettings) -> None:
        """Raise `UnsupportedPipeline` or `SettingsError` if `denoiser` cannot be taught so."""
        family = family_of(denoiser)
        if family.only_lora and self.rank is None and self.weights != "none":
            raise UnsupportedPipeline(
                f"Expected a method that teaches a {type(denoiser).__name__} as LoRA, got {self.name!r}, which changes "
                f"its own weights. Take {self.name}-lora, or give a rank."
            )
        if settings.composites and not family.has_start:
            raise SettingsError(
                f"Expected no composites for a {type(denoiser).__name__}, whose text encoder has no start token, "
                f"against which things are told from their ground, got {settings.composites}. Leave them out."
            )
        if settings.detach_start and not family.has_start:
            raise SettingsError(
                "Expected detach_start only where a text has a start token, got it for a "
                f"{type(denoiser).__name__}, whose text encoder has none. Leave it out."
            )
