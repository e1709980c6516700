"""What is to be learnt, as words to click: "a cat and a dog" becomes "a <cat1> cat and a dog". Text only, no model."""

from dataclasses import dataclass

from heedful.app.words import check_length
from heedful.errors import PromptError
from heedful.prompts import find_words


@dataclass(frozen=True)
class LessonWord:
    """A word of a lesson."""

    text: str
    start: int
    end: int
    is_new: bool
    """Whether it is a new word, such as <cat1>."""
    is_taught: bool
    """Whether a new word stands before it."""


def read_lesson(lesson: str) -> tuple[LessonWord, ...]:
    """Return the words of what is to be learnt; raises `PromptTooLong`."""
    check_length(lesson)
    spans = find_words(lesson)
    texts = [span.of(lesson) for span in spans]
    return tuple(
        LessonWord(text, *span, text.startswith("<"), number > 0 and texts[number - 1].startswith("<"))
        for number, (span, text) in enumerate(zip(spans, texts, strict=True))
    )


def toggle_lesson(lesson: str, position: int) -> str:
    """Return the lesson after a click: a plain word gets a new word before it, any other loses it.

    Raises `PromptError` for a position without a word.
    """
    words = read_lesson(lesson)
    number = next((n for n, word in enumerate(words) if word.start <= position < word.end), None)
    if number is None:
        raise PromptError(f"Expected the position of a word of {lesson!r}, got {position}. Click on a word.")
    word = words[number]
    if word.is_new or word.is_taught:
        new = word if word.is_new else words[number - 1]
        return lesson[: new.start] + lesson[new.end :].lstrip()
    return f"{lesson[: word.start]}<{_name(word.text, words)}> {lesson[word.start :]}"


def _name(noun: str, words: tuple[LessonWord, ...]) -> str:
    """Return a name for what is new that no word has yet: cat1, cat2."""
    taken = {word.text for word in words}
    base = "".join(letter for letter in noun.lower() if letter.isalnum()) or "thing"
    names = (f"{base}{number}" for number in range(1, len(words) + 2))
    return next(name for name in names if f"<{name}>" not in taken)
