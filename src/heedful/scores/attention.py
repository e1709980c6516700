"""What the maps of a run say of its images: shared, kept, even, confined, and at the right location.

It needs the maps, so an image alone cannot be scored later. The maps are those of the sites that the method reads
(`guided.settings.sites`): only figures of the same sites can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean
from typing import ClassVar

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from heedful.attention import Maps, overlap, peak, retention
from heedful.errors import SettingsError
from heedful.guidance import MapHistory
from heedful.losses import Evenness, OwnArea, Suppression
from heedful.prompts import Prompt
from heedful.scores.boxes import Boxes, Part, WorldBoxes, is_in
from heedful.scores.score import Figure, Score, Values, check_prompts


@dataclass(frozen=True, kw_only=True)
class AttentionScore(Score):
    """Five figures of the concepts' maps, each taken at every step and averaged over the steps.

    Settings: maps as they were read, mean over heads and sites, after the step's update; own areas by `area`; boxes by
    `boxes`. Overlap and retention are those of `heedful see` (`attention/figures.py`), evenness and suppression those
    of the losses, pointing is the game of Zhang et al. 2018 with a detector's box instead of a label. None without
    concepts; overlap is None for one concept, retention for one step, pointing for images in which the detector does
    not find every concept exactly once.
    """

    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            name="overlap",
            higher_is_better=False,
            says="what two concepts' maps share: sum of minima over the smaller sum, mean over pairs",
        ),
        Figure(name="retention", says="share of a map's cells above its mean that still are at the next step"),
        Figure(name="evenness", says="entropy of a map over the concept's own area, over the largest possible"),
        Figure(
            name="suppression_ratio",
            higher_is_better=False,
            says="share of a concept's attention that lies outside its own area",
        ),
        Figure(name="pointing", says="share of the concepts whose map is largest inside the concept's box"),
    )
    citations: ClassVar[tuple[str, ...]] = ("agarwal2023astar", "zhang2018excitation")
    needs_maps: ClassVar[bool] = True

    name: str = "attention"
    area: OwnArea = field(default_factory=OwnArea)
    """How a concept's own area is found in the maps."""
    boxes: Boxes | None = field(default_factory=WorldBoxes)
    """Who says where the objects are, for pointing; None skips pointing."""

    def load(self, prompt: Prompt) -> None:
        """Load the detector of the boxes."""
        if self.boxes:
            self.boxes([Image.new("RGB", (64, 64))], [prompt])

    def __call__(
        self, images: Sequence[Image.Image], prompts: Sequence[Prompt], maps: MapHistory | None = None
    ) -> Values:
        """Return overlap, retention, evenness, suppression ratio and pointing of each image."""
        check_prompts(images, prompts)
        if not images:
            return {figure.name: [] for figure in self.figures}
        if maps is None or len(maps) == 0:
            raise SettingsError(
                "Expected the maps of the run that made the images, got none. Pass maps=guided.maps (with "
                "keep_maps=True), or take no score 'attention' for images that lie on disk."
            )
        steps = [Maps(maps.at(step).tokens.float().cpu()) for step in range(len(maps))]
        found = self.boxes(images, prompts) if self.boxes else [dict[str, list[Part]]() for _ in images]
        uneven = [Evenness(area=self.area)(each, prompts) for each in steps]
        outside = [Suppression(area=self.area)(each, prompts) for each in steps]
        values: Values = {figure.name: [] for figure in self.figures}
        groups = [each.concepts(prompts) for each in steps]
        for item, prompt in enumerate(prompts):
            concepts = torch.stack([group[item] for group in groups], dim=1)  # -> (concept, step, height, width)
            is_empty = not prompt.concepts
            values["overlap"].append(_overlap(concepts))
            values["retention"].append(_retention(concepts))
            values["evenness"].append(None if is_empty else _inside(1 - fmean(float(each[item]) for each in uneven)))
            values["suppression_ratio"].append(
                None if is_empty else _inside(fmean(float(each[item]) for each in outside))
            )
            values["pointing"].append(_pointing(concepts, prompt, found[item]))
        return values


def _overlap(concepts: Float[Tensor, "concept step height width"]) -> float | None:
    shared = [overlap(one, other) for pair in combinations(concepts, 2) for one, other in zip(*pair, strict=True)]
    return _inside(fmean(shared)) if shared else None


def _retention(concepts: Float[Tensor, "concept step height width"]) -> float | None:
    kept = [retention(before, after) for each in concepts for before, after in pairwise(each)]
    return _inside(fmean(kept)) if kept else None


def _pointing(
    concepts: Float[Tensor, "concept step height width"], prompt: Prompt, found: dict[str, list[Part]]
) -> float | None:
    boxes = [found.get(concept.noun, []) for concept in prompt.concepts]
    if not boxes or any(len(each) != 1 for each in boxes):
        return None
    hits = [is_in(peak(one), box) for each, (box,) in zip(concepts, boxes, strict=True) for one in each]
    return fmean(hits)


def _inside(value: float) -> float:
    """Return a mean of rounded numbers without what rounding adds at the ends."""
    return min(1.0, max(0.0, value))
