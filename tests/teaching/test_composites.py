"""What composites show is what their captions say."""

import numpy as np
import pytest
from PIL import Image

from heedful import world
from heedful.errors import SettingsError
from heedful.teaching import METHODS
from heedful.teaching.composites import Stock, compose, find_stock, find_taught
from heedful.teaching.concepts import NewConcept, new_concepts
from heedful.teaching.cutouts import Cutout, cut_out, take_away
from heedful.teaching.dataset import TrainingImages
from heedful.teaching.photos import Photo

SIZE = (48, 48)
GROUNDS = {"on a green background": (198, 228, 196), "on a pink background": (242, 206, 220)}
COLOURS = {
    "a <cat1> cat": (255, 0, 0), "a <dog1> dog": (0, 0, 255), "a cat": (120, 0, 0), "a dog": (0, 0, 120),
    "a bowl": (0, 0, 0),
}  # fmt: skip
CAT, DOG = NewConcept(placeholder="<cat1>", noun="cat"), NewConcept(placeholder="<dog1>", noun="dog")


def _thing(phrase: str) -> Cutout:
    pixels, mask = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, bool)
    mask[4:20, 4:20] = True
    pixels[mask] = COLOURS[phrase]
    return cut_out(pixels, mask)


def _stock() -> Stock:
    grounds = [
        (said, take_away(np.full((*SIZE, 3), colour, np.uint8), np.zeros(SIZE, bool)))
        for said, colour in GROUNDS.items()
    ]
    others = {phrase: [_thing(phrase)] for phrase in COLOURS if "<" not in phrase}
    return Stock({CAT: [_thing("a <cat1> cat")], DOG: [_thing("a <dog1> dog")]}, others, grounds)


def _there(image: Image.Image) -> set[str]:
    """Return which things of an image are seen by their colours."""
    pixels = np.asarray(image)
    return {phrase for phrase, colour in COLOURS.items() if (pixels == colour).all(-1).sum() > 12}


@pytest.mark.parametrize("is_taught", [True, False], ids=["taught", "classes"])
def test_each_thing_of_the_caption_is_there_and_nothing_else(is_taught: bool) -> None:
    found = compose(
        _stock(), 60, SIZE, np.random.default_rng(0), lambda caption: True, is_taught=is_taught, mirror=True
    )
    orders: set[str] = set()
    named = 0
    for image, caption in zip(found.images, found.captions, strict=True):
        things, _, said = caption.partition(" on ")
        named += bool(said)
        assert _there(image) == set(things.split(" and "))
        if said:
            assert GROUNDS[f"on {said}"] in {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}
        orders.add(things)
    pair = ("a <cat1> cat and a <dog1> dog", "a <dog1> dog and a <cat1> cat")
    assert orders >= ({*pair, "a <cat1> cat", "a <dog1> dog"} if is_taught else {"a cat and a dog", "a dog and a cat"})
    assert any("bowl" in each for each in orders) and 12 < named < 48
    assert all("<" in each for each in orders) == is_taught


def test_captions_are_no_longer_than_what_is_read() -> None:
    found = compose(
        _stock(),
        40,
        SIZE,
        np.random.default_rng(0),
        lambda caption: len(caption.split()) <= 7,
        is_taught=True,
        mirror=False,
    )
    assert max(len(caption.split()) for caption in found.captions) <= 7


def test_what_was_filled_does_not_count_unless_something_lies_on_it() -> None:
    pixels, mask = np.full((*SIZE, 3), 200, np.uint8), np.zeros(SIZE, bool)
    mask[:, :20] = True
    stock = Stock({CAT: [_thing("a <cat1> cat")]}, {}, [("on a beach", take_away(pixels, mask))])
    found = compose(stock, 10, SIZE, np.random.default_rng(0), lambda caption: True, is_taught=True, mirror=False)
    assert found.masks is not None
    for image, counts in zip(found.images, found.masks, strict=True):
        red, white = (np.asarray(image) == COLOURS["a <cat1> cat"]).all(-1), np.asarray(counts) > 0
        assert white[red].all() and white[:, 24:].all() and not white[:, :18][~red[:, :18]].all()


def test_things_of_a_photo_are_cut_out_where_the_untaught_model_sees_them_or_a_mask_says() -> None:
    image = world.one_image_concepts()[0]
    pipe = world.load()
    concepts = new_concepts(image.prompt, pipe.tokenizer)
    sites = METHODS["heedful"].settings_for(pipe.unet).sites
    with Image.open(image.file) as opened:
        photo = Photo(image=opened.convert("RGB"))
    found = find_taught(pipe, [photo], image.prompt, [None], concepts, (64, 64), sites, 0)
    for concept, instance in zip(concepts, image.instances, strict=True):
        ((thing,),) = [found[concept]]
        with Image.open(instance.mask) as mask:
            drawn = np.asarray(mask.convert("L")) > 127
        # the hat, which the model's maps miss, is there
        assert 0.9 < (np.asarray(thing.alpha) > 127).sum() / drawn.sum() < 1.15
    box = Image.new("L", (64, 64))
    box.paste(255, image.instances[1].box)
    masked = Photo(image=photo.image, captions=("a <dog1> dog",), regions={"<dog1>": box})
    told = find_taught(pipe, [masked, photo], image.prompt, [None, None], concepts, (64, 64), sites, 0)
    first, second = told[concepts[1]]
    assert abs(first.image.width - second.image.width) <= 3
    with pytest.raises(SettingsError, match="find <cat1> cat in a photo"):
        find_taught(pipe, [masked], image.prompt, [None], concepts, (64, 64), sites, 0)


def test_of_class_images_grounds_and_whole_things_are_kept() -> None:
    pipe = world.load()
    sites = METHODS["heedful"].settings_for(pipe.unet).sites
    image = world.one_image_concepts()[4]  # a bird and a chair
    with Image.open(image.instances[0].reference) as opened:
        alone = opened.convert("RGB")
    shown = TrainingImages((alone,), ("a bird on a gray background",))
    stock = find_stock(pipe, {}, shown, (64, 64), sites, 0)
    assert [said for said, _ in stock.grounds] == ["on a gray background"]
    assert set(stock.others) <= {"a bird"}
    with pytest.raises(SettingsError, match="one thing on one ground"):
        find_stock(pipe, {}, TrainingImages((alone,), ("a bird",)), (64, 64), sites, 0)
