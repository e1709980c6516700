"""Maps at pixel resolution that follow the edges of their image: the guided filter.

Written from He, Sun and Tang, "Guided Image Filtering"
(TPAMI 2013), equations 19 to 21, for a guide of three channels.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Colours = Float[Tensor, "3 height width"]
"""Red, green and blue in [0, 1]."""


def follow_edges(
    maps: Float[Tensor, "map height width"], image: Colours, radius: int, softness: float = 1e-3
) -> Float[Tensor, "map height width"]:
    """Return `maps` as the best linear function of the image's colours in every window, averaged over the windows.

    q_i = mean over windows k that hold i of a_k . I_i + b_k, with a_k = (Sigma_k + softness U)^-1 cov_k(I, p). Windows
    are squares of 2 `radius` + 1 pixels. So a map p ends where the image I has an edge, within about `radius` pixels
    of where it ended before; where a window is of one colour, it is smoothed. `softness` is a variance of colours in
    [0, 1]: edges that are fainter are no edges.
    """
    mean = _window_mean(image, radius)
    # -> (channel, channel, height, width)
    products = _window_mean((image[:, None] * image[None]).flatten(0, 1), radius).unflatten(0, (3, 3))
    spread = (products - mean[:, None] * mean[None]).permute(2, 3, 0, 1)
    spread = spread + softness * torch.eye(3, dtype=image.dtype, device=image.device)
    level = _window_mean(maps, radius)
    shared = _window_mean((maps[:, None] * image[None]).flatten(0, 1), radius).unflatten(0, (len(maps), 3))
    covariance = (shared - level[:, None] * mean[None]).permute(2, 3, 1, 0)  # -> (height, width, channel, map)
    slopes = torch.linalg.solve(spread, covariance).permute(3, 2, 0, 1)  # -> (map, channel, height, width)
    offsets = level - (slopes * mean).sum(1)
    slopes = _window_mean(slopes.flatten(0, 1), radius).unflatten(0, (len(maps), 3))
    return (slopes * image).sum(1) + _window_mean(offsets, radius)


def _window_mean(values: Float[Tensor, "channel height width"], radius: int) -> Float[Tensor, "channel height width"]:
    """Return the mean over the window around each pixel, of those pixels that lie in the image."""
    return F.avg_pool2d(values[None], 2 * radius + 1, 1, radius, count_include_pad=False)[0]
