"""The judge's eye: which objects an image of the world holds, where, in which colour, and how surely.

A small convolutional network that never sees the prompt. It was trained on renders, and on hybrids, smears and
fragments that it must call `other`; so an image counts as right only if every blob in it is one clean object.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from heedful.errors import ModelNotFound
from heedful.world.tones import colours_in
from heedful.world.vocabulary import CLASSES, COLOURS

OTHER = "other"
NATURAL = "natural"
MIXED = "mixed"
CLASS_LABELS = (*CLASSES, OTHER)
COLOUR_LABELS = (*COLOURS, NATURAL, MIXED)
STRIDE = 4
THRESHOLD = 0.4


@dataclass(frozen=True)
class Detection:
    """One object: class (`other`: no clean object of the world), colour (`natural`: an animal in its own colours;
    `mixed`: more than one), pixel box (left, top, right, bottom) and confidence in [0, 1].

    `holds` are the colours that its pixels have, largest share first (`tones.colours_in`): the network says whether an
    object is of one colour, the pixels say of which it is mixed.
    """

    name: str
    colour: str
    box: tuple[float, float, float, float]
    confidence: float
    holds: tuple[str, ...] = ()


class DetectorNetwork(nn.Module):
    """Images (batch, 3, 64, 64) in [-1, 1] to a grid (batch, 1 + 25 + 13 + 4, 16, 16).

    Channels: logit that an object's centre lies in the cell, class logits, colour logits, and the box as distances
    from the cell's centre to left, top, right and bottom in cells.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            _unit(3, width, stride=2),
            _unit(width, width),
            _unit(width, 2 * width, stride=2),
            _unit(2 * width, 2 * width),
        )
        self.coarse = nn.Sequential(
            _unit(2 * width, 3 * width, stride=2), _unit(3 * width, 3 * width), _unit(3 * width, 3 * width, dilation=2),
            _unit(3 * width, 3 * width),
        )  # fmt: skip
        self.head = nn.Sequential(
            _unit(5 * width, 3 * width), nn.Conv2d(3 * width, 1 + len(CLASS_LABELS) + len(COLOUR_LABELS) + 4, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Read a batch of images at once; `split` cuts the channels apart."""
        fine = self.fine(images)  # -> (batch, 64, 16, 16)
        coarse = nn.functional.interpolate(self.coarse(fine), size=fine.shape[-2:], mode="bilinear")
        return self.head(torch.cat([fine, coarse], dim=1))


def _unit(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False), nn.GroupNorm(8, outputs), nn.SiLU()
    )


class Detector:
    """Find the objects in images of the world: `detector(images)` gives a list of `Detection` for each."""

    def __init__(self, network: DetectorNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: Path) -> "Detector":
        """Load `detector.safetensors` of a world folder; raises `ModelNotFound` if it is not there."""
        path = Path(folder) / "detector.safetensors"
        if not path.is_file():
            raise ModelNotFound(f"Expected a detector at {path}, found none. Train one: heedful world train")
        network = DetectorNetwork()
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        return cls(network)

    @torch.no_grad()
    def __call__(self, images: Sequence[Image.Image] | np.ndarray) -> list[list[Detection]]:
        """`images`: 64x64 RGB images, or (batch, 64, 64, 3) uint8. Other sizes are resized to 64x64 first."""
        arrays = images if isinstance(images, np.ndarray) else np.stack([_fitted(image) for image in images])
        pixels = torch.from_numpy(np.ascontiguousarray(arrays)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        return [
            _with_colours(self._read(grid), image) for grid, image in zip(self.network(pixels), arrays, strict=True)
        ]

    def _read(self, grid: Tensor) -> list[Detection]:
        centre, classes, colours, sides = split(grid[None])
        presence = centre.sigmoid()[0, 0]
        peaks = presence == nn.functional.max_pool2d(presence[None], 5, 1, 2)[0]
        found = []
        for row, column in (peaks & (presence > THRESHOLD)).nonzero().tolist():
            name_index, name_share = _top(classes[0, :, row, column])
            colour_index, colour_share = _top(colours[0, :, row, column])
            left, top, right, bottom = (sides[0, :, row, column] * STRIDE).tolist()
            x, y = (column + 0.5) * STRIDE, (row + 0.5) * STRIDE
            found.append(
                Detection(
                    CLASS_LABELS[name_index],
                    COLOUR_LABELS[colour_index],
                    (x - left, y - top, x + right, y + bottom),
                    float(presence[row, column]) * name_share * colour_share,
                )
            )
        return sorted(found, key=lambda detection: -detection.confidence)


def _with_colours(detections: list[Detection], image: np.ndarray) -> list[Detection]:
    boxes = [detection.box for detection in detections]
    return [
        replace(detection, holds=colours_in(image, box, boxes[:index] + boxes[index + 1 :]))
        for index, (detection, box) in enumerate(zip(detections, boxes, strict=True))
    ]


def split(grid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut the network's channels into centre, class, colour and side maps."""
    centre, classes, colours, sides = grid.split((1, len(CLASS_LABELS), len(COLOUR_LABELS), 4), dim=1)
    return centre, classes, colours, sides


def _top(logits: Tensor) -> tuple[int, float]:
    shares = logits.softmax(0)
    index = int(shares.argmax())
    return index, float(shares[index])


def _fitted(image: Image.Image) -> np.ndarray:
    rgb = image.convert("RGB")
    return np.asarray(rgb if rgb.size == (64, 64) else rgb.resize((64, 64), Image.Resampling.LANCZOS))
