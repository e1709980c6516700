import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from heedful.app.see import KEPT, Look, Looks
from heedful.app.service import Service
from heedful.errors import SettingsError
from tests.app.conftest import news_of, of_kind

QUERY = "view=see&steps=4&seed=3&prompt=a+%5Bcat%5D+and+a+blue+clock+and+a+%5Bdog%5D"


@pytest.fixture(scope="module")
def seen(service: Service) -> dict[str, Any]:
    (look,) = of_kind("look", news_of(service.see(QUERY, "see")))
    return look


def _pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))))


def _maps(view: dict[str, Any]) -> np.ndarray:
    size = view["size"]
    levels = np.frombuffer(base64.b64decode(view["maps"]), "<u2").reshape(
        -1, size["steps"], size["height"], size["width"]
    )
    return levels / 65535 * np.array([track["top"] for track in view["tracks"]])[:, None, None, None]


@pytest.mark.slow
def test_image_and_maps_are_those_of_the_copied_command(
    service: Service, seen: dict[str, Any], run_command: Callable[[str], Path]
) -> None:
    folder = run_command(service.copies(QUERY)["command"]) / "out/see/heedful/a cat and a blue clock and a dog/3"
    assert np.array_equal(_pixels("," + seen["png"]), np.asarray(Image.open(folder / "image.png").convert("RGB")))
    written = load_file(folder / "maps.safetensors")
    maps = _maps(seen["view"])
    for number, name in enumerate(("0.cat", "1.dog")):
        assert np.allclose(maps[number], written[name], atol=2e-5)


@pytest.mark.slow
def test_image_is_that_of_the_copied_program(service: Service, seen: dict[str, Any]) -> None:
    names: dict[str, Any] = {}
    exec(service.copies(QUERY)["python"], names)
    assert np.array_equal(np.asarray(names["images"][0]), _pixels("," + seen["png"]))
    assert "iframe" in names["guided"].maps.show(names["images"]).html


def test_every_word_has_a_map_and_every_step_an_image_and_perhaps_a_loss(seen: dict[str, Any]) -> None:
    view = seen["view"]
    words = [track["name"] for track in view["tracks"] if track["kind"] == "word"]
    assert words == ["a", "cat", "and", "a", "blue", "clock", "and", "a", "dog"]
    assert len(view["previews"]) == 4 and len(view["losses"]) == 4 and view["losses"][0] is not None
    # 30 % of the steps are steered
    assert view["losses"][2:] == [None, None]
    assert [each["name"] for each in seen["cutouts"]] == ["cat", "dog"]
    assert _pixels(seen["cutouts"][0]["image"]).shape == (64, 64, 4)


def test_masks_and_animations_can_be_kept(service: Service, seen: dict[str, Any]) -> None:
    coco = json.loads(service.masks(seen["name"]))
    assert {each["name"] for each in coco["categories"]} == {"cat", "dog"} and coco["images"][0]["seed"] == 3
    for kind in ("GIF", "WEBP"):
        with Image.open(BytesIO(service.animation(seen["name"], kind))) as moving:
            assert moving.format == kind and moving.n_frames == 4
    with pytest.raises(SettingsError, match="GIF, WEBP"):
        service.animation(seen["name"], "MP4")


def test_a_look_that_is_forgotten_says_what_to_do() -> None:
    looks = Looks()
    names = [looks.keep(Look(Image.new("RGB", (8, 8)), {"cat": torch.ones(1, 2, 2)}, [], "")) for _ in range(KEPT + 1)]
    with pytest.raises(SettingsError, match="Look at it again"):
        looks.find(names[0])
    assert looks.find(names[1]).coco == ""


def test_a_prompt_without_things_cannot_be_looked_at(service: Service) -> None:
    (failed,) = of_kind("failed", news_of(service.see("prompt=of+the&looked=none", "see")))
    assert "names things to look for" in failed["says"]


@pytest.mark.slow
def test_a_model_of_joint_attention_is_looked_at_too(service: Service) -> None:
    (look,) = of_kind("look", news_of(service.see("view=see&steps=2&looked=none&model=world%3Ajoint", "see")))
    assert [track["name"] for track in look["view"]["tracks"]][:2] == ["cat", "blue clock"]
    assert look["view"]["losses"] == [None, None] and len(look["view"]["previews"]) == 2
