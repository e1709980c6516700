r"""Weights in a prompt as compel writes them, taken off, so that what is left is what the text encoder reads.

| written              | means                                                   |
| -------------------- | ------------------------------------------------------- |
| `(red)1.4`           | red with the weight 1.4                                 |
| `(a red cat)1.2`     | three words with the weight 1.2; brackets nest          |
| `blue++`, `clock-`   | each plus is a factor of 1.1, each minus one of 0.9     |
| `\(` and `\)`        | brackets that belong to the text                        |

compel itself reads them (https://github.com/damian0815/compel), so they mean here what they mean there. Its other
syntax, `.swap()`, `.blend()`, `.and()` and `.withLora()`, makes no single prompt and is refused.
"""

import re
from dataclasses import dataclass

from heedful.errors import PromptError, require
from heedful.prompts.marks import take_marks

_BEHIND_A_MARK = re.compile(r"(?<!\\)\](\++|-+|\d)")
_MARK = re.compile(r"(?<!\\)([\[\]])")
_COLON = re.compile(r"\([^()]*:\s*\d+(\.\d+)?\s*\)")
_LIKE_A_WEIGHT = re.compile(
    r"(?<!\\)\([^()]*\)(\d+(\.\d+)?|\++|-+)(?=[\s,.)\]]|$)"  # (red)1.4, (red)++
    r"|\b\w\w+(\+\+|--)(?=[\s,.)\]]|$)"  # blue++, but not C++
    r"|\([^()]*:\d+(\.\d+)?\)"  # (red:1.4), as other tools write it
)


@dataclass(frozen=True)
class Weighted:
    """A prompt whose weights were taken off."""

    text: str
    """Without weights; with its marks."""
    written: str
    """With weights, as compel reads them; without marks. Empty if no word has a weight."""


def take_weights(text: str) -> Weighted:
    """Take the weights off a prompt, which may have `[marks]` too.

    Raises `PromptError` for what is no weight of compel's, and `MissingExtra` without compel (the extra `weights`).
    """
    wrong = _BEHIND_A_MARK.search(text)
    if wrong:
        raise PromptError(
            f"Expected weights inside the marks, got {wrong[0]!r} behind one in {text!r}. Write [(blue clock)1.3]."
        )
    wrong = _COLON.search(text)
    if wrong:
        raise PromptError(f"Expected weights behind brackets, as in (cat)1.2, got {wrong[0]!r}.")
    marked, plain = _joined(_MARK.sub(r" \1 ", text)), take_marks(text)[0]  # a bracket of compel's begins a word
    clean = take_marks(marked)[0]
    if _letters(clean) != _letters(_joined(plain)):
        raise PromptError(
            f"Expected weights that leave the marked words whole, got {text!r}. Write them around whole marks or "
            "inside of them: ([cat])1.3 or [(cat)1.3]."
        )
    return Weighted(marked, "" if _letters(clean) == _letters(plain) else plain)


def find_weight(text: str) -> str | None:
    """Return the first thing in a text that looks like a weight, in the syntax of compel or of other tools."""
    found = _LIKE_A_WEIGHT.search(text)
    return None if found is None else found[0]


def _joined(text: str) -> str:
    """Return the words of a prompt in the syntax of compel, without weights."""
    compel = require("compel", "weights").prompt_parser
    parsing = require("pyparsing", "weights")
    try:
        read = compel.PromptParser().parse_conjunction(text)
    except (parsing.ParseBaseException, compel.PromptParser.ParsingException, ValueError) as reason:
        raise PromptError(f"Expected weights as compel writes them, got {text!r}, of which it says: {reason}") from None
    parts = [part for prompt in read.prompts for part in getattr(prompt, "children", [prompt])]
    if len(read.prompts) != 1 or read.lora_weights or not all(type(part) is compel.Fragment for part in parts):
        raise PromptError(
            f"Expected a prompt whose only syntax is weights, got {text!r}. .swap(), .blend(), .and() and .withLora() "
            "make no single prompt: give the pipeline what compel makes of them, and guide the text."
        )
    words = " ".join(" ".join(part.text for part in parts).split())
    # between parts with and without a weight there may have been no space; a text encoder reads the same tokens
    return re.sub(r"\s+(?=[,.;:!?\]])|(?<=[^\\]\[)\s+|(?<=^\[)\s+", "", words)


def _letters(text: str) -> str:
    return "".join(text.split())
