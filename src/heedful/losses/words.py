"""Pairs of words of a prompt, compared by their maps: what losses about attributes are sums of.

A word of several tokens has the mean of their maps, as concepts have; the published codes take the largest of them cell
by cell (SynGen) or the first (DisenDiff).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.losses.normalise import at_least_tiny
from heedful.prompts import Concept, Prompt
from heedful.shapes import PerItem

Word = tuple[int, ...]
"""The indices of a word's tokens."""


class Pair(NamedTuple):
    """Two words, and what their comparison counts for."""

    first: Word
    second: Word
    weight: float = 1.0


def outside(prompt: Prompt, concept: Concept) -> tuple[Word, ...]:
    """Return what belongs neither to the concept's noun nor to its modifiers: articles, "and", the other concepts.

    One by one as tokens, so that a word of several tokens counts once for each. The start token, the end token and
    padding are no words.
    """
    return tuple((index,) for index in range(prompt.first, prompt.end) if index not in concept.phrase)


def missing_modifiers(loss: str, prompt: Prompt) -> tuple[str, ...]:
    """Return that `loss` has nothing to do for `prompt`, if none of its concepts has a modifier; else nothing."""
    if any(concept.modifiers for concept in prompt.concepts):
        return ()
    return (
        f"{loss} needs a concept with a modifier, like 'blue clock', and {prompt.text!r} has none: it adds nothing.",
    )


def missing_pair(loss: str, prompt: Prompt, needed: str = "two concepts") -> tuple[str, ...]:
    """Return that `loss` has nothing to do for `prompt`, if it has fewer than two concepts; else nothing."""
    if len(prompt.concepts) >= 2:
        return ()
    names = ", ".join(repr(concept.name) for concept in prompt.concepts) or "none"
    return (f"{loss} needs {needed}, and {prompt.text!r} has {names}: it adds nothing.",)


def sum_over_pairs(
    maps: Maps,
    prompts: Sequence[Prompt],
    pairs_of: Callable[[Prompt], Iterable[Pair]],
    measure: Callable[[Tensor, Tensor], Tensor],
) -> PerItem:
    """Return, for each item, the sum over the pairs of its prompt of weight * measure(first map, second map).

    `measure` gets all first and all second maps of the batch, each (pair, height, width), and returns (pair,). An item
    without pairs gets exactly 0. Raises `SettingsError` unless there is one prompt per item.
    """
    pairs = [tuple(pairs_of(prompt)) for prompt in prompts]
    words = [tuple(dict.fromkeys(word for pair in own for word in (pair.first, pair.second))) for own in pairs]
    groups = maps.group_tokens(words)
    rows = [
        (item, words[item].index(pair.first), words[item].index(pair.second))
        for item, own in enumerate(pairs)
        for pair in own
    ]
    if not rows:
        return maps.tokens.new_zeros(len(maps))
    item, first, second = torch.tensor(rows, device=groups.maps.device).unbind(1)
    values = measure(groups.maps[item, first], groups.maps[item, second])
    weighted = values * values.new_tensor([pair.weight for own in pairs for pair in own])
    return torch.stack([own.sum() for own in weighted.split([len(own) for own in pairs])])


def distributions(maps: Float[Tensor, "pair height width"]) -> Float[Tensor, "pair cell"]:
    """Return each map as a distribution over its cells, which sums to 1; an empty map stays empty."""
    cells = maps.flatten(-2)
    return cells / at_least_tiny(cells.sum(-1, keepdim=True))
