import pytest
import torch

from heedful.attention.filters import gaussian_kernel, resize, smooth


def test_smoothing_keeps_the_sum_of_a_map_that_vanishes_at_the_border() -> None:
    maps = torch.zeros(1, 2, 7, 5)
    maps[0, 0, 3, 2] = 1
    smoothed = smooth(maps, 0.5)
    torch.testing.assert_close(smoothed[0, 0, 2:5, 1:4], gaussian_kernel(0.5).float())
    assert float(smoothed.sum()) == pytest.approx(1)
    assert float(smoothed[0, 1].abs().sum()) == 0


def test_constant_maps_stay_constant_also_where_there_is_nothing_to_reflect() -> None:
    for size in ((1, 1), (1, 4), (2, 2), (8, 8)):
        torch.testing.assert_close(smooth(torch.full((1, 1, *size), 0.3), 0.5), torch.full((1, 1, *size), 0.3))


def test_larger_kernels_are_smoothed_wider() -> None:
    assert gaussian_kernel(2.0, 7).shape == (7, 7)
    assert float(gaussian_kernel(2.0, 7).sum()) == pytest.approx(1)


def test_resizing_keeps_the_sum_over_tokens() -> None:
    maps = torch.randn(1, 5, 4, 6).softmax(1)
    for height, width in ((8, 12), (2, 3), (4, 6), (7, 5)):
        resized = resize(maps, height, width)
        assert resized.shape == (1, 5, height, width)
        torch.testing.assert_close(resized.sum(1), torch.ones(1, height, width))
