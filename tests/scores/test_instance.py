"""What is said of pictures of the one-image concepts, taught well and badly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful import world
from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.scores import ClipImage, ClipText, InstanceScore, Original, WorldBoxes, evaluate, instance_originals
from heedful.world.instances import InstanceImage
from heedful.world.looks import Look, dressed
from heedful.world.small_sprites import small_sprite
from heedful.world.tokenizer import build_tokenizer

TWO, THREE = world.one_image_concepts(), world.one_image_concepts_three()
SOME = TWO[::3]
OTHERS = [pytest.param(image, marks=pytest.mark.slow) for image in TWO if image not in SOME]
CAT_DOG = TWO[0]
CAT, DOG = (each.look for each in CAT_DOG.instances)
BEAR = TWO[1].instances[0].look
BOTH, ALONE = "a <cat1> cat and a <dog1> dog", "a <cat1> cat and a dog"


def _parsed(*texts: str) -> list[Prompt]:
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([each.placeholder for image in (*TWO, *THREE) for each in image.instances])
    return [Prompt.parse(text, tokenizer) for text in texts]


def _open(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def _picture(*things: tuple[str, Look | None]) -> Image.Image:
    canvas = Image.new("RGB", (64, 64), (216, 204, 238))
    for place, (noun, look) in enumerate(things):
        sprite = small_sprite(noun) if look is None else dressed(small_sprite(noun), look)
        sprite = sprite.resize([round(side * 28 / max(sprite.size)) for side in sprite.size], Image.Resampling.BOX)
        canvas.paste(sprite, (3 + 31 * (place % 2), 3 + 31 * (place // 2)), sprite)
    return canvas


def _row(text: str, *things: tuple[str, Look | None]) -> tuple[float | None, ...]:
    values = InstanceScore()([_picture(*things)], _parsed(text))
    return values["carried"][0], values["leaked"][0], values["success"][0]


@pytest.mark.parametrize("image", (*SOME, *THREE, *OTHERS), ids=lambda image: image.name)
def test_the_picture_that_was_taught_from_is_a_success(image: InstanceImage) -> None:
    values = InstanceScore()([_open(image.file)], _parsed(image.prompt))
    asked = {
        "carried": [1.0],
        "first": [1.0],
        "second": [1.0],
        "leaked": [0.0],
        "once": [1.0],
        "extra": [0.0],
        "unasked": [0.0],
        "success": [1.0],
    }
    assert values == asked | {"companions": [None], "background": [None]}


@pytest.mark.parametrize(
    ("text", "things", "expected"),
    [
        (BOTH, [("cat", CAT), ("dog", None)], (1.0, 0.0)),
        (BOTH, [("cat", None), ("dog", DOG)], (0.0, 1.0)),
        (ALONE, [("cat", CAT)], (1.0, None)),
        ("a <dog1> dog", [("dog", None)], (None, 0.0)),
    ],
)
def test_the_first_and_the_second_word_are_told_apart(
    text: str, things: Sequence[tuple[str, Look | None]], expected: tuple[float | None, float | None]
) -> None:
    values = InstanceScore()([_picture(*things)], _parsed(text))
    assert (values["first"][0], values["second"][0]) == expected


@pytest.mark.parametrize(
    ("text", "things", "expected"),
    [
        (BOTH, [("cat", CAT), ("dog", DOG)], (1.0, 0.0, 1.0)),
        (BOTH, [("cat", CAT), ("dog", None)], (0.5, 0.0, 0.0)),
        (BOTH, [("cat", CAT), ("dog", CAT)], (0.5, 1.0, 0.0)),
        (BOTH, [("cat", DOG), ("dog", CAT)], (0.0, 1.0, 0.0)),
        (BOTH, [("dog", DOG)], (0.5, 0.0, 0.0)),
        (BOTH, [], (0.0, 0.0, 0.0)),
        (BOTH, [("cat", CAT), ("dog", DOG), ("cat", CAT)], (1.0, 0.0, 0.0)),
        (ALONE, [("cat", CAT), ("dog", None)], (1.0, 0.0, 1.0)),
        (ALONE, [("cat", CAT), ("dog", CAT)], (1.0, 1.0, 0.0)),
        ("a <cat1> cat and a red car", [("cat", CAT), ("car", DOG)], (1.0, 1.0, 0.0)),
    ],
)
def test_a_look_is_carried_or_has_leaked(
    text: str, things: Sequence[tuple[str, Look | None]], expected: tuple[float, float, float]
) -> None:
    assert _row(text, *things) == expected


PURPLE = "on a purple background"  # the ground of `_picture`


@pytest.mark.parametrize(
    ("text", "things", "expected"),
    [
        (f"{BOTH} {PURPLE}", [("cat", CAT), ("dog", DOG)], {"background": 1.0, "companions": None, "success": 1.0}),
        (f"{BOTH} on a green background", [("cat", CAT), ("dog", DOG)], {"background": 0.0, "success": 0.0}),
        ("a <cat1> cat", [("cat", CAT)], {"extra": 0.0, "unasked": 0.0, "once": 1.0, "success": 1.0}),
        ("a <cat1> cat", [("cat", CAT), ("dog", DOG)], {"carried": 1.0, "extra": 1.0, "unasked": 1.0, "success": 0.0}),
        ("a <cat1> cat", [("cat", CAT), ("car", None)], {"extra": 1.0, "unasked": 0.0, "success": 0.0}),
        ("a <cat1> cat", [("cat", CAT), ("cat", None)], {"carried": 1.0, "once": 0.0, "success": 0.0}),
        ("a <cat1> cat and a red car", [("cat", CAT), ("car", None)], {"companions": 1.0, "success": 1.0}),
        ("a <cat1> cat and a blue car", [("cat", CAT), ("car", None)], {"companions": 0.0, "success": 0.0}),
        ("a <cat1> cat and a car", [("cat", CAT), ("car", None)], {"companions": 1.0, "success": 1.0}),
        ("a <cat1> cat and a frog", [("cat", CAT)], {"companions": 0.0, "carried": 1.0, "success": 0.0}),
    ],
)
def test_success_asks_for_everything_that_the_prompt_says(
    text: str, things: Sequence[tuple[str, Look | None]], expected: dict[str, float | None]
) -> None:
    values = InstanceScore()([_picture(*things)], _parsed(text))
    assert {name: values[name][0] for name in expected} == expected


def test_the_training_image_as_every_answer_carries_everything_and_obeys_little() -> None:
    texts = [each.text for each in CAT_DOG.prompts]
    values = InstanceScore()([_open(CAT_DOG.file)] * len(texts), _parsed(*texts))
    means = {name: np.mean([value for value in row if value is not None]) for name, row in values.items()}
    assert means["carried"] == means["once"] == 1.0
    assert means["leaked"] == 0.0
    assert means["success"] < 0.25
    assert means["unasked"] > 0.4


def test_which_picture_is_asked_about_is_read_from_the_placeholders() -> None:
    assert _row("a cat and a dog", ("cat", CAT)) == (None, None, None)
    assert _row("a <cat2> cat", ("cat", CAT)) == (0.0, 0.0, 0.0)
    with pytest.raises(SettingsError, match="Expected one-image concepts in"):
        InstanceScore(folder=Path("absent"))([_picture()], _parsed(BOTH))


@pytest.mark.parametrize(
    ("things", "carried", "leaked", "success"),
    [
        ([("cat", CAT), ("bear", BEAR)], 1.0, 0.0, 1.0),
        ([("cat", CAT), ("bear", None)], 0.5, 0.0, 0.0),
        ([("cat", BEAR), ("bear", CAT)], 0.0, 1.0, 0.0),
        ([("cat", CAT), ("bear", DOG)], 0.5, 1.0, 0.0),  # a look of the first image that is not asked for
    ],
)
def test_a_prompt_may_name_concepts_of_several_images(
    things: Sequence[tuple[str, Look | None]], carried: float, leaked: float, success: float
) -> None:
    values = InstanceScore()([_picture(*things)], _parsed("a <bear1> bear and a <cat1> cat"))
    assert (values["carried"][0], values["leaked"][0], values["success"][0]) == (carried, leaked, success)
    assert (values["first"][0], values["second"][0]) == (None, None)


def test_originals_are_the_whole_picture_or_the_reference_of_what_is_asked_for() -> None:
    cat, dog = CAT_DOG.instances
    assert instance_originals(CAT_DOG, ["cat", "dog"]) == (
        Original(image=CAT_DOG.file),
        Original(image=cat.reference, concept="cat"),
        Original(image=dog.reference, concept="dog"),
    )
    assert instance_originals(CAT_DOG, ("dog",)) == (
        Original(image=dog.reference),
        Original(image=dog.reference, concept="dog"),
    )
    for nouns in ((), ("bear",)):
        with pytest.raises(SettingsError, match="concepts cat, dog of cat-dog"):
            instance_originals(CAT_DOG, nouns)


def test_image_alignment_is_higher_for_what_was_taught_than_for_the_plain_class() -> None:
    taught, plain = _picture(("cat", CAT), ("dog", DOG)), _picture(("cat", None), ("dog", None))
    score = ClipImage(originals=instance_originals(CAT_DOG, ["cat", "dog"]), boxes=WorldBoxes())
    values = evaluate([taught, plain], _parsed(BOTH, BOTH), [score])
    assert values["clip.image"][0] > values["clip.image"][1] + 0.05  # pyright: ignore[reportOptionalOperand]
    alone = ClipImage(originals=instance_originals(CAT_DOG, ["cat"]))
    pictures = [_picture(("cat", CAT)), _picture(("cat", None))]
    values = evaluate(pictures, _parsed("a <cat1> cat", "a <cat1> cat"), [alone])
    assert values["clip.image"][0] > values["clip.image"][1]  # pyright: ignore[reportOptionalOperand]
    assert values["clip.concept"] == pytest.approx(values["clip.image"])


def test_text_alignment_does_not_read_placeholders() -> None:
    picture = _picture(("cat", CAT), ("dog", DOG))
    with_placeholders, without = (
        evaluate([picture], _parsed(text), [ClipText()]) for text in (BOTH, "a cat and a dog")
    )
    assert with_placeholders == without
    assert np.isfinite(with_placeholders["clip.text"][0])  # pyright: ignore[reportArgumentType]
