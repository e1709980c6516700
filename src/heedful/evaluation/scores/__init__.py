"""Numbers that say how well an image shows its prompt, one file a score. Knows no suite, no record, no command line."""

from heedful.evaluation.scores.alignment import Original as Original
from heedful.evaluation.scores.attention import AttentionScore as AttentionScore
from heedful.evaluation.scores.blip_caption import BlipCaption as BlipCaption
from heedful.evaluation.scores.blip_vqa import BlipVQA as BlipVQA
from heedful.evaluation.scores.boxes import WorldBoxes as WorldBoxes
from heedful.evaluation.scores.catalogue import SCORES as SCORES
from heedful.evaluation.scores.catalogue import default_scores as default_scores
from heedful.evaluation.scores.catalogue import find_figure as find_figure
from heedful.evaluation.scores.catalogue import score_kind as score_kind
from heedful.evaluation.scores.clip import ClipImage as ClipImage
from heedful.evaluation.scores.clip import ClipText as ClipText
from heedful.evaluation.scores.dino import DinoImage as DinoImage
from heedful.evaluation.scores.instance import InstanceScore as InstanceScore
from heedful.evaluation.scores.owl import OwlBoxes as OwlBoxes
from heedful.evaluation.scores.owl import OwlScore as OwlScore
from heedful.evaluation.scores.score import Figure as Figure
from heedful.evaluation.scores.score import Score as Score
from heedful.evaluation.scores.score import Values as Values
from heedful.evaluation.scores.score import evaluate as evaluate
from heedful.evaluation.scores.world import WorldScore as WorldScore

__all__ = [
    "SCORES",
    "AttentionScore",
    "BlipCaption",
    "BlipVQA",
    "ClipImage",
    "ClipText",
    "DinoImage",
    "Figure",
    "InstanceScore",
    "Original",
    "OwlBoxes",
    "OwlScore",
    "Score",
    "Values",
    "WorldBoxes",
    "WorldScore",
    "default_scores",
    "evaluate",
    "find_figure",
    "score_kind",
]
