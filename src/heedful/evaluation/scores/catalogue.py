"""The scores by name, for the command line: the only place where a score is a string.

Knows which settings a name stands for. Those of real pictures name models on a hub, loaded when first asked.
"""

from collections.abc import Callable
from functools import partial

from heedful import world
from heedful.evaluation.pipelines import Model
from heedful.evaluation.scores.attention import AttentionScore
from heedful.evaluation.scores.blip_caption import BlipCaption
from heedful.evaluation.scores.blip_vqa import BlipVQA
from heedful.evaluation.scores.boxes import WorldBoxes
from heedful.evaluation.scores.clip import B16, B32, ClipImage, ClipText
from heedful.evaluation.scores.dino import DinoImage
from heedful.evaluation.scores.owl import OwlScore
from heedful.evaluation.scores.score import Score
from heedful.evaluation.scores.world import WorldScore

SCORES: dict[str, Callable[..., Score]] = {
    "world": WorldScore,
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


def default_scores(model: Model) -> tuple[Score, ...]:
    """Return the scores of a run that names none: those that need no download and can judge this model's pictures.

    For a model of the world its own detector and CLIP, as far as they lie beside it, and the attention figures; else
    the attention figures without pointing, whose boxes would come from the world's detector.
    """
    if not (model.is_world and (model.folder / "detector.safetensors").is_file()):
        return (AttentionScore(boxes=None),)
    folder = None if model.folder == world.WEIGHTS else model.folder
    scores = (WorldScore(folder=folder), AttentionScore(boxes=WorldBoxes(folder=folder)))
    if folder is None:
        return (*scores, ClipText())
    clip = folder / "clip"
    return (*scores, ClipText(model=str(clip))) if (clip / "config.json").is_file() else scores
