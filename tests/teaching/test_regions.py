"""Where the model itself sees a class in a picture, and the pictures of one concept each that follow from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from heedful import world
from heedful.attention import SiteSelection, find_denoiser
from heedful.attention.regions import Segment
from heedful.teaching import METHODS, regions
from heedful.teaching.concepts import new_concepts
from heedful.teaching.outlines import fit_masks
from heedful.teaching.regions import concept_maps, each_alone, find_regions
from heedful.teaching.text_embeddings import add_concepts, initial_vectors
from heedful.world.instances import InstanceImage
from tests.pipelines import tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, parameters, picture
from tests.transformer_pipelines import tiny_flux, tiny_sd3

TWO = world.one_image_concepts()
SITES = SiteSelection(scale=2)


def _found(pipe: Any, image: InstanceImage) -> list[tuple[float, float]]:
    """The intersection over union of each instance's mask with where the untaught model sees its class, and with that
    brought to the outline.
    """
    sites = METHODS["disendiff"].settings_for(pipe.unet).sites
    with Image.open(image.file) as shown:
        found = find_regions(pipe, shown, image.prompt, new_concepts(image.prompt, pipe.tokenizer), sites, 0)
        fitted = fit_masks(np.asarray(shown.convert("RGB")), [region.mask for region in found])
    shares = []
    for region, outline, instance in zip(found, fitted, image.instances, strict=True):
        assert region.concept.noun == instance.noun
        with Image.open(instance.mask) as drawn:
            mask = np.asarray(drawn) > 0
        shares.append(tuple(float((own & mask).sum() / (own | mask).sum()) for own in (region.mask, outline)))
    return shares


@pytest.mark.parametrize(
    ("images", "least", "mean"),
    [(TWO[:10], 0.86, 0.92), pytest.param(TWO[10:], 0.55, 0.87, marks=pytest.mark.slow)],
    ids=["the ten that outlines were tuned on", "the twenty that nothing was"],
)
def test_the_embedded_model_sees_each_class_of_the_one_image_concepts_where_it_is(
    images: Sequence[InstanceImage], least: float, mean: float
) -> None:
    pipe = world.load()
    before = parameters(pipe)
    shares, outlines = zip(*(pair for image in images for pair in _found(pipe, image)), strict=True)
    assert len(shares) == 2 * len(images)
    assert min(shares) > 0.65 and np.mean(shares) > 0.75
    assert min(outlines) > least and np.mean(outlines) > mean
    assert all(torch.equal(value, before[name]) for name, value in parameters(pipe).items())
    assert not any(module._forward_hooks for module in pipe.unet.modules())  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline], ids=["sd", "sdxl"])
def test_a_picture_is_shown_once_for_each_concept_with_a_mask_of_its_size(make: Any) -> None:
    pipe = make()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    shown = each_alone(pipe, picture(size=24), PROMPT, concepts, (16, 16), SITES, 0)
    assert shown is not None and shown.masks is not None
    assert shown.captions == ("a <cat1> cat", "a <dog1> dog")
    assert [image.size for image in (*shown.images, *shown.masks)] == [(16, 16)] * 4
    first, second = (np.asarray(mask.convert("L")) for mask in shown.masks)
    assert set(np.unique([first, second])) == {0, 255}
    assert first.any() and second.any() and not (first & second).all()
    again = each_alone(pipe, picture(size=24), PROMPT, concepts, (16, 16), SITES, 0)
    assert again is not None and again.masks is not None
    assert [mask.tobytes() for mask in again.masks] == [mask.tobytes() for mask in shown.masks]


def test_the_masks_are_the_regions_of_the_cropped_picture() -> None:
    pipe = tiny_pipeline()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    shown = each_alone(pipe, picture(), PROMPT, concepts, (16, 16), SITES, 3)
    found = find_regions(pipe, picture(), PROMPT, concepts, SITES, 3)
    assert shown is not None and shown.masks is not None
    for mask, region in zip(shown.masks, found, strict=True):
        assert np.array_equal(np.asarray(mask.convert("L")) > 0, region.mask)


def test_concepts_that_are_seen_nowhere_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tiny_pipeline()
    concepts = new_concepts(PROMPT, pipe.tokenizer)

    def without_the_cat(*arguments: Any) -> list[Segment]:
        cat, dog = find_regions(*arguments)
        return [replace(cat, mask=np.zeros_like(cat.mask)), dog]

    monkeypatch.setattr(regions, "find_regions", without_the_cat)
    shown = each_alone(pipe, picture(), PROMPT, concepts, (16, 16), SITES, 0)
    assert shown is not None and shown.captions == ("a <dog1> dog",)


def test_a_model_to_which_all_words_are_alike_sees_nothing() -> None:
    pipe = tiny_pipeline()
    with torch.no_grad():
        for name, parameter in pipe.unet.named_parameters():
            if "attn2.to_k" in name:
                parameter.zero_()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    # of one colour: along edges, the rounding of what is the same everywhere grows
    gray = Image.new("RGB", (16, 16), (127, 127, 127))
    assert each_alone(pipe, gray, PROMPT, concepts, (16, 16), SITES, 0) is None


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sd3, tiny_flux])
def test_where_a_taught_model_looks_in_an_image_for_each_concept_of_its_caption(make: Any) -> None:
    pipe = make()
    concepts = new_concepts("a <one> cat and a <two> dog", pipe.tokenizer)
    add_concepts(pipe, initial_vectors(pipe, concepts, None))
    denoiser: Any = find_denoiser(pipe)
    sites = METHODS["disendiff-lora"].settings_for(denoiser).sites if make is not tiny_pipeline else SITES
    maps = concept_maps(pipe, picture(), "a <two> dog and a cat", concepts, sites)
    assert list(maps) == ["<two> dog"]
    assert maps["<two> dog"].ndim == 2 and maps["<two> dog"].std() > 0
    again = concept_maps(pipe, picture(), "a <two> dog and a cat", concepts, sites)
    assert torch.equal(maps["<two> dog"], again["<two> dog"])
