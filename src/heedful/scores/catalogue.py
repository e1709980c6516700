"""The scores by name, for the command line: only here is a score a string.

The scores of real images name models on a hub, which are loaded when first asked.
"""

from collections.abc import Callable
from functools import cache, partial
from math import inf
from typing import Any

from heedful import world
from heedful.models import Model
from heedful.scores.attention import AttentionScore
from heedful.scores.blip_caption import BlipCaption
from heedful.scores.blip_vqa import BlipVQA
from heedful.scores.boxes import WorldBoxes
from heedful.scores.clip import B16, B32, ClipImage, ClipText
from heedful.scores.dino import DinoImage
from heedful.scores.instance import InstanceScore
from heedful.scores.owl import OwlScore
from heedful.scores.score import Figure, Score
from heedful.scores.statistics import Range
from heedful.scores.world import WorldScore

SCORES: dict[str, Callable[..., Score]] = {
    "world": WorldScore,
    "instance": InstanceScore,
    "attention": AttentionScore,
    "clip": ClipText,
    "clip-b16": partial(ClipText, name="clip-b16", model=B16, templates="imagenet"),
    "clip-image": ClipImage,
    "clip-image-b32": partial(ClipImage, name="clip-b32", model=B32),
    "dino": DinoImage,
    "blip-caption": BlipCaption,
    "blip-vqa": BlipVQA,
    "owl": OwlScore,
}
"""Each makes a score; `clip-image`, `clip-image-b32` and `dino` need `originals=`."""


def score_kind(name: str) -> type[Score]:
    """Return the class of a score in the catalogue, which says what it needs before it is made."""
    make = SCORES[name]
    kind: Any = make.func if isinstance(make, partial) else make
    return kind


def find_figure(column: str) -> tuple[type[Score], Figure] | None:
    """Return the figure that records call `column` (`world.success`) and its score; None for one that is not here."""
    return _columns().get(column)


def figure_range(column: str) -> Range:
    """Return the smallest and largest possible value of what records call `column`; infinite for one not here."""
    found = find_figure(column)
    return (-inf, inf) if found is None else (found[1].low, found[1].high)


@cache
def _columns() -> dict[str, tuple[type[Score], Figure]]:
    found: dict[str, tuple[type[Score], Figure]] = {}
    for key, make in SCORES.items():
        kind = score_kind(key)
        name = make.keywords.get("name", kind.name) if isinstance(make, partial) else kind.name
        found |= {f"{name}.{figure.name}": (kind, figure) for figure in kind.figures}
    return found


def verdict_scores(model: Model) -> tuple[Score, ...]:
    """Return the score that says whether an image of `model` shows its prompt; none where nobody can say.

    The world's judge cannot say of what was taught: it does not know how it looks.
    """
    if "concepts_from" in model.on_top:
        return ()
    return tuple(score for score in default_scores(model) if isinstance(score, WorldScore))


def default_scores(model: Model) -> tuple[Score, ...]:
    """Return the scores of a run that names none: those that need no download and can judge this model's images.

    For a model of the world its own detector and CLIP, as far as they lie next to it, and the attention figures; else
    the attention figures without pointing, whose boxes would come from the world's detector.
    """
    own = world.detector_folder(model.folder) if model.is_world else None
    if own is None:
        return (AttentionScore(boxes=None),)
    folder = None if own == world.WEIGHTS else own
    scores = (WorldScore(folder=folder), AttentionScore(boxes=WorldBoxes(folder=folder)))
    if folder is None or model.folder.parent == world.WEIGHTS.parent:
        return (*scores, ClipText())
    clip = folder / "clip"
    return (*scores, ClipText(model=str(clip))) if (clip / "config.json").is_file() else scores
