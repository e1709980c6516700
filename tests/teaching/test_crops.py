"""What a photo must keep, told by masks or by the model's own maps."""

import pytest
from PIL import Image

from heedful import world
from heedful.options import TeachingOptions
from heedful.teaching import METHODS
from heedful.teaching.concepts import new_concepts
from heedful.teaching.crops import kept_boxes
from heedful.teaching.framing import frame
from heedful.teaching.photos import Photo
from heedful.teaching.settings import TeachingSettings
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import PROMPT, picture
from tests.transformer_pipelines import tiny_flux

TINY = TeachingSettings(sites=METHODS["disendiff"].settings_for(tiny_flux().transformer).sites)


def test_the_embedded_model_finds_the_concepts_of_a_wide_photo_where_they_stand() -> None:
    shown = world.one_image_concepts()[0]
    with Image.open(shown.file) as image:
        side = image.width
        wide = Image.new("RGB", (2 * side, side), image.getpixel((1, 1)))
        wide.paste(image, (side, 0))
    pipe = world.load()
    settings = METHODS["disendiff"].settings_for(pipe.unet)
    concepts = new_concepts(shown.prompt, pipe.tokenizer)
    photos = [Photo(image=wide), Photo(image=wide.transpose(Image.Transpose.FLIP_LEFT_RIGHT))]
    right, left = kept_boxes(pipe, photos, shown.prompt, concepts, settings, (side, side), 0)
    assert right is not None and right[0] >= 0.8 * side
    assert left is not None and left[2] <= 1.2 * side
    first = frame(photos, shown.prompt, [right, left])
    assert first.masks is None and [each.size for each in first.images] == [(side, side)] * 2


def test_squares_masks_and_centres_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tiny_pipeline()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    monkeypatch.setattr("heedful.teaching.crops.find_regions", None)
    mask = Image.new("L", (32, 16))
    mask.paste(255, (20, 4, 24, 8))
    wide = Image.new("RGB", (32, 16))
    photos = [Photo(image=picture()), Photo(image=wide, mask=mask), Photo(image=wide, regions={"<cat1>": mask})]
    box = (20, 4, 24, 8)
    assert kept_boxes(pipe, photos, PROMPT, concepts, TeachingSettings(), (16, 16), 0) == [None, box, box]
    centre = METHODS["disendiff"].settings_for(pipe.unet, TeachingOptions(crop="centre"))
    assert kept_boxes(pipe, photos, PROMPT, concepts, centre, (16, 16), 0) == [None] * 3
    # T5 has no start token, against which a map would be held
    assert kept_boxes(tiny_flux(), [Photo(image=wide)], PROMPT, concepts, TINY, (16, 16), 0) == [None]


def test_two_concepts_of_one_noun_are_cut_from_the_centre() -> None:
    pipe = tiny_pipeline()
    prompt = "a <one> cat and a <two> cat"
    concepts = new_concepts(prompt, pipe.tokenizer)
    settings = TeachingSettings(sites=METHODS["disendiff"].settings.sites)
    kept = kept_boxes(pipe, [Photo(image=picture().resize((32, 16)))], prompt, concepts, settings, (16, 16), 0)
    assert len(kept) == 1
