r"""Concepts that the user marks in the prompt: "a [cat] and a [blue clock]".

| written           | means                                                              |
| ----------------- | ------------------------------------------------------------------ |
| `[cat]`           | cat is a concept                                                   |
| `[blue clock]`    | clock is a concept, blue its modifier                              |
| `[teddy+bear]`    | one noun of two words; the text reads "teddy bear"                 |
| `\[` and `\]`       | brackets that belong to the text                                   |
"""

import re

from heedful.errors import PromptError
from heedful.prompts.tokens import Span

# A plus sign joins words only where it touches both of them, so "2 + 2" and "C++" stay as they are.
_JOIN = re.compile(r"(?<=[\w>])\+(?=[\w<])")


def take_marks(text: str) -> tuple[str, tuple[tuple[Span, str], ...]]:
    """Return `text` without its marks, and for each marked phrase its span in that text and how it was written.

    Raises `PromptError` for a bracket without its partner, a bracket inside brackets, and brackets around nothing.
    """
    plain: list[str] = []
    length = 0
    marks: list[tuple[Span, str]] = []
    opened: int | None = None
    written: list[str] = []
    for piece in re.findall(r"\\[\[\]]|[\[\]]|[^\[\]\\]+|\\", text):
        if piece == "[":
            if opened is not None:
                raise _unbalanced(text)
            opened, written = length, []
        elif piece == "]":
            phrase = "".join(written)
            if opened is None or not phrase.strip():
                raise _unbalanced(text)
            marks.append((Span(opened, length), phrase))
            opened = None
        else:
            if piece in ("\\[", "\\]"):
                piece = piece[1]
            written.append(piece)
            shown = unjoin(piece) if opened is not None else piece
            plain.append(shown)
            length += len(shown)
    if opened is not None:
        raise _unbalanced(text)
    return "".join(plain), tuple(marks)


def unjoin(phrase: str) -> str:
    """Return `phrase` as it reads in the prompt: "teddy+bear" is "teddy bear"."""
    return _JOIN.sub(" ", phrase)


def joined_words(phrase: str) -> int:
    """Return how many words at the end of `phrase` make up its noun: 2 for "blue teddy+bear", 1 for "blue clock"."""
    last = phrase.split()[-1:]
    return len(_JOIN.findall(last[0])) + 1 if last else 1


def _unbalanced(text: str) -> PromptError:
    """Return the error for marks that do not close."""
    return PromptError(
        f"Expected marks like [cat] around words, got {text!r}. "
        "Close every bracket, put no bracket inside another, and write \\[ or \\] for brackets that are text."
    )
