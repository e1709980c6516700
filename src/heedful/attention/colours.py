"""One colour table for maps: dark blue over green to yellow, even in lightness, so that it also reads in grey."""

import numpy as np
from numpy.typing import NDArray

ANCHORS = np.array(
    [
        (38, 12, 76),
        (58, 48, 126),
        (48, 86, 142),
        (36, 122, 140),
        (32, 156, 128),
        (84, 188, 100),
        (160, 214, 62),
        (248, 230, 50),
    ],
    dtype=np.float64,
)
"""Colours at even distances from 0 to 1, as red, green and blue in [0, 255]."""


def colourise(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the colour of each value: (...) in [0, 1] becomes (..., 3) in [0, 255]; NaN is shown as 0."""
    positions = np.linspace(0, 1, len(ANCHORS))
    known = np.nan_to_num(values, nan=0.0).clip(0, 1)
    channels = [np.interp(known, positions, ANCHORS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
