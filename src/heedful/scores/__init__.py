"""Numbers that say how well an image shows its prompt, one file per score, and their statistics."""

from heedful.scores.alignment import Original
from heedful.scores.attention import AttentionScore
from heedful.scores.blip_caption import BlipCaption
from heedful.scores.blip_vqa import BlipVQA
from heedful.scores.boxes import WorldBoxes, intersection_over_union
from heedful.scores.catalogue import SCORES, default_scores, figure_range, find_figure, score_kind, verdict_scores
from heedful.scores.clip import ClipImage, ClipText
from heedful.scores.dino import DinoImage
from heedful.scores.embedding import embed_images, embed_texts
from heedful.scores.instance import InstanceScore
from heedful.scores.originals import instance_originals
from heedful.scores.owl import OwlBoxes, OwlScore
from heedful.scores.score import Figure, Score, Values, evaluate
from heedful.scores.statistics import (
    SHARE,
    Comparison,
    Estimate,
    Range,
    compare,
    estimate,
    interval,
    jackknife_error,
)
from heedful.scores.world import WorldScore

__all__ = [
    "SCORES",
    "SHARE",
    "AttentionScore",
    "BlipCaption",
    "BlipVQA",
    "ClipImage",
    "ClipText",
    "Comparison",
    "DinoImage",
    "Estimate",
    "Figure",
    "InstanceScore",
    "Original",
    "OwlBoxes",
    "OwlScore",
    "Range",
    "Score",
    "Values",
    "WorldBoxes",
    "WorldScore",
    "compare",
    "default_scores",
    "embed_images",
    "embed_texts",
    "estimate",
    "evaluate",
    "figure_range",
    "find_figure",
    "instance_originals",
    "intersection_over_union",
    "interval",
    "jackknife_error",
    "score_kind",
    "verdict_scores",
]
