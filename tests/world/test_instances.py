"""The one-image concepts as they are shipped: whole, new to the world, and the same when they are drawn again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heedful import world
from heedful.errors import SettingsError
from heedful.world.instance_designs import DESIGNS
from heedful.world.instance_recipe import write_instances
from heedful.world.instances import INDEX, INSTANCES, InstanceImage, read_instances
from heedful.world.looks import NATURAL
from heedful.world.small_sprites import SHEET
from heedful.world.sprites import font_is_installed
from heedful.world.tokenizer import LENGTH, build_tokenizer
from heedful.world.tones import NATURAL_COLOURS
from heedful.world.vocabulary import ANIMALS, CLASSES, WORDS

TWO, THREE = world.one_image_concepts(), world.one_image_concepts_three()


def _pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def test_thirty_pictures_have_two_instances_and_three_have_three() -> None:
    assert [len(image.instances) for image in TWO] == [2] * 30
    assert [len(image.instances) for image in THREE] == [3] * 3
    kinds = [sum(each.noun in ANIMALS for each in image.instances) for image in TWO]
    assert kinds[:10] == [2, 2, 2, 2, 1, 1, 1, 1, 0, 0]
    assert [kinds[10:].count(animals) for animals in (2, 1, 0)] == [8, 8, 4]


def test_no_pair_of_classes_is_in_two_pictures_and_every_class_in_two_or_three() -> None:
    pairs = [frozenset(each.noun for each in image.instances) for image in TWO]
    assert len(set(pairs)) == len(pairs) and not any(
        pair <= {each.noun for each in image.instances} for pair in pairs[10:] for image in THREE
    )
    for noun in CLASSES:
        assert sum(noun in pair for pair in pairs) == (3 if noun in ANIMALS else 2)


def test_no_class_has_a_look_twice() -> None:
    dressed = [(each.noun, each.look) for image in TWO for each in image.instances]
    assert len(set(dressed)) == len(dressed)


def test_every_placeholder_stands_for_one_instance_only() -> None:
    placeholders = [each.placeholder for image in (*TWO, *THREE) for each in image.instances]
    assert len(set(placeholders)) == len(placeholders)
    assert (TWO[0].name, TWO[0].prompt) == ("cat-dog", "a <cat1> cat and a <dog1> dog")


@pytest.mark.parametrize("image", (*TWO, *THREE), ids=lambda image: image.name)
def test_prompts_are_in_the_words_of_the_world_and_short_enough(image: InstanceImage) -> None:
    tokenizer = build_tokenizer()
    placeholders = {each.placeholder: each.noun for each in image.instances}
    tokenizer.add_tokens(list(placeholders))
    assert len({prompt.text for prompt in image.prompts}) == len(image.prompts) == 10 * (1 + len(image.instances))
    for text in (image.prompt, *(prompt.text for prompt in image.prompts)):
        words = text.split()
        assert set(words) <= {*WORDS, *placeholders}
        assert len(tokenizer(text).input_ids) == len(words) + 2 <= LENGTH
        assert all(words[words.index(each) + 1] == noun for each, noun in placeholders.items() if each in words)
    for prompt in image.prompts:
        assert set(prompt.nouns) == {noun for each, noun in placeholders.items() if each in prompt.text.split()}


@pytest.mark.parametrize("image", (*TWO, *THREE), ids=lambda image: image.name)
def test_looks_are_new_to_their_class_and_unlike_each_other(image: InstanceImage) -> None:
    colours = [{each.look.first, each.look.second} - {NATURAL} for each in image.instances]
    for own, each in zip(colours, image.instances, strict=True):
        if each.noun in ANIMALS:
            assert not own & set(NATURAL_COLOURS[each.noun]) or len(own - set(NATURAL_COLOURS[each.noun])) > 0
    assert all(one != other for place, one in enumerate(colours) for other in colours[:place])


@pytest.mark.parametrize("image", (*TWO, *THREE), ids=lambda image: image.name)
def test_masks_boxes_and_references_show_the_same_pixels(image: InstanceImage) -> None:
    picture, covered = _pixels(image.file), np.zeros((64, 64), dtype=int)
    assert picture.shape == (64, 64, 3)
    for each in image.instances:
        mask, reference = _pixels(each.mask), _pixels(each.reference)
        assert set(np.unique(mask)) == {0, 255}
        rows, columns = np.nonzero(mask)
        left, top, right, bottom = each.box
        assert left <= columns.min() and columns.max() < right and top <= rows.min() and rows.max() < bottom
        inside = np.zeros((64, 64), dtype=bool)
        inside[top:bottom, left:right] = True
        assert np.ptp(reference[~inside].reshape(-1, 3).astype(int), axis=0).max() <= 60
        far_in = (mask > 0) & (np.abs(reference.astype(int) - picture).max(axis=-1) < 8)
        assert far_in.sum() > 0.7 * (mask > 0).sum()
        covered += mask > 0
    assert covered.max() == 1


def test_the_autoencoder_keeps_every_look() -> None:
    """At least 25 dB, where the world's own renders have 30 or so: what is novel is still there after decoding."""
    vae = world.load().vae
    pixels = torch.from_numpy(np.stack([_pixels(image.file) for image in (*TWO[::3], *THREE)])).permute(0, 3, 1, 2)
    pictures = pixels.float() / 127.5 - 1
    with torch.no_grad():
        decoded = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
    errors = (decoded - pictures).square().mean(dim=(1, 2, 3))
    assert (10 * torch.log10(4 / errors)).min() > 25


@pytest.mark.skipif(not font_is_installed(), reason="rendering needs the emoji font")
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_what_is_shipped_is_drawn_again_bit_for_bit(step: int, tmp_path: Path) -> None:
    index = write_instances(tmp_path, DESIGNS[::step])
    assert json.loads(index.read_text()) == json.loads((INSTANCES / INDEX).read_text())[::step]
    drawn = sorted(file.name for file in tmp_path.glob("*.png"))
    for name in drawn:
        assert np.array_equal(_pixels(tmp_path / name), _pixels(INSTANCES / name)), name
    assert [image.name for image in read_instances(tmp_path)] == [design.name for design in DESIGNS[::step]]
    instances = sum(len(design.looks) for design in DESIGNS[::step])
    assert len(drawn) == len(DESIGNS[::step]) + 2 * instances + 1


def test_no_picture_is_shipped_that_is_not_named() -> None:
    images = (*TWO, *THREE)
    named = [file.name for image in images for file in (image.file, *(each.mask for each in image.instances),
                                                        *(each.reference for each in image.instances))]  # fmt: skip
    assert sorted([*named, SHEET.name]) == sorted(file.name for file in INSTANCES.glob("*.png"))


def test_a_folder_without_them_or_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="heedful world instances"):
        world.one_image_concepts(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(INSTANCES, copy)
    rows = json.loads((copy / INDEX).read_text())
    for change, why in (
        ({"file": "../secret.png"}, "no name of a file next to it"),
        ({"instances": [{**rows[0]["instances"][0], "look": {"kind": "zigzag"}}]}, "cannot be read"),
    ):
        (copy / INDEX).write_text(json.dumps([rows[0] | change]))
        read_instances.cache_clear()
        with pytest.raises(SettingsError, match=why):
            world.one_image_concepts(copy)
