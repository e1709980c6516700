import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
import torch

from heedful.errors import SettingsError
from heedful.guidance import find_method
from heedful.guidance.methods import DOS
from heedful.guidance.methods.dos import ATTRIBUTES, GROUNDS, Centres, SeparatedText
from heedful.references import cite
from heedful.steering import Text
from heedful.world.architecture import build_unet
from heedful.world.joint import build_transformer
from heedful.world.vocabulary import WORDS

SMALL = SeparatedText(attributes=("round", "flat", "long"), grounds=("at sea", "at home"))


class Encoder:
    """Random states for every text: start, one token for the noun, end; the same for the same text."""

    def __init__(self, is_joint: bool = False, pooled: bool = True):
        self.is_joint = is_joint
        self._pooled = pooled
        self.asked: dict[str, Text] = {}

    def __call__(self, texts: Sequence[str]) -> list[Text]:
        for each in texts:
            if each not in self.asked:
                states = torch.randn(3, 4, generator=torch.Generator().manual_seed(len(self.asked)))
                self.asked[each] = Text(states, states[2, :3] * 2 if self._pooled else None, ((1,),), end=2)
        return [self.asked[each] for each in texts]


def text(nouns: tuple[tuple[int, ...], ...]) -> Text:
    states = torch.randn(9, 4, generator=torch.Generator().manual_seed(99))
    return Text(states, torch.tensor([1.0, 2.0, 3.0]), nouns, end=7)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def scored(values: Sequence[float]) -> list[float]:
    """By the mean and the standard deviation of a population."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation for value in values]


def strength(read: Encoder, part: str, nouns: tuple[str, str], centres: tuple[float, float], count: int) -> float:
    """The formula of the paper in plain numbers."""

    def vector(text: str) -> list[float]:
        found = read.asked[text]
        assert found.pooled is not None
        return {"noun": found.states[1], "end": found.states[2], "pooled": found.pooled}[part].tolist()

    def profile(noun: str, texts: list[str]) -> list[float]:
        plain = f"a [{noun}]"
        compared = [plain, *texts] if part == "noun" else texts
        return scored([cosine(vector(plain), vector(each)) for each in compared])

    looks = [profile(noun, [f"a {word} [{noun}]" for word in ("round", "flat", "long")]) for noun in nouns]
    grounds = [profile(noun, [f"{word}, there is a [{noun}]" for word in ("at sea", "at home")]) for noun in nouns]
    by_looks = 1 / (1 + math.exp(-(cosine(*looks) - centres[0]) / 0.6))
    by_grounds = 1 / (1 + math.exp(-(1 - cosine(*grounds) - centres[1]) / 0.6))
    return max(by_looks, by_grounds) / (count - 1)


@pytest.mark.parametrize("is_joint", [False, True])
@pytest.mark.parametrize("nouns", [("cat", "dog"), ("cat", "dog", "car")])
def test_edit_is_that_of_the_formula(nouns: tuple[str, ...], is_joint: bool) -> None:
    read, before = Encoder(is_joint), text(((1, 2), (4,), (6,))[: len(nouns)])
    after = SMALL.edited(before, nouns, read)
    published = (
        {"noun": (0.5536, 0.1705), "end": (0.5473, 0.3877), "pooled": (0.6168, 0.4325)}
        if is_joint
        else {"noun": (0.5550, 0.1592), "end": (0.5474, 0.3862), "pooled": (0.5366, 0.5835)}
    )
    states, pooled = before.states.clone(), torch.tensor([1.0, 2.0, 3.0])
    for n, m in permutations(range(len(nouns)), 2):
        pair = (nouns[n], nouns[m])
        by = {part: strength(read, part, pair, centres, len(nouns)) for part, centres in published.items()}
        plain = [read.asked[f"a [{noun}]"].states[1] for noun in pair]
        for token in before.nouns[n]:
            states[token] += by["noun"] * (plain[0] - plain[1])
        apart, mixed = (read.asked[f"a [{pair[0]}] {how} a [{pair[1]}]"] for how in ("separated from", "mixed with"))
        states[7] += by["end"] * (apart.states[2] - mixed.states[2])
        assert apart.pooled is not None and mixed.pooled is not None
        pooled += by["pooled"] * (apart.pooled - mixed.pooled)
    torch.testing.assert_close(after.states, states)
    torch.testing.assert_close(after.pooled, pooled)
    untouched = [0, 3, 5, 8]
    assert after.states[untouched].equal(before.states[untouched])
    assert not after.states[7].equal(before.states[7])


def test_strength_of_0_changes_nothing_and_two_nouns_go_apart_as_far() -> None:
    before = text(((1,), (4,)))
    still = replace(SMALL, strength=0.0).edited(before, ("cat", "dog"), Encoder())
    assert still.states.equal(before.states)
    assert still.pooled is not None and before.pooled is not None and still.pooled.equal(before.pooled)
    change = SMALL.edited(before, ("cat", "dog"), Encoder()).states - before.states
    torch.testing.assert_close(change[1], -change[4])
    twice = replace(SMALL, strength=2.0).edited(before, ("cat", "dog"), Encoder()).states - before.states
    torch.testing.assert_close(twice, 2 * change)


def test_equal_nouns_do_not_part_and_no_pooled_embedding_stays_none() -> None:
    before = replace(text(((1,), (4,))), pooled=None)
    after = SMALL.edited(before, ("cat", "cat"), Encoder(pooled=False))
    assert after.pooled is None
    assert after.states[[1, 4]].equal(before.states[[1, 4]])


def test_without_texts_that_tell_apart_end_token_and_pooled_embedding_stay() -> None:
    before, read = text(((1,), (4,))), Encoder()
    after = replace(SMALL, apart=None).edited(before, ("cat", "dog"), read)
    assert after.states[7].equal(before.states[7]) and after.pooled is before.pooled
    assert not any("separated" in each for each in read.asked)


def test_embedded_models_are_asked_in_their_own_words() -> None:
    edit = DOS.settings_for(build_unet()).text_edit
    assert isinstance(edit, SeparatedText) and edit == DOS.settings_for(build_transformer()).text_edit
    read = Encoder()
    edit.edited(text(((1,), (4,))), ("cat", "clock"), read)
    asked = {word for each in read.asked for word in each.replace("[", "").replace("]", "").split()}
    assert asked < set(WORDS) and {"red", "background"} < asked


def test_numbers_are_those_published_and_the_lists_as_long() -> None:
    assert find_method("dos") is DOS and DOS.loss is None
    assert DOS.settings.text_edit == SeparatedText(strength=1.0, temperature=0.6)
    assert (len({*ATTRIBUTES}), len({*GROUNDS})) == (42, 36)
    assert "2510.14376" in cite(DOS)


def test_identity_tells_edits_apart() -> None:
    unet = build_unet()
    stronger = replace(SMALL, strength=2.0, centres=Centres(noun=(0.5, 0.1)))
    found = replace(DOS, embedded=replace(DOS.settings, text_edit=stronger)).identity(unet)
    assert found["settings"]["text_edit"]["strength"] == 2.0
    assert found["settings"]["text_edit"]["centres"] == {"class": "Centres", "noun": [0.5, 0.1]}
    assert found != DOS.identity(unet)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attribute": "a {word} cat"}, "Expected texts with {noun} in each"),
        ({"grounds": ("at sea",)}, "got a temperature of 0.6, 42 attributes and 1 grounds"),
        ({"temperature": 0.0}, "Expected a temperature above 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SeparatedText(**wrong)  # type: ignore[arg-type]
