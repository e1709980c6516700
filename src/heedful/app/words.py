"""The words of a prompt, and which of them are concepts: what a click on a word changes. Text only, no model.

Clicks end in the marks of `heedful.prompts` ("a [cat] and a blue clock"), which say exactly which word is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.errors import EmptyPrompt, PromptError, PromptTooLong, UnsuitablePrompt
from heedful.prompts import LONGEST_PROMPT, Span, find_words, joined_words, phrases_by_rules, take_marks


@dataclass(frozen=True)
class Word:
    """A word of a prompt."""

    text: str
    start: int
    """Where it begins in the prompt without marks, in characters."""
    end: int
    concept: int | None
    """The concept that it belongs to, by its number; None for a word of no concept."""


@dataclass(frozen=True)
class Reading:
    """A prompt as the page shows it."""

    text: str
    """Without marks."""
    words: tuple[Word, ...]
    concepts: tuple[str, ...]
    """Each as it stands in the prompt, in its order."""
    is_marked: bool
    """Whether a person chose the concepts; else they were found."""


@dataclass(frozen=True)
class _Marked:
    """A concept of a prompt: from the start of its first word to the end of its last, and how marks write it."""

    span: Span
    written: str


def read(prompt: str) -> Reading:
    """Return the words and concepts of `prompt`, with or without marks; raises `PromptError`."""
    text, concepts, is_marked = _parts(prompt)
    words = tuple(
        Word(span.of(text), span.start, span.end, _owner(span, concepts))
        for span in find_words(text)
        if span.of(text)[0] not in "'’"
    )
    return Reading(text, words, tuple(" ".join(each.span.of(text).split()) for each in concepts), is_marked)


def toggle(prompt: str, position: int) -> str:
    """Return `prompt` with marks after a click on the word at a character of its text.

    A word of a concept is taken out of it, a modifier alone or a noun with all that belongs to it; any other word
    becomes a concept. Raises `PromptError` for a position without a word, and `UnsuitablePrompt` for the last concept.
    """
    text, concepts, _ = _parts(prompt)
    word = next((span for span in find_words(text) if span.start <= position < span.end), None)
    if word is None:
        raise PromptError(f"Expected the position of a word of {text!r}, got {position}. Click on a word.")
    owner = _owner(word, concepts)
    if owner is None:
        return _write(text, [*concepts, _Marked(word, word.of(text))])
    rest = [each for number, each in enumerate(concepts) if number != owner]
    shorter = _without(text, concepts[owner], word)
    if shorter is None and not rest:
        raise UnsuitablePrompt("The image must show at least one thing. Click another word first, then this one.")
    return _write(text, [*rest, *([] if shorter is None else [shorter])])


def carry(prompt: str, text: str) -> str:
    """Return `text`, which a person made of the text of `prompt`, with the marks whose words still stand there."""
    try:
        before, concepts, is_marked = _parts(prompt)
    except PromptError:
        return text
    if not is_marked or "[" in text or "]" in text:
        return text
    head = _common(before, text)
    tail = min(_common(before[::-1], text[::-1]), len(before) - head, len(text) - head)
    moved = len(text) - len(before)
    kept = []
    for each in concepts:
        if each.span.end <= head:
            kept.append(each)
        elif each.span.start >= len(before) - tail:
            kept.append(_Marked(Span(each.span.start + moved, each.span.end + moved), each.written))
    words = {edge for span in find_words(text) for edge in span}
    return _write(text, [each for each in kept if {each.span.start, each.span.end} <= words])


def check_length(prompt: str) -> None:
    """Raise `PromptTooLong` for a text that would take too long to read."""
    if len(prompt) > LONGEST_PROMPT:
        raise PromptTooLong(
            f"Expected a prompt of at most {LONGEST_PROMPT} characters, got {len(prompt)}. Shorten it; most models "
            "read about 60 words."
        )


def _parts(prompt: str) -> tuple[str, list[_Marked], bool]:
    """Return the text of a prompt, its concepts in its order, and whether they are marked."""
    check_length(prompt)
    text, marks = take_marks(prompt)
    if not text.strip():
        raise EmptyPrompt('Expected a prompt, got none. Write one, such as "a cat and a blue clock".')
    if marks:
        return text, [_Marked(_trimmed(text, span), written.strip()) for span, written in marks], True
    found = []
    for phrase in phrases_by_rules(text):
        span = Span(min(each.start for each in (phrase.noun, *phrase.modifiers)), phrase.noun.end)
        found.append(_Marked(span, span.of(text)))
    return text, found, False


def _trimmed(text: str, span: Span) -> Span:
    """Return the span without the spaces at its ends."""
    inside = span.of(text)
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))


def _owner(word: Span, concepts: Sequence[_Marked]) -> int | None:
    return next((n for n, each in enumerate(concepts) if each.span.start <= word.start < each.span.end), None)


def _without(text: str, concept: _Marked, word: Span) -> _Marked | None:
    """Return a concept without one of its modifiers and those before it; None without its noun."""
    words = [span for span in find_words(text) if concept.span.start <= span.start < concept.span.end]
    nouns = min(joined_words(concept.written), len(words))
    left = words[words.index(word) + 1 :]
    if len(left) < nouns:
        return None
    span = Span(left[0].start, concept.span.end)
    modifiers, noun = left[:-nouns], "+".join(each.of(text) for each in left[-nouns:])
    return _Marked(span, " ".join([*(each.of(text) for each in modifiers), noun]) if nouns > 1 else span.of(text))


def _write(text: str, concepts: Sequence[_Marked]) -> str:
    """Return the prompt whose marks say what the concepts are; brackets of the text stay brackets."""
    pieces: list[str] = []
    end = 0
    for each in sorted(concepts, key=lambda each: each.span.start):
        pieces += [_escaped(text[end : each.span.start]), "[", _escaped(each.written), "]"]
        end = each.span.end
    return "".join([*pieces, _escaped(text[end:])]) if concepts else text


def _escaped(text: str) -> str:
    return text.replace("[", "\\[").replace("]", "\\]")


def _common(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    return next(
        (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
