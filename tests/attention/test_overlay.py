import numpy as np
import pytest
import torch
from PIL import Image

from heedful.attention import contact_sheet, heat_map, overlay
from heedful.attention.colours import ANCHORS, colourise

LEFT = torch.tensor([[1.0, 0.0], [1.0, 0.0]])


def brightness(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=float)


def test_colours_go_through_their_anchors_and_grow_lighter() -> None:
    assert np.abs(colourise(np.linspace(0, 1, len(ANCHORS))) - ANCHORS).max() == 0
    grey = colourise(np.linspace(0, 1, 50)) @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) > 0).all()


def test_values_outside_and_nan_are_shown_at_the_ends() -> None:
    low, high = ANCHORS[0].tolist(), ANCHORS[-1].tolist()
    assert colourise(np.array([-1.0, 2.0, np.nan])).tolist() == [low, high, low]


def test_heat_map_is_bright_where_the_map_is_high() -> None:
    picture = brightness(heat_map(LEFT, (20, 10)))
    assert picture.shape == (10, 20)
    assert picture[:, :5].mean() > picture[:, 15:].mean() + 100


def test_overlay_keeps_the_size_and_blends() -> None:
    image = Image.new("RGB", (24, 16), (10, 20, 30))
    assert overlay(image, LEFT).size == (24, 16)
    assert np.asarray(overlay(image, LEFT, opacity=0.0)).tolist() == np.asarray(image).tolist()


def test_contour_is_white_between_high_and_low() -> None:
    image = Image.new("RGB", (40, 20))
    line = brightness(overlay(image, LEFT, opacity=0.0, contour=0.5))
    assert set(np.unique(line)) == {0.0, 255.0}
    columns = np.flatnonzero(line.any(axis=0))
    assert columns.min() >= 15
    assert columns.max() <= 25


def test_empty_maps_can_be_shown() -> None:
    assert brightness(heat_map(torch.zeros(3, 3), (6, 6))).max() < 40


@pytest.mark.parametrize("image", [None, Image.new("RGB", (64, 64))])
def test_contact_sheet_has_a_row_a_name_and_a_column_a_step(image: Image.Image | None) -> None:
    maps = {"cat": torch.rand(4, 8, 8), "blue clock": torch.rand(4, 8, 8)}
    whole = contact_sheet(maps, image=image, cell=40)
    some = contact_sheet(maps, steps=[0, 3], image=image, cell=40)
    assert whole.height == some.height > 2 * 40
    assert whole.width - some.width == 2 * (40 + 4)


def test_rows_of_a_contact_sheet_share_one_scale() -> None:
    fading = torch.stack([torch.ones(4, 4), torch.full((4, 4), 0.01)])
    sheet = brightness(contact_sheet({"cat": fading}, cell=40))
    assert sheet[-20, -20] < sheet[-20, -70] - 100
