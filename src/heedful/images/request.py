"""What a person asks for: prompts x methods x seeds, and how the images are made."""

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.errors import SettingsError
from heedful.guidance import Method
from heedful.images.inpainting import Inpainting
from heedful.options import SamplingOptions
from heedful.scores import Score


@dataclass(frozen=True)
class PromptLine:
    """One prompt of a request or a suite."""

    prompt: str
    """With or without `[marks]`."""
    kind: str = ""
    """What sort of prompt it is, for tables by kind: "animal-object", "two_object"."""
    concepts: tuple[str, ...] | None = None
    """What the image must show, in words of the prompt; None for what is marked, else for what the prompt names."""


def prompt_lines(texts: Sequence[str], concepts: Sequence[str] | None = None) -> tuple[PromptLine, ...]:
    """Return prompts as lines, each once, with a list of concepts for a single one; raises `SettingsError`."""
    if concepts is not None and len(set(texts)) > 1:
        raise SettingsError(
            f"Expected one prompt with a list of concepts, got {len(set(texts))}. "
            "Mark the concepts in the prompts instead: a [cat] and a [blue clock]."
        )
    things = None if concepts is None else tuple(concepts)
    return tuple(PromptLine(text, concepts=things) for text in dict.fromkeys(texts))


@dataclass(frozen=True, kw_only=True)
class Request:
    """Every prompt with every seed by every method."""

    prompts: Sequence[PromptLine]
    methods: Sequence[Method]
    seeds: Sequence[int]
    sampling: SamplingOptions = SamplingOptions()  # noqa: RUF009 - frozen
    inpainting: Inpainting | None = None
    """An image to inpaint."""
    masks: bool = False
    """Whether each image is to carry the masks of its concepts."""
    scores: Sequence[Score] = ()
    """What is measured on each image as soon as it is made."""
    suite: str = ""
    """The name of the suite that the prompts come from."""
    weights: bool = False
    """Whether the prompts, and the negative one, have weights as compel writes them: (red)1.4, blue++."""
    same_noise: bool = True
    """Whether every prompt starts from the same noises. Else the seeds of prompt i are moved by 1000 i, and each seed
    is below 1000: much of an image is settled by its noise, and intervals that resample prompts do not see what
    prompts share."""
    seeds_first: bool = False
    """In which order cases come, and so which ones are made together: all prompts of the first seed, then of the next
    one; else all seeds of the first prompt. What is there of a stopped run is then fair to all prompts."""
