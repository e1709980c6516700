import numpy as np
import torch

from heedful.attention.edges import follow_edges


def brute(maps: np.ndarray, picture: np.ndarray, radius: int, softness: float) -> np.ndarray:
    """The formula as it is written, window by window."""
    count, height, width = maps.shape

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)

    slopes, offsets = np.zeros((height, width, count, 3)), np.zeros((height, width, count))
    for y in range(height):
        for x in range(width):
            guide = picture[:, *window(y, x)].reshape(3, -1)
            values = maps[:, *window(y, x)].reshape(count, -1)
            spread = np.cov(guide, bias=True) + softness * np.eye(3)
            shared = (values - values.mean(1, keepdims=True)) @ (guide - guide.mean(1, keepdims=True)).T
            slopes[y, x] = shared / guide.shape[1] @ np.linalg.inv(spread)
            offsets[y, x] = values.mean(1) - slopes[y, x] @ guide.mean(1)
    result = np.zeros_like(maps)
    for y in range(height):
        for x in range(width):
            slope, offset = slopes[window(y, x)], offsets[window(y, x)]
            result[:, y, x] = slope.mean((0, 1)) @ picture[:, y, x] + offset.mean((0, 1))
    return result


def test_the_guided_filter_is_its_formula() -> None:
    maps, picture = torch.rand(2, 9, 11, dtype=torch.float64), torch.rand(3, 9, 11, dtype=torch.float64)
    expected = brute(maps.numpy(), picture.numpy(), 2, 0.01)
    np.testing.assert_allclose(follow_edges(maps, picture, 2, 0.01).numpy(), expected, atol=1e-10)


def test_a_blurred_map_gets_the_edge_of_its_picture() -> None:
    picture = torch.zeros(3, 32, 32)
    picture[:, :, 13:] = 1
    ramp = (torch.arange(32.0) / 31).expand(1, 32, 32)
    bent = follow_edges(ramp, picture, 6)[0, 16]
    assert bent[13] - bent[12] > 5 * (ramp[0, 0, 13] - ramp[0, 0, 12])


def test_a_picture_of_one_colour_only_smooths() -> None:
    flat = torch.full((1, 16, 16), 0.3)
    torch.testing.assert_close(follow_edges(flat, torch.full((3, 16, 16), 0.5), 3), flat)


def test_a_window_may_be_wider_than_the_picture() -> None:
    assert follow_edges(torch.rand(1, 4, 6), torch.rand(3, 4, 6), 9).isfinite().all()
