"""The COCO file: read back by our own reader, and by pycocotools where it is installed."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from heedful.attention.regions import Segment
from heedful.images.coco import box_of, describe_segments, mask_of, run_lengths, write_coco
from heedful.images.gallery import Entry, Gallery, encode, image_name
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a blue clock", build_tokenizer())
MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_run_lengths_give_the_mask_back(mask: np.ndarray) -> None:
    encoded = run_lengths(mask)
    assert sum(encoded["counts"]) == mask.size and 0 not in encoded["counts"][1:]
    np.testing.assert_array_equal(mask_of(encoded), mask)


def test_run_lengths_go_column_by_column_from_outside() -> None:
    mask = np.array([[False, True], [True, True]])
    assert run_lengths(mask) == {"size": [2, 2], "counts": [1, 3]}
    assert run_lengths(~mask) == {"size": [2, 2], "counts": [0, 1, 3]}


@given(MASKS.filter(lambda mask: bool(mask.any())))
def test_the_box_is_the_smallest(mask: np.ndarray) -> None:
    left, top, width, height = box_of(mask)
    inside = mask[top : top + height, left : left + width]
    assert inside.sum() == mask.sum()
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def masks(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((12, 16)) < 0.4, np.zeros((12, 16), dtype=bool)]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Two images with masks, the second concept's empty, and one that was made without."""
    made = Gallery(tmp_path)
    for seed in (0, 1):
        segments = [
            Segment(concept, mask, 0.5) for concept, mask in zip(PROMPT.concepts[::-1], masks(seed), strict=True)
        ]
        settings = {"prompt": PROMPT.text, "method": "none", "seed": seed}
        entry = Entry(settings, {"loss": None, "masks": describe_segments(segments)})
        write(made, PROMPT.text, seed, Image.new("RGB", (16, 12)), entry)
    made.write_images(
        {
            image_name("none", "a dog").format(7): encode(
                Image.new("RGB", (16, 12)), Entry({"prompt": "a dog", "seed": 7})
            )
        }
    )
    return made


def write(gallery: Gallery, prompt: str, seed: int, image: Image.Image, entry: Entry) -> None:
    gallery.write_images({image_name("none", prompt).format(seed): encode(image, entry)})


def test_the_data_set_has_images_annotations_and_categories(gallery: Gallery) -> None:
    found = json.loads(write_coco(gallery).read_text(encoding="utf-8"))
    assert [(each["id"], each["file_name"]) for each in found["images"]] == [
        (1, f"none/{PROMPT.text}/0.png"),
        (2, f"none/{PROMPT.text}/1.png"),
    ]
    assert found["categories"] == [{"id": 1, "name": "clock", "supercategory": "concept"}]
    assert [each["image_id"] for each in found["annotations"]] == [1, 2]
    for seed, each in enumerate(found["annotations"]):
        np.testing.assert_array_equal(mask_of(each["segmentation"]), masks(seed)[0])
        assert each["area"] == masks(seed)[0].sum() and each["concept"] == "blue clock"


def test_a_gallery_without_masks_gives_an_empty_data_set(tmp_path: Path) -> None:
    found = json.loads(write_coco(Gallery(tmp_path)).read_text(encoding="utf-8"))
    assert found["images"] == found["annotations"] == found["categories"] == [] and found["info"]


def test_masks_of_many_images_are_not_held_in_memory(tmp_path: Path) -> None:
    made = Gallery(tmp_path)
    noise = np.random.default_rng(0).random((96, 96)) < 0.5  # some 4600 run lengths
    notes = {"masks": describe_segments([Segment(PROMPT.concepts[0], noise, 0.5)])}
    peaks = []
    for seeds in (range(8), range(8, 32)):
        for seed in seeds:
            made.write_images(
                {
                    image_name("none", "a cat").format(seed): encode(
                        Image.new("RGB", (96, 96)), Entry({"seed": seed}, notes)
                    )
                }
            )
        write_coco(made)  # what is cached is cached now
        tracemalloc.start()
        path = write_coco(made)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert len(json.loads(path.read_text(encoding="utf-8"))["annotations"]) == 32
    assert peaks[1] < 1.5 * peaks[0]  # four times as many images


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # its compiled part, of numpy 2
def test_pycocotools_reads_the_file(gallery: Gallery) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(str(write_coco(gallery)))
    assert {each["name"] for each in coco.loadCats(coco.getCatIds())} == {"clock"}
    assert coco.loadImgs([1])[0]["width"] == 16
    for seed, number in enumerate(coco.getAnnIds()):
        (annotation,) = coco.loadAnns([number])
        mask = coco.annToMask(annotation).astype(bool)
        np.testing.assert_array_equal(mask, masks(seed)[0])
        tools = pytest.importorskip("pycocotools.mask")
        assert tools.area(coco.annToRLE(annotation)) == annotation["area"]
        assert tools.toBbox(coco.annToRLE(annotation)).tolist() == annotation["bbox"]


def test_the_metadata_of_a_folder_stay_without_masks(gallery: Gallery) -> None:
    assert "segmentation" not in gallery.write_metadata().read_text(encoding="utf-8")
