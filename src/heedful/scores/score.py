"""What a score is, and how several are taken at once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from heedful.errors import SettingsError
from heedful.guidance import MapHistory
from heedful.prompts import Prompt

Values = dict[str, list[float | None]]
"""The name of a figure to one value per image; None where the score cannot say."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number that a score gives every image."""

    name: str
    says: str
    """What it is, in one sentence."""
    low: float = 0.0
    high: float = 1.0
    """Every value lies between `low` and `high`, both included."""
    higher_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class Score(ABC):
    """Numbers that say how well an image shows its prompt; not differentiable, made after the image.

    Subclasses are frozen dataclasses. Their fields are all the settings there are, so their `repr` says how a number
    came about, and they can be compared, hashed and sent to another process: a model is loaded when it is first asked.
    """

    figures: ClassVar[tuple[Figure, ...]]
    citations: ClassVar[tuple[str, ...]] = ()
    """Keys of the papers behind it, for `heedful.cite`."""
    needs_maps: ClassVar[bool] = False
    """Whether it reads what the denoiser looked at, so that an image alone cannot be scored later."""
    needs_originals: ClassVar[bool] = False
    """Whether it compares with images that somebody has to name."""

    name: str
    """The first part of its figures' names: `name.figure`. A field, so that two settings can stand side by side."""

    @abstractmethod
    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return one value per image for each figure; the value of an image does not depend on the others.

        `prompts` holds one prompt per image, and `maps` are those of the run that made them; only scores with
        `needs_maps` read them. Raises `SettingsError` for what does not fit together.
        """

    def load(self, prompt: Prompt) -> None:
        """Load what the score asks, by scoring a blank image of `prompt`, so that what is missing is found early."""
        self([Image.new("RGB", (64, 64))], [prompt])

    @property
    def columns(self) -> tuple[str, ...]:
        """The full names of its figures, as in records: `world.success`."""
        return tuple(f"{self.name}.{figure.name}" for figure in self.figures)


def evaluate(
    images: Sequence[Image.Image],
    prompts: Sequence[Prompt],
    scores: Sequence[Score],
    maps: MapHistory | None = None,
) -> Values:
    """Return every figure of every score under its full name (`world.success`), one value per image.

    Raises `SettingsError` if two figures have the same full name, and what the scores raise.
    """
    values: Values = {}
    for score in scores:
        for figure, column in score(images, prompts, maps).items():
            name = f"{score.name}.{figure}"
            if name in values:
                raise SettingsError(
                    f"Expected scores with different names, got {name} twice. Give one of them another name: "
                    f"{type(score).__name__}(name=...)."
                )
            values[name] = column
    return values


def check_prompts(images: Sequence[Image.Image], prompts: Sequence[Prompt]) -> None:
    """Raise `SettingsError` unless there is one prompt per image."""
    if len(images) != len(prompts):
        raise SettingsError(f"Expected one prompt per image, got {len(prompts)} prompts for {len(images)} images.")
