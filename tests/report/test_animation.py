from io import BytesIO

import pytest
import torch
from PIL import Image

from heedful.errors import SettingsError
from heedful.report import map_animation

IMAGE = Image.new("RGB", (64, 64), "gray")
MAPS = {"cat": torch.rand(3, 4, 4), "blue clock": torch.rand(3, 4, 4)}


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_has_a_frame_for_each_step(kind: str) -> None:
    with Image.open(BytesIO(map_animation(IMAGE, MAPS, kind=kind))) as moving:
        assert (moving.format, moving.n_frames) == (kind, 3)
        assert moving.width > 3 * 160  # the image and both maps


def test_another_kind_and_no_maps_are_refused() -> None:
    for maps, kind in ((MAPS, "PNG"), ({}, "GIF")):
        with pytest.raises(SettingsError, match="GIF, WEBP"):
            map_animation(IMAGE, maps, kind=kind)
