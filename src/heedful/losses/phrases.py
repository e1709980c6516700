"""A concept's phrase, token by token: what losses are made of that treat its noun and its modifiers as equals.

Knows which tokens belong together. Knows no measure.
"""

from collections.abc import Sequence

from heedful.attention import Groups, Maps
from heedful.losses.words import Word
from heedful.prompts import Concept, Prompt


def phrase(concept: Concept) -> Word:
    """Return the tokens of the noun and of its modifiers, each once, in the order of the prompt."""
    return tuple(sorted({index for part in (concept, *concept.modifiers) for index in part.token_indices}))


def group_words(maps: Maps, words: Sequence[Sequence[Word]]) -> Groups:
    """Return the maps of each item's words, as `Maps.group` does for concepts: the mean over a word's tokens.

    Raises `SettingsError` unless there is one list of words per item.
    """
    named = [[Concept(name=str(word), noun=str(word), token_indices=word) for word in own] for own in words]
    return maps.group([Prompt(text="", tokens=(), concepts=tuple(own)) for own in named])
