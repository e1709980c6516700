import pytest
import torch

from heedful.attention.filters import otsu_threshold
from heedful.losses.areas import Threshold, high_cells


def test_otsu_splits_two_classes() -> None:
    cells = torch.cat([torch.rand(20) * 0.2, 0.8 + torch.rand(5) * 0.2])[None, None]
    threshold = float(otsu_threshold(cells))
    assert 0.2 < threshold < 0.8


def test_otsu_has_the_largest_variance_between_classes_of_all_splits() -> None:
    cells = torch.rand(12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def between(threshold: float) -> float:
        high, low = cells[cells > threshold], cells[cells <= threshold]
        return 0.0 if 0 in (len(high), len(low)) else float(len(high) * len(low) * (high.mean() - low.mean()) ** 2)

    best = max(between(float(cell)) for cell in cells)
    assert between(float(otsu_threshold(cells[None, None]))) == pytest.approx(best)


@pytest.mark.parametrize("threshold", ["mean", "otsu", "quantile"])
def test_masks_cover_what_is_high_in_each_map(threshold: Threshold) -> None:
    maps = torch.zeros(1, 2, 4, 4)
    maps[0, 0, 0, 0] = 1
    maps[0, 1, 3, 3] = 0.01
    masks = high_cells(maps, threshold)
    assert masks.sum((-2, -1)).tolist() == [[1, 1]]
    assert masks[0, 0, 0, 0]
    assert masks[0, 1, 3, 3]


def test_quantile_is_a_share_of_cells() -> None:
    maps = torch.arange(100.0).view(1, 1, 10, 10)
    assert int(high_cells(maps, "quantile", 0.9).sum()) == 10


def test_maps_of_one_cell_have_no_high_cells() -> None:
    for threshold in ("mean", "otsu", "quantile"):
        assert not high_cells(torch.ones(1, 1, 1, 1), threshold).any()  # type: ignore[arg-type]
