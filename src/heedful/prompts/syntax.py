"""Noun phrases of an English prompt, by small rules that need nothing installed.

They use a few closed classes of English words: no dictionary, no tokens, no model. The rules, in order:

1. Punctuation and the words that cannot stand inside a noun phrase (determiners, prepositions, conjunctions, pronouns,
   auxiliary verbs, numbers) split the text into phrases. A hyphen splits nothing.
2. In a phrase the last word is the noun and each word before it is a modifier: "a red car" -> red + car.
   Compound nouns follow the same rule: "a teddy bear" -> teddy + bear. Where that is wrong, say so in the prompt:
   "a [teddy+bear]" has one noun of two words.
3. An -ing word after a noun, or after "is" and its like, is a verb and ends the phrase: "a cat sitting", "a cat is
   chasing a dog". After a known adjective, or first in its phrase, it is a modifier: "a red flying dragon", "a running
   dog". An -ed word after a noun is a verb before a preposition or an article ("a cat jumped over a fence"), an -s word
   before an article ("a cat chases a dog").
4. Adjectives with "and" or a comma after them belong to the noun that follows: "a red and blue clock", "a big, red
   car".
5. No concept is made of: adjectives alone ("the cat is red"), a phrase after "without" or "no", names ("a cat named
   Tom"), words that name the image ("a photo of"), its ground ("on a blue background", which no place of the image has
   to itself) or its quality ("masterpiece, best quality"), numbers alone (the weight in "(a cat:1.2)"), adverbs in
   -ly, and Chinese or Japanese, whose words no space separates.

Rules this small are wrong sometimes. The way out is always the user's own word: marks, `concepts=[...]`, or spaCy.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from heedful.prompts.tokens import UNSPACED, Span, find_words


def _set(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())


_DETERMINERS = _set(
    "a an the this that these those my your his her its our their some any each every both another all many several "
    "few one two three four five six seven eight nine ten"
)
_NEGATIONS = _set("no without")
_NAMERS = _set("named called titled")
_COPULAS = _set("is are was were be been am")
_CONJUNCTIONS = _set("and or nor but plus while as than")
_OTHERS = _set(
    # prepositions
    "about above across after against along among around at before behind below beneath beside besides between beyond "
    "by down during for from in inside into like near next of off on onto out outside over past through to toward "
    "towards under underneath up upon versus vs via with within "
    # pronouns, auxiliary and copular verbs, adverbs of degree and location
    "i you he she it we they me him them us who whom which whose what where when there here itself himself herself is "
    "are was were be been being am has have had having do does did will would can could shall should may might must "
    "looks look looked stands stand stood sits sit sat lies lay holds wears rides eats plays runs flies not very too "
    "so also only just together right left 's ’s"
)
_BEFORE_A_NOUN = _DETERMINERS | _set(
    "about above across after against along among around at before behind below beneath beside besides between beyond "
    "by down from in inside into near off on onto out outside over past through to toward towards under underneath up "
    "upon with within"
)
"""What follows a verb and not a noun that is used as a modifier."""
_JOINERS = frozenset(["and", "or", ","])
_SPLITTERS = _DETERMINERS | _NEGATIONS | _NAMERS | _CONJUNCTIONS | _OTHERS

_ADJECTIVES = _set(
    # colours
    "red orange yellow green blue purple pink brown gray grey black white violet cyan magenta turquoise teal beige "
    "golden gold silver bronze colorful colourful multicolored dark light bright pale "
    # sizes, shapes, ages
    "big small large little tiny huge giant tall short long wide narrow thick thin round square old new young ancient "
    "modern "
    # looks and materials
    "beautiful cute pretty ugly happy sad angry shiny fluffy furry soft hard wooden metallic plastic glassy striped "
    "spotted detailed realistic photorealistic 4k 8k hd uhd hdr cinematic dramatic sharp high low best"
)
_ALSO_NOUNS = _set("orange light gold silver bronze violet")
_ING_NOUNS = _set(
    "ring earring king wing building painting drawing ceiling spring string morning evening wedding clothing thing "
    "pudding being swing sling duckling gosling dumpling sibling viking lightning railing awning stocking herring "
    "icing earthling"
)
_IMAGES = _set(
    "photo photograph picture image painting drawing illustration portrait rendering render sketch sprite view shot "
    "closeup close-up cartoon watercolor watercolour poster"
)
GROUNDS = _set("background backgrounds backdrop foreground")
"""Nouns that name the ground, and no thing on it."""
_QUALITIES = _set(
    "masterpiece quality resolution artstation deviantart cgsociety pixiv trending wallpaper hyperrealism photorealism "
    "hyperrealistic bokeh dslr masterwork high-quality high-resolution highres ultra-detailed award-winning"
)
_LY_NOUNS = _set(
    "butterfly fly family lily belly jelly firefly dragonfly bully holly assembly dolly italy july anomaly"
)
_LY_ADJECTIVES = _set("ugly silly woolly curly lovely friendly lonely smelly wrinkly bubbly early daily holy prickly")


@dataclass(frozen=True)
class Phrase:
    """One noun phrase of a text, by character spans."""

    name: str
    """Its modifiers and its noun, without article: "blue clock"."""
    noun: Span
    modifiers: tuple[Span, ...]


@dataclass
class _Chunk:
    """The words between two groups of splitters."""

    before: list[str] = field(default_factory=list[str])
    """The splitters right before: words in lower case, punctuation marks, or "verb"; empty at the start."""
    words: list[Span] = field(default_factory=list[Span])

    def is_no_thing(self) -> bool:
        """Whether the words name what should not be there, or are the name of the thing before."""
        return not (_NEGATIONS | _NAMERS).isdisjoint(self.before)

    def is_joined(self) -> bool:
        """Whether only "and", "or" or commas stand between these words and those of the chunk before."""
        return bool(self.before) and _JOINERS.issuperset(self.before)


def phrases_by_rules(text: str) -> tuple[Phrase, ...]:
    """Return the noun phrases of an English `text` in order; the module docstring lists the rules."""
    return tuple(phrase for phrase in _phrases(text) if not _is_ground(text, phrase))


def grounds_by_rules(text: str) -> tuple[Phrase, ...]:
    """Return the phrases of an English `text` that name its ground: "blue background"."""
    return tuple(phrase for phrase in _phrases(text) if _is_ground(text, phrase))


def _is_ground(text: str, phrase: Phrase) -> bool:
    return _low(text, phrase.noun) in GROUNDS


def _phrases(text: str) -> Iterator[Phrase]:
    chunks = _chunks(text)
    carried: list[Span] = []
    for chunk, following in zip(chunks, [*chunks[1:], _Chunk()], strict=True):
        words = [word for word in chunk.words if not _is_adverb(_low(text, word))]
        if len(words) > 1 and _is_finite_verb(_low(text, words[-1]), _low(text, words[-2]), following.before):
            words = words[:-1]
        if not words or chunk.is_no_thing() or _is_no_noun(text, chunk, words):
            carried = []
            continue
        words = [*carried, *words] if chunk.is_joined() else words
        carried = []
        last = _low(text, words[-1])
        if all(_low(text, word) in _ADJECTIVES for word in words):
            if following.words and following.is_joined():
                carried = words
                continue
            is_noun = last in _ALSO_NOUNS and bool(chunk.before) and chunk.before[-1] in _DETERMINERS
            if not is_noun:
                continue
        if last in _IMAGES and following.before[:1] == ["of"]:
            continue
        yield make_phrase(text, words)


def make_phrase(text: str, words: Sequence[Span]) -> Phrase:
    """Return the phrase of `words`: the last is the noun, those before it are its modifiers."""
    return Phrase(" ".join(word.of(text) for word in words), words[-1], tuple(words[:-1]))


def strip_determiners(text: str, words: Iterable[Span]) -> list[Span]:
    """Return `words` without determiners, conjunctions and prepositions, which modify nothing."""
    return [word for word in words if _low(text, word) not in _SPLITTERS]


def _chunks(text: str) -> list[_Chunk]:
    """Split `text` at punctuation, splitting words and verbs; each chunk knows what stood right before it."""
    chunks = [_Chunk()]
    end = 0
    for word in find_words(text):
        low = _low(text, word)
        splitters = list("".join(text[end : word.start].split()))
        end = word.end
        is_splitter = low in _SPLITTERS
        if is_splitter:
            splitters.append(low)
        elif not splitters and _is_verb(text, low, chunks[-1]):
            splitters.append("verb")
            is_splitter = True
        if splitters and chunks[-1].words:
            chunks.append(_Chunk())
        chunks[-1].before += splitters
        if not is_splitter:
            chunks[-1].words.append(word)
    return chunks


def _is_verb(text: str, low: str, chunk: _Chunk) -> bool:
    """Whether an -ing word ends the phrase `chunk`, or comes right after "is" (rule 3)."""
    if not low.endswith("ing") or low in _ING_NOUNS:
        return False
    if not chunk.words:
        return not _COPULAS.isdisjoint(chunk.before[-1:])
    return _low(text, chunk.words[-1]) not in _ADJECTIVES


def _is_finite_verb(low: str, before: str, following: Sequence[str]) -> bool:
    """Whether the last word of a phrase is a verb, as far as its form and what follows tell (rule 3)."""
    if before in _ADJECTIVES or low in _ADJECTIVES or not following:
        return False
    is_past = low.endswith("ed") and len(low) > 4 and following[0] in _BEFORE_A_NOUN
    return is_past or (low.endswith("s") and not low.endswith("ss") and following[0] in _DETERMINERS)


def _is_no_noun(text: str, chunk: _Chunk, words: Sequence[Span]) -> bool:
    """Whether the words are numbers, a quality of the image, or of a language whose words no space separates."""
    if any(re.match(UNSPACED, word.of(text)) for word in words):
        return True
    is_quality = _low(text, words[-1]) in _QUALITIES and not _DETERMINERS.intersection(chunk.before[-1:])
    return is_quality or all(word.of(text).isdecimal() for word in words)


def _is_adverb(low: str) -> bool:
    """Whether a word in -ly is an adverb, as far as its form tells."""
    return low.endswith("ly") and low not in _LY_NOUNS and low not in _LY_ADJECTIVES


def _low(text: str, word: Span) -> str:
    """Return the word in lower case."""
    return word.of(text).lower()
