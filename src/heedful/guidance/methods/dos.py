"""DOS (Byun et al., AAAI 2026, arXiv 2510.14376): what tells one object from another is added to the text.

For each ordered pair of objects, the state of a noun goes away from the other noun, and end token and pooled embedding
go from a text that mixes both towards one that separates them; the more, the more alike the two look, or the less alike
their backgrounds are. Written from the formulas of the paper. Its lists of visual attributes and backgrounds are in its
appendix; those here are our own, of the same kind and length, so strengths differ a little from the published ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from heedful.errors import SettingsError
from heedful.steering import EMBEDDED, Method, ReadTexts, Settings, Text, TextEdit, marked
from heedful.world import BACKGROUNDS, COLOURS

ATTRIBUTES = (
    "circular", "cubic", "blocky", "slim", "stout", "plump", "bulky", "lanky", "tapered", "arched", "twisted",
    "coiled", "crooked", "hollow", "domed", "squat", "lopsided", "branched", "streamlined", "broad", "furry",
    "velvety", "silky", "glossy", "dull", "polished", "coarse", "sandy", "dusty", "cracked", "crinkled", "knitted",
    "woven", "wooden", "metallic", "glassy", "translucent", "speckled", "dotted", "checkered", "marbled", "spiny",
)  # fmt: skip
"""Shapes and textures."""

GROUNDS = (
    "in a jungle", "in a swamp", "in a canyon", "on a snowy hill", "on a sandy shore", "in a meadow", "on a glacier",
    "in a vineyard", "in an orchard", "in a garden", "by a waterfall", "on a frozen pond", "in a rice field",
    "under a bridge", "in a tunnel", "in a harbor", "at a market", "on a rooftop", "in a courtyard",
    "on a playground", "at a gas station", "on a highway", "in a subway station", "on a train platform",
    "in a hangar", "above the clouds", "on the moon", "in a hallway", "in a dining room", "in a garage",
    "in an attic", "in a library", "in a museum", "in a gym", "in a restaurant", "in a theater",
)  # fmt: skip
"""Places, in the open and under a roof."""

Part = Callable[[Text], Tensor]
"""(a text of one noun) -> the vector of it that is compared: the noun's state, the end token's, the pooled one."""


@dataclass(frozen=True, kw_only=True)
class Centres:
    """Where a strength is half of its largest: (likeness of looks, unlikeness of backgrounds) for each vector."""

    noun: tuple[float, float] = (0.5550, 0.1592)
    end: tuple[float, float] = (0.5474, 0.3862)
    pooled: tuple[float, float] = (0.5366, 0.5835)


@dataclass(frozen=True, kw_only=True)
class SeparatedText(TextEdit):
    """c_t += a (p_n - p_m) for the tokens t of noun n;  c_end += a (e(n apart from m) - e(n mixed with m))   (DOS).

    The sums go over all ordered pairs (n, m) of the K concepts. p is the mean state of a noun in the prompt "a {noun}",
    e the state of the end token; the pooled embedding is moved as the end token is. Each of the three has strengths of
    its own, in [0, strength / (K - 1)]:

    a = strength / (K - 1) max(sigmoid((cos(v_n, v_m) - s_v) / temperature),
                               sigmoid((1 - cos(b_n, b_m) - s_b) / temperature)).

    v_n are the cosines between the vector in "a {noun}" and in each of the prompts of visual attributes, less their
    mean and over their standard deviation; b_n the same for the backgrounds. For the noun, both begin with the plain
    prompt itself. s_v and s_b are `Centres`.
    """

    citations: ClassVar = ("byun2026dos",)

    strength: float = 1.0
    """0 leaves the text as it is."""
    temperature: float = 0.6
    centres: Centres = Centres()
    """As published for SDXL; Stable Diffusion 1 and 2, for which none are, have them too."""
    joint_centres: Centres = Centres(noun=(0.5536, 0.1705), end=(0.5473, 0.3877), pooled=(0.6168, 0.4325))
    """As published for Stable Diffusion 3.5, where the part of the text that CLIP reads is moved."""
    plain: str = "a {noun}"
    attribute: str = "a {word} {noun}"
    attributes: tuple[str, ...] = ATTRIBUTES
    ground: str = "{word}, there is a {noun}"
    grounds: tuple[str, ...] = GROUNDS
    apart: tuple[str, str] | None = ("a {noun} separated from a {other}", "a {noun} mixed with a {other}")
    """The texts whose difference end token and pooled embedding get; None leaves both as they are."""

    def __post_init__(self) -> None:
        templates = (self.plain, self.attribute, self.ground, *(self.apart or ()))
        if not all("{noun}" in each for each in templates):
            raise SettingsError(f"Expected texts with {{noun}} in each of them, got {', '.join(templates)}.")
        if self.temperature <= 0 or min(len(self.attributes), len(self.grounds)) < 2:
            raise SettingsError(
                "Expected a temperature above 0, at least two attributes and two grounds, got a temperature of "
                f"{self.temperature}, {len(self.attributes)} attributes and {len(self.grounds)} grounds."
            )

    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        """Return `text` with other states of its nouns and its end token, and another pooled embedding."""
        centres = self.joint_centres if read.is_joint else self.centres
        states, pooled = text.states.clone(), text.pooled
        strengths = self.strengths(nouns, read, _noun, centres.noun, with_plain=True)
        plain = [each.noun() for each in read([self._plain(noun) for noun in nouns])]
        for n, m in permutations(range(len(nouns)), 2):
            states[list(text.nouns[n])] += strengths[n, m] * (plain[n] - plain[m])
        if self.apart is not None:
            states[text.end] += self._sum(nouns, read, _end, centres.end)
            pooled = pooled if pooled is None else pooled + self._sum(nouns, read, _pooled, centres.pooled)
        return replace(text, states=states, pooled=pooled)

    def strengths(
        self,
        nouns: Sequence[str],
        read: ReadTexts,
        part: Part,
        centres: tuple[float, float],
        *,
        with_plain: bool = False,
    ) -> Tensor:
        """Return a for each pair of nouns, of shape (concept, concept), by one of the vectors of their texts."""
        looks = self._likeness(nouns, read, part, self.attribute, self.attributes, with_plain)
        grounds = self._likeness(nouns, read, part, self.ground, self.grounds, with_plain)
        by_looks = torch.sigmoid((looks - centres[0]) / self.temperature)
        by_grounds = torch.sigmoid((1 - grounds - centres[1]) / self.temperature)
        return self.strength / max(len(nouns) - 1, 1) * torch.maximum(by_looks, by_grounds)

    def _likeness(
        self, nouns: Sequence[str], read: ReadTexts, part: Part, template: str, words: Sequence[str], with_plain: bool
    ) -> Tensor:
        """Return the cosine between what some words do to each pair of nouns, of shape (concept, concept)."""
        rows: list[Tensor] = []
        for noun in nouns:
            plain, *others = read([self._plain(noun), *_filled(template, words, noun)])
            compared = torch.stack([part(each) for each in ([plain] if with_plain else []) + others])
            rows.append(F.cosine_similarity(part(plain)[None], compared, dim=-1))
        cosines = torch.stack(rows)
        # the standard deviation is a common factor of a row, so the cosine of rows does not depend on it
        centred = cosines - cosines.mean(1, keepdim=True)
        return F.cosine_similarity(centred[:, None], centred[None], dim=-1)

    def _sum(self, nouns: Sequence[str], read: ReadTexts, part: Part, centres: tuple[float, float]) -> Tensor:
        """Return the sum over the ordered pairs of a times the difference of the two texts that tell them apart."""
        assert self.apart is not None
        strengths = self.strengths(nouns, read, part, centres)
        moves: list[Tensor] = []
        for n, m in permutations(range(len(nouns)), 2):
            pair = [each.format(noun=marked(nouns[n]), other=marked(nouns[m])) for each in self.apart]
            apart, mixed = (part(each) for each in read(pair))
            moves.append(strengths[n, m] * (apart - mixed))
        return torch.stack(moves).sum(0)

    def _plain(self, noun: str) -> str:
        return self.plain.format(noun=marked(noun))


def _filled(template: str, words: Sequence[str], noun: str) -> Iterator[str]:
    """Yield a template with each of some words and a noun."""
    return (template.format(word=word, noun=marked(noun)) for word in words)


def _noun(text: Text) -> Tensor:
    return text.noun()


def _end(text: Text) -> Tensor:
    return text.last


def _pooled(text: Text) -> Tensor:
    assert text.pooled is not None
    return text.pooled


DOS = Method(
    name="dos",
    loss=None,
    settings=Settings(text_edit=SeparatedText()),
    embedded=replace(
        EMBEDDED,
        text_edit=SeparatedText(
            attributes=COLOURS, ground="a {noun} on a {word} background", grounds=BACKGROUNDS, apart=None
        ),
    ),
)
"""DOS's numbers as published, with lists of our own (`SeparatedText(attributes=..., grounds=...)` takes others).

- The embedded models know colours and plain backgrounds, which are their lists; they know neither "separated from" nor
  "mixed with" nor words of that meaning, so end token and pooled embedding stay as they are. Centres are not tuned.
- No gradient is taken at all; CLIP reads about 80 short texts per noun, once per run.
"""
