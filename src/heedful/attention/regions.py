"""Masks of the concepts of an image, from what the denoiser looked at in it: no label, no other model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from PIL import Image
from scipy import ndimage
from torch import Tensor

from heedful.attention.edges import follow_edges
from heedful.attention.filters import otsu_threshold
from heedful.attention.maps import Maps
from heedful.errors import SettingsError
from heedful.prompts import Concept, Prompt
from heedful.shapes import ConceptMaps

Border = Literal["middle", "otsu"]
"""Half way between the map's lowest and highest value; Otsu's split of its pixels into two classes."""

_FLAT = 1e-6
"""A map that varies by less is the same everywhere: what is left is rounding."""
_TOUCHING = np.pad(np.ones((1, 3, 3), dtype=bool), ((1, 1), (0, 0), (0, 0)))
"""Pixels touch by corners too, but never those of another mask."""


@runtime_checkable
class History(Protocol):
    """What is needed of the maps of a run; those that `heedful.guide` keeps have it."""

    @property
    def prompts(self) -> Sequence[Prompt]:
        """One per image."""
        ...

    def __len__(self) -> int: ...

    def at(self, step: int) -> Maps:
        """Return the maps of all images at one step."""
        ...

    def concepts(self, step: int) -> list[ConceptMaps]:
        """Return, for each image, the maps of its concepts at one step."""
        ...


@dataclass(frozen=True, eq=False)
class Segment:
    """Where one concept is in one image."""

    concept: Concept
    mask: Bool[np.ndarray, "height width"]
    """The image's pixels; may be empty."""
    score: float
    """The concept's mean share inside the mask, in [0, 1]: how much of the attention there was its own."""


@dataclass(frozen=True, kw_only=True)
class MaskRule:
    """Concepts compete with each other and with the start token, which holds what no word explains.

    For a cell x, attention A averaged over steps s with weights (s + 1)^lateness, concepts n and start token 0,

        share_m(x) = A_m(x) / (sum_n A_n(x) + elsewhere A_0(x)).

    Shares are carried along self-attention (cells that look at each other belong together; as in Nguyen et al. 2023,
    Dataset Diffusion, but half way), enlarged to pixels, and bent to the image's edges by a guided filter whose
    radius is one cell. A pixel belongs to m if its share is above the border, and, each concept's shares scaled to
    [0, 1], no other concept's is higher. Specks, pieces smaller than a tenth of the largest, are removed, because they
    would stretch the box. The numbers were chosen on the development half of the embedded world's
    prompts; docs/masks.md has what each part brings.
    """

    citations: ClassVar[tuple[str, ...]] = ("nguyen2023dataset", "he2013guided")

    lateness: float = 0.0
    """0 weighs all steps the same; the larger, the more the last ones count. Their maps point better, but on the
    embedded world their masks are no better."""
    elsewhere: float = 1.0
    """Weight of the start token, above 0: without it, a single concept would own every pixel."""
    propagation: float = 0.5
    """How far shares follow self-attention, in [0, 1]; steps whose maps have none are skipped."""
    edges: bool = True
    """Whether pixels follow the image, or the enlarged map alone."""
    softness: float = 1e-3
    """Edges whose colours vary less than this are no edges: see `follow_edges`."""
    border: Border = "middle"

    def __post_init__(self) -> None:
        if not (self.elsewhere > 0 and 0 <= self.propagation <= 1 and self.softness > 0):
            raise SettingsError(
                f"Expected elsewhere and softness above 0 and propagation in [0, 1], got {self}. "
                "MaskRule() has values that work."
            )

    def __call__(self, maps: History, images: Sequence[Image.Image]) -> list[list[Segment]]:
        """Return the segments of each image, one per concept of its prompt and in its order.

        `maps` are those of the run that made the images; with self-attention if it is to be followed
        (`heedful.guide(..., keep_self_attention=True)`).
        """
        steps = [maps.at(step) for step in range(len(maps))]
        return [
            self.segments([step[item] for step in steps], prompt, image)
            for item, (prompt, image) in enumerate(zip(maps.prompts, images, strict=True))
        ]

    def segments(self, steps: Sequence[Maps], prompt: Prompt, image: Image.Image) -> list[Segment]:
        """Return the segments of one image, from maps of one item at several steps or levels of noise."""
        if not prompt.concepts:
            return []
        if not prompt.has_start:
            raise SettingsError(
                "Expected a text encoder with a start token, such as CLIP, which holds what no word explains, got one "
                "without (T5, or a language model, as in most transformers). Masks cannot be made there yet."
            )
        shares = self._shares(steps, prompt)
        says_nothing = shares.amax((-2, -1)) - shares.amin((-2, -1)) <= _FLAT  # edges would make something of rounding
        size = (image.height, image.width)
        enlarged = F.interpolate(shares[None], size, mode="bicubic", align_corners=False)[0]
        if self.edges:
            radius = max(1, round(image.height / shares.shape[-2]))
            enlarged = follow_edges(enlarged, _colours(image), radius, self.softness)
        masks = without_specks(contest(enlarged, self.border) & ~says_nothing[:, None, None])
        return [
            Segment(concept, mask.numpy(), float(share[mask].mean().clamp(0, 1)) if mask.any() else 0.0)
            for concept, mask, share in zip(prompt.concepts, masks, enlarged, strict=True)
        ]

    def _shares(self, steps: Sequence[Maps], prompt: Prompt) -> ConceptMaps:
        """Return the shares on the grid of the maps, in [0, 1]."""
        tokens = self._late_mean([step.tokens[0] for step in steps])  # -> (token, height, width)
        concepts = torch.stack([tokens[list(concept.token_indices)].mean(0) for concept in prompt.concepts])
        shares = concepts / (concepts.sum(0) + self.elsewhere * tokens[0]).clamp_min(1e-12)
        looks = [None if step.self_attention is None else step.self_attention[0].flatten(-2) for step in steps]
        if self.propagation == 0 or all(look is None for look in looks):
            return shares
        # (cell that looks, cell seen) @ (cell seen, concept) -> (concept, height, width)
        carried = (self._late_mean(looks) @ shares.flatten(-2).mT).mT.view_as(shares)
        return (1 - self.propagation) * shares + self.propagation * carried

    def _late_mean(self, values: Sequence[Tensor | None]) -> Tensor:
        """Return the weighted mean over the steps that have a value."""
        there = [(step, value) for step, value in enumerate(values) if value is not None]
        weights = torch.tensor([(step + 1.0) ** self.lateness for step, _ in there])
        stacked = torch.stack([value.float().cpu() for _, value in there])
        return torch.tensordot(weights / weights.sum(), stacked, 1)


def contest(shares: Float[Tensor, "concept height width"], border: Border) -> Bool[Tensor, "concept height width"]:
    """Return the pixels that each concept wins: above its border and higher than every other concept.

    To be compared, the values of each concept are scaled to [0, 1], so that one with weak attention keeps the
    location where its attention is highest. A map that is the same everywhere wins none.
    """
    low, high = shares.amin((-2, -1), keepdim=True), shares.amax((-2, -1), keepdim=True)
    least = (low + high) / 2
    if border == "otsu":
        least = otsu_threshold(shares.flatten(-2)[None])[0, :, None, None]
    relative = (shares - low) / (high - low).clamp_min(1e-12)
    varies = high - low > _FLAT
    return (shares > least) & (relative >= relative.amax(0)) & varies


def without_specks(masks: Bool[Tensor, "concept height width"]) -> Bool[Tensor, "concept height width"]:
    """Return each mask without its pieces that are smaller than a tenth of its largest; pixels touch by corners too."""
    labelled: Any = ndimage.label(masks.numpy(), _TOUCHING)
    labels = labelled[0]  # -> (concept, height, width)
    counts = np.bincount(labels.ravel())
    counts[0] = 0  # what is in no mask
    sizes = torch.from_numpy(counts[labels])
    return masks & (sizes * 10 >= sizes.amax((-2, -1), keepdim=True))


def _colours(image: Image.Image) -> Float[Tensor, "3 height width"]:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
