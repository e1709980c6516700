"""`heedful generate --masks`: what it writes, and that it goes on like everything else."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.images.coco import mask_of
from tests.cli.conftest import Call

PROMPT = "a cat and a blue clock"


@pytest.fixture
def options(model_folder: Path) -> list[object]:
    return ["--model", model_folder, "--steps", 3, "--method", "none", "--seeds", "0-1"]


def test_masks_and_boxes_of_every_concept_are_written_as_coco(
    call: Call, options: list[object], tmp_path: Path
) -> None:
    result = call("generate", PROMPT, "--masks", "--out", tmp_path / "out", *options)
    assert result.code == 0 and f"Masks: {tmp_path / 'out' / 'masks.json'}" in result.out
    found = json.loads((tmp_path / "out" / "masks.json").read_text(encoding="utf-8"))
    assert {each["name"] for each in found["categories"]} == {"cat", "clock"}
    assert {each["concept"] for each in found["annotations"]} == {"cat", "blue clock"}
    for image in found["images"]:
        with Image.open(tmp_path / "out" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])
    sizes = {image["id"]: [image["height"], image["width"]] for image in found["images"]}
    for annotation in found["annotations"]:
        assert annotation["segmentation"]["size"] == sizes[annotation["image_id"]]
        assert mask_of(annotation["segmentation"]).sum() == annotation["area"] > 0
    files = {image["id"]: Path(image["file_name"]).with_suffix("") for image in found["images"]}
    for annotation in found["annotations"]:
        place = tmp_path / "out" / "masks" / files[annotation["image_id"]] / f"{annotation['concept']}.png"
        with Image.open(place) as picture:
            assert (np.asarray(picture) == mask_of(annotation["segmentation"]) * 255).all()


def test_images_are_the_same_with_masks_and_without(call: Call, options: list[object], tmp_path: Path) -> None:
    for folder, masks in (("with", ["--masks"]), ("without", [])):
        assert call("generate", PROMPT, *masks, "--out", tmp_path / folder, *options).code == 0
    for image in (tmp_path / "with").glob("*/*/*.png"):
        other = tmp_path / "without" / image.relative_to(tmp_path / "with")
        assert Image.open(image).tobytes() == Image.open(other).tobytes()


def test_masks_stay_when_the_run_goes_on(call: Call, options: list[object], tmp_path: Path) -> None:
    command = ["generate", PROMPT, "--masks", "--out", tmp_path, *options]
    call(*command)
    first = json.loads((tmp_path / "masks.json").read_text(encoding="utf-8"))
    next(tmp_path.glob("none/*/1.png")).unlink()
    assert call(*command).code == 0
    assert json.loads((tmp_path / "masks.json").read_text(encoding="utf-8")) == first


def test_images_without_masks_are_not_made_again_unasked(call: Call, options: list[object], tmp_path: Path) -> None:
    command = ["generate", PROMPT, "--out", tmp_path, *options]
    call(*command)
    refused = call(*command, "--masks")
    assert refused.code == 2 and "was made without them" in refused.err and "--overwrite" in refused.err
    assert call(*command, "--masks", "--overwrite").code == 0
    assert len(json.loads((tmp_path / "masks.json").read_text(encoding="utf-8"))["images"]) == 2
