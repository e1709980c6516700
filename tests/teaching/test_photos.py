"""Photos of every kind that a person may have, and what stands beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.errors import SettingsError
from heedful.teaching.concepts import NewConcept
from heedful.teaching.photos import Photo, as_photos, check_regions, read_photos
from tests.teaching.lesson import picture


def _saved(folder: Path, *names: str) -> list[Path]:
    for number, name in enumerate(names):
        picture(number).save(folder / name)
    return [folder / name for name in names]


def _mask(file: Path, box: tuple[int, int, int, int]) -> None:
    mask = Image.new("L", (16, 16))
    mask.paste(255, box)
    mask.save(file)


def test_captions_stand_in_text_files_beside_the_images(tmp_path: Path) -> None:
    files = _saved(tmp_path, "a.png", "b.png")
    (tmp_path / "a.txt").write_text("a <cat1> cat\n\n  a dog and a <cat1> cat \n", encoding="utf-8-sig")
    for photos in (read_photos(files), read_photos([tmp_path])):
        assert [photo.captions for photo in photos] == [("a <cat1> cat", "a dog and a <cat1> cat"), ()]
    assert [photo.captions for photo in read_photos([tmp_path], captions=False)] == [(), ()]
    (tmp_path / "b.txt").write_text(" \n")
    with pytest.raises(SettingsError, match=r"Expected a caption in .*b\.txt, got an empty file"):
        read_photos([tmp_path])


def test_a_folder_has_captions_and_boxes_in_its_metadata(tmp_path: Path) -> None:
    _saved(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "b.txt").write_text("a <dog1> dog")
    objects = {"bbox": [[2, 3, 4, 5], [14, 14, 8, 8]], "categories": ["cat1", "<cat1>"]}
    lines = [
        {"file_name": "a.png", "text": "a <cat1> cat", "objects": objects, "author": "me"},
        {"file_name": "b.png", "text": "a cat"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    first, second, third = read_photos([tmp_path])
    assert (first.captions, second.captions, third.captions) == (("a <cat1> cat",), ("a <dog1> dog",), ())
    mask = np.asarray(first.regions["<cat1>"])
    assert mask[3:8, 2:6].all() and mask[14:, 14:].all() and (mask > 0).sum() == 4 * 5 + 4
    assert not second.regions and first.mask is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"text": "a cat"}, "Expected lines such as"),
        ({"file_name": "a.png", "text": 3}, r"Expected a caption as the text of a\.png in metadata\.jsonl, got 3"),
        ({"file_name": "a.png", "objects": {"bbox": [[1, 2, 3]], "categories": ["cat1"]}}, "Expected objects such as"),
        ({"file_name": "a.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [0]}}, "Expected objects such as"),
        ({"file_name": "a.png", "objects": {"bbox": [[16, 2, 3, 4]], "categories": ["cat1"]}}, "inside the 16x16 pix"),
    ],
)
def test_metadata_of_another_kind_is_refused(tmp_path: Path, line: object, says: str) -> None:
    _saved(tmp_path, "a.png")
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line))
    with pytest.raises(SettingsError, match=says):
        read_photos([tmp_path])


def test_masks_stand_beside_the_images_and_are_no_images_themselves(tmp_path: Path) -> None:
    (file,) = _saved(tmp_path, "a.png")
    _mask(tmp_path / "a-masklabel.png", (0, 0, 16, 8))
    _mask(tmp_path / "a-masklabel-cat1.png", (0, 0, 4, 4))
    for photo in (*read_photos([tmp_path]), *read_photos([file])):
        assert photo.mask is not None and photo.mask.getbbox() == (0, 0, 16, 8)
        assert {word: mask.getbbox() for word, mask in photo.regions.items()} == {"<cat1>": (0, 0, 4, 4)}
    check_regions([photo], [NewConcept(placeholder="<cat1>", noun="cat")])
    with pytest.raises(SettingsError, match=r"of what is learnt \(<dog1>\), got one of <cat1> for .*a\.png"):
        check_regions([photo], [NewConcept(placeholder="<dog1>", noun="dog")])
    with pytest.raises(SettingsError, match="or one folder of them, got the folder"):
        read_photos([file, tmp_path])


def test_an_image_is_upright_of_8_bits_and_on_white(tmp_path: Path) -> None:
    turned = Image.new("RGB", (4, 2), "red")
    exif = turned.getexif()
    exif[0x0112] = 6  # a camera held upright
    turned.save(tmp_path / "turned.jpg", exif=exif)
    with Image.open(tmp_path / "turned.jpg") as opened:
        assert opened.size == (4, 2)
        assert Photo(image=opened).image.size == (2, 4)
    assert read_photos([tmp_path / "turned.jpg"])[0].image.size == (2, 4)
    deep = Image.fromarray(np.full((16, 16), 0x8000, np.uint16))
    clear, hidden = Image.new("RGBA", (16, 16), (0, 0, 0, 0)), Image.new("RGBA", (16, 16), (255, 255, 255, 0))
    hidden.putpixel((0, 0), (255, 255, 255, 255))
    shown = as_photos([deep, clear], [deep, hidden])
    assert [photo.image.getpixel((1, 1)) for photo in shown] == [(128, 128, 128), (255, 255, 255)]
    assert [photo.mask.getpixel((1, 1)) for photo in shown if photo.mask is not None] == [128, 0]


def test_images_and_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least one image"):
        as_photos([])
    with pytest.raises(SettingsError, match="one mask for each of 1 images, got 2"):
        as_photos(picture(), [picture(), picture()])
    with pytest.raises(SettingsError, match="of the image's size, 16x16, got 8x8 as the mask of <a> of image"):
        Photo(image=picture(), regions={"<a>": picture(size=8)})
