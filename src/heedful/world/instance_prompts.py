"""What a taught model is asked for: each image's concepts together and alone, as DisenDiff asks (Zhang et al. 2024).

They vary the colour of the scene, an added object and a changed companion, in the world's words and no more than its
text encoder reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heedful.world.looks import NATURAL, Look
from heedful.world.scene import PALE_ANIMALS
from heedful.world.vocabulary import ANIMALS, BACKGROUNDS, COLOURS, OBJECTS

COUNT = 10
"""Prompts of an image for all of its concepts, and for each alone."""
_VOWELS = "aeiou"  # the prompts say "a", as the world's captions do


@dataclass(frozen=True, kw_only=True)
class InstancePrompt:
    """A prompt, and the nouns of the taught concepts that it asks for."""

    text: str
    nouns: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`alone`, `both` or `three`."""
        return {1: "alone", 2: "both", 3: "three"}[len(self.nouns)]


def instance_prompts(looks: Mapping[str, Look], number: int, rng: np.random.Generator) -> tuple[InstancePrompt, ...]:
    """Return the prompts for an image of `looks` by noun: 10 for all of its concepts, and 10 for each alone.

    `number` is that of the placeholders, `<cat1>`. What is drawn comes from `rng`.
    """
    phrases = {noun: f"a <{noun}{number}> {noun}" for noun in looks}
    texts = _together(phrases, looks, rng)
    found = [InstancePrompt(text=text, nouns=tuple(looks)) for text in texts]
    for noun, phrase in phrases.items():
        others = [other for other in looks if other != noun]
        found += [InstancePrompt(text=text, nouns=(noun,)) for text in _alone(phrase, looks[noun], noun, others, rng)]
    return tuple(found)


def _together(phrases: Mapping[str, str], looks: Mapping[str, Look], rng: np.random.Generator) -> list[str]:
    forward = list(phrases.values())
    whole = " and ".join(forward)
    texts = [whole, " and ".join(forward[::-1])]
    # three concepts leave room for three words
    has_room = len(forward) < 3
    grounds = [f"on {'a ' if has_room else ''}{ground} background" for ground in _grounds(rng, looks)]
    added = _added(rng, set(looks), has_room)
    texts += [f"{whole} {ground}" for ground in grounds[:4]]
    return texts + [f"{whole} and {thing}" for thing in added[: COUNT - len(texts)]]


def _alone(phrase: str, look: Look, noun: str, others: list[str], rng: np.random.Generator) -> list[str]:
    taken = {noun, *others}
    animals = rng.permutation([each for each in ANIMALS if each not in taken and each[0] not in _VOWELS])
    # the other concept as the world knows it comes first: does it take on what was taught?
    companions = [*others, *(str(animal) for animal in animals)][:3]
    grounds = [f"on a {ground} background" for ground in _grounds(rng, {noun: look})]
    texts = [phrase, *(f"{phrase} and a {each}" for each in companions), *(f"{phrase} {each}" for each in grounds[:3])]
    return texts + [f"{phrase} and {thing}" for thing in _added(rng, taken, True)[: COUNT - len(texts)]]


def _grounds(rng: np.random.Generator, looks: Mapping[str, Look]) -> list[str]:
    """Return the backgrounds on which the instances can be seen, in random order."""
    unfit = {colour for look in looks.values() for colour in (look.first, look.second)}
    for noun, look in looks.items():
        unfit |= set(PALE_ANIMALS.get(noun, ())) if look.first == NATURAL else set()
    return [str(ground) for ground in rng.permutation([each for each in BACKGROUNDS if each not in unfit])]


def _added(rng: np.random.Generator, taken: set[str], in_colour: bool) -> list[str]:
    """Return objects that may be added, in random order: "a red bench"."""
    names = [str(each) for each in rng.permutation([each for each in OBJECTS if each not in taken])]
    colours = [colour for colour in COLOURS if colour[0] not in _VOWELS]
    return [f"a {rng.choice(colours)} {name}" if in_colour else f"a {name}" for name in names if name[0] not in _VOWELS]
