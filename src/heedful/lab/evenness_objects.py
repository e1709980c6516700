"""What the evenness study keeps of an image: its objects, how good they are, how evenly each was attended to."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from heedful.attention import Groups
from heedful.lab.nearest_render import RenderSearch
from heedful.lab.pointing_game import is_inside
from heedful.lab.watch import Seen, rounded
from heedful.losses import Evenness, OwnArea, unevenness
from heedful.world import ANIMALS, COLOURS, Box, Detection, expectations, font_is_installed

AREAS = ("box", "map")
"""The cells whose centre lies in the detector's box; the concept's own area, found in the maps (`OwnArea`)."""
UNEVENNESS = ("entropy", "cv", "gini")
THIRDS = ("early", "middle", "late")
"""Thirds of the steps: the maps of each third are averaged, then measured."""


class ObjectReader:
    """Reads an image for `watch`: its objects, and the evenness loss at every step."""

    def __init__(self) -> None:
        self._search = RenderSearch() if font_is_installed() else None

    def __call__(self, seen: Seen) -> dict[str, Any]:
        """Return `objects`, one per concept that was found (the surest, if it was found often), and `loss` by step.

        An object has its concept's position in the prompt, confidence, box area in pixels, distance to the nearest
        render (None without the emoji font, or if it has no colour to render), and `unevenness` and `cells` by area
        and third.
        """
        steps = seen.maps.group(seen.prompts).maps  # -> (step, concept, height, width)
        parts = np.array_split(np.arange(len(steps)), len(THIRDS))
        thirds = torch.stack([steps[part].mean(0) for part in parts])
        there = torch.ones(thirds.shape[:2], dtype=torch.bool)
        own = OwnArea()(Groups(thirds, there))
        objects = []
        for position, concept in enumerate(expectations(seen.prompt.text)):
            found = [each for each in seen.detections if each.name == concept.name]
            if not found:
                continue
            best = max(found, key=lambda each: each.confidence)
            boxed = cells_in(best.box, steps.shape[-2], steps.shape[-1])
            areas = {"box": boxed.expand_as(thirds[:, position]), "map": own[:, position]}
            objects.append(
                {
                    "concept": position,
                    "confidence": round(best.confidence, 5),
                    "size": round((best.box[2] - best.box[0]) * (best.box[3] - best.box[1]), 1),
                    "distance": self._distance(seen, best, concept.colour),
                    "cells": {area: areas[area].flatten(1).sum(1).tolist() for area in AREAS},
                    "unevenness": {
                        area: {
                            measure: rounded(
                                unevenness(thirds[:, [position]].flatten(2), areas[area][:, None].flatten(2), measure)[
                                    :, 0
                                ]
                            )
                            for measure in UNEVENNESS
                        }
                        for area in AREAS
                    },
                }
            )
        return {"objects": objects, "loss": rounded(Evenness()(seen.maps, seen.prompts))}

    def _distance(self, seen: Seen, best: Detection, wanted: str | None) -> float | None:
        if self._search is None:
            return None
        colour = None
        if best.name not in ANIMALS:
            colour = best.colour if best.colour in COLOURS else wanted
            if colour is None:
                return None
        others = tuple(each.box for each in seen.detections if each is not best)
        nearest = self._search(seen.image, best.name, colour, best.box, others)
        return None if nearest is None else round(nearest.distance, 6)


def cells_in(box: Box, height: int, width: int) -> Bool[Tensor, "height width"]:
    """Return which cells of a map have their centre in a pixel box."""
    return torch.tensor([[is_inside(row, column, height, box) for column in range(width)] for row in range(height)])
