import numpy as np
import pytest
import torch
from PIL import Image

from heedful.errors import SettingsError
from heedful.teaching.dataset import FAR, NEAR, TrainingImages, collate, join, pixels_of
from tests.teaching.lesson import picture

SIZE = (16, 16)


def test_without_augmentation_a_picture_is_as_it_is() -> None:
    image = picture()
    example = TrainingImages((image,), ("a cat",)).draw(np.random.default_rng(0), SIZE, "none")
    torch.testing.assert_close((example.pixels + 1) * 127.5, torch.tensor(np.asarray(image)).permute(2, 0, 1).float())
    assert example.mask.eq(1).all()
    assert example.caption == "a cat"


def test_the_centre_is_cut_out_and_nothing_is_stretched() -> None:
    wide = Image.new("RGB", (48, 16), (255, 0, 0))
    wide.paste((0, 0, 255), (16, 0, 32, 16))
    pixels = TrainingImages((wide,), ("a",)).draw(np.random.default_rng(0), SIZE, "none").pixels
    assert pixels.shape == (3, 16, 16)
    assert pixels[2].eq(1).all()


def test_flips_mirror_picture_and_mask_half_of_the_time() -> None:
    half = Image.new("L", SIZE, 0)
    half.paste(255, (0, 0, 8, 16))
    pictures = TrainingImages((picture(),), ("a",), (half,))
    drawn = [pictures.draw(np.random.default_rng(seed), SIZE, "flip") for seed in range(200)]
    plain = pictures.draw(np.random.default_rng(0), SIZE, "none")
    is_mirrored = [torch.equal(example.pixels, plain.pixels.flip(-1)) for example in drawn]
    assert 0.35 < np.mean(is_mirrored) < 0.65
    for example, mirrored in zip(drawn, is_mirrored, strict=True):
        assert torch.equal(example.mask, plain.mask.flip(-1) if mirrored else plain.mask)


def test_custom_diffusion_shows_pictures_far_away_and_close_up_and_says_so() -> None:
    white = Image.new("RGB", SIZE, (255, 255, 255))
    pictures = TrainingImages((white,), ("photo of a <cat1> cat",))
    drawn = [pictures.draw(np.random.default_rng(seed), SIZE, "custom-diffusion") for seed in range(600)]
    words = [example.caption.removesuffix(" photo of a <cat1> cat") for example in drawn]
    far = [example for example, said in zip(drawn, words, strict=True) if said in FAR]
    near = [example for example, said in zip(drawn, words, strict=True) if said in NEAR]
    # scales below .6: 2/3 of the draws, of which (.6 - 1/3) / (2/3); above 1: 1/3 of them
    assert len(far) / 600 == pytest.approx(2 / 3 * 0.4, abs=0.06)
    assert len(near) / 600 == pytest.approx(1 / 3, abs=0.06)
    for example in far:
        counts = example.mask[0] == 1
        side = counts.any(0).sum()
        assert 16 / 3 - 1 <= side <= 0.6 * 16 + 1
        assert counts.sum() == side * counts.any(1).sum()
        assert example.pixels[0][counts].eq(1).all()
        assert example.pixels[0][~counts].abs().max() < 0.01  # gray, which does not count
    assert all(example.mask.eq(1).all() for example in near)


def test_scales_can_be_left_out_of_the_caption() -> None:
    pictures = TrainingImages((picture(),), ("a cat",))
    drawn = (
        pictures.draw(np.random.default_rng(seed), SIZE, "custom-diffusion", say_scale=False) for seed in range(50)
    )
    assert {example.caption for example in drawn} == {"a cat"}


def test_several_pictures_are_all_drawn_with_their_captions() -> None:
    pictures = TrainingImages((picture(0), picture(1)), ("a cat", "a dog"))
    rng = np.random.default_rng(0)
    pixels, masks, captions = collate([pictures.draw(rng, SIZE, "none") for _ in range(20)])
    assert pixels.shape == (20, 3, 16, 16)
    assert masks.shape == (20, 1, 16, 16)
    first = pixels[captions.index("a cat")]
    assert set(captions) == {"a cat", "a dog"}
    assert all(torch.equal(each, first) == (said == "a cat") for each, said in zip(pixels, captions, strict=True))


def test_joined_pictures_keep_their_captions_and_masks_and_the_others_count_whole() -> None:
    half = Image.new("L", SIZE, 0)
    half.paste(255, (0, 0, 8, 16))
    both = join(
        TrainingImages((picture(0), picture(1, size=8)), ("a cat and a dog", "two cats")),
        None,
        TrainingImages((picture(2),), ("a cat",), (half,)),
    )
    assert both.captions == ("a cat and a dog", "two cats", "a cat")
    assert both.masks is not None
    assert [mask.size for mask in both.masks] == [(16, 16), (8, 8), (16, 16)]
    assert [mask.getextrema() for mask in both.masks] == [(255, 255), (255, 255), (0, 255)]
    rng = np.random.default_rng(0)
    drawn = [both.draw(rng, SIZE, "none") for _ in range(40)]
    shares = {example.caption: float(example.mask.mean()) for example in drawn}
    assert shares == {"a cat and a dog": 1.0, "two cats": 1.0, "a cat": 0.5}


def test_pictures_without_masks_are_joined_to_pictures_that_count_whole() -> None:
    rng = np.random.default_rng(0)
    both = join(TrainingImages((picture(0),), ("a cat",)), TrainingImages((picture(1),), ("a dog",)))
    assert all(both.draw(rng, SIZE, "none").mask.eq(1).all() for _ in range(5))
    with pytest.raises(SettingsError, match="at least one image"):
        join(None)


def test_pixels_of_a_picture_lie_between_minus_one_and_one() -> None:
    image = Image.new("L", (3, 2), 0)
    image.putpixel((2, 1), 255)
    pixels = pixels_of(image)
    assert pixels.shape == (3, 2, 3)
    assert pixels[:, 1, 2].eq(1).all()
    assert pixels.eq(-1).sum() == 3 * 5


def test_pictures_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least one image"):
        TrainingImages((), ())
    with pytest.raises(SettingsError, match="one caption for each of 2 images, got 1"):
        TrainingImages((picture(), picture()), ("a",))
    with pytest.raises(SettingsError, match="one mask for each of 1 images, got 2"):
        TrainingImages((picture(),), ("a",), (picture(), picture()))
    with pytest.raises(SettingsError, match="a mask of the image's size, 16x16, got 8x8"):
        TrainingImages((picture(),), ("a",), (picture(size=8),))
