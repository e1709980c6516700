"""What class images show where composites are made of them: one thing on one ground each, by a rule.

Every second image shows a class that is taught, the others things that a user may name beside it. So the model's own
images of single things, which it makes well, have all that a scene of several is composed of.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from heedful.errors import SettingsError
from heedful.world import BACKGROUNDS, CLASSES, COLOURS, is_world, usual_colour

_VOWELS = "aeiou"
_GROUNDS = (
    "on a beach", "in a forest", "on a wooden table", "on a street", "in the snow", "on a white background",
    "in a meadow", "on a carpet", "in a kitchen", "on a rock", "in a garden", "on a blue background",
)  # fmt: skip
_THINGS = (
    "a red ball", "a wooden chair", "a blue car", "a white cup", "a potted plant", "a brown suitcase", "a yellow lamp",
    "a black bicycle", "a green backpack", "a cardboard box", "a stack of books", "a straw hat", "a pair of glasses",
    "a flower vase", "a guitar", "a basket of fruit",
)  # fmt: skip
_PLACE = re.compile(r"(?P<thing>.+?) (?P<ground>(?:on|in|at|under|near|beside|behind|inside|against|in front of) .+)")


@dataclass(frozen=True)
class ThingOnGround:
    """A caption in its two parts: "a red ball", "on a beach"."""

    thing: str
    ground: str

    @property
    def noun(self) -> str:
        """The last word of the thing."""
        return self.thing.split()[-1]


def thing_on_ground(caption: str) -> ThingOnGround:
    """Return the two parts of a caption; raises `SettingsError` for one that has not got them."""
    found = _PLACE.fullmatch(caption)
    if found is None or " and " in caption:
        raise SettingsError(
            "Expected class images with captions of one thing on one ground, such as 'a cat on a beach', of which "
            f"composites can be made, got {caption!r}. Write such ones, leave them to the rule, or make no composites."
        )
    return ThingOnGround(found["thing"], found["ground"])


def varied_captions(denoiser: Any, nouns: Sequence[str], count: int) -> tuple[str, ...]:
    """Return `count` captions, every second of a class that is taught, in turn.

    The words are those that the model knows: the embedded models' own, or usual ones.
    """
    things, grounds = _of_the_world(nouns) if is_world(denoiser) else (_THINGS, _GROUNDS)
    own = cycle(f"{'a' if is_world(denoiser) else article(noun)} {noun}" for noun in nouns)
    others = cycle(thing for thing in things if thing.split()[-1] not in nouns)
    said = islice((next(own if number % 2 == 0 else others) for number in range(count)), count)
    # a step that shares no divisor with the number of grounds: no class keeps meeting the same one
    return tuple(
        f"{thing} {grounds[(number + number // len(grounds)) % len(grounds)]}" for number, thing in enumerate(said)
    )


def article(noun: str) -> str:
    """Return "a" or "an"."""
    return "an" if noun.lower().startswith(tuple(_VOWELS)) else "a"


def _of_the_world(nouns: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return things and grounds in the words of the embedded models: objects in a colour, animals in their own."""
    colours = cycle([each for each in COLOURS if each[0] not in _VOWELS])
    names = [name for name in CLASSES[::2] + CLASSES[1::2] if name not in nouns and name[0] not in _VOWELS]
    things = tuple(f"a {name}" if usual_colour(name) is None else f"a {next(colours)} {name}" for name in names)
    return things, tuple(f"on a {each} background" for each in BACKGROUNDS)
