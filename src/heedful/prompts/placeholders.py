"""Placeholders of several vectors, as diffusers writes them out before its tokenizer reads a prompt.

`load_textual_inversion` adds tokens `<cat>`, `<cat>_1`, `<cat>_2` for one placeholder `<cat>` of three vectors, and the
pipeline puts all of them where the prompt says `<cat>`.
"""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expanded:
    """A text in which every placeholder stands with all of its tokens, and where each part of it came from."""

    text: str
    _pieces: tuple[tuple[int, int, int, int], ...]
    """Start and end of each placeholder here, and start and end in the text as it was."""

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return which characters of the text as it was a stretch of this one stands for."""
        shift = 0
        for here, until, was, was_until in self._pieces:
            if start < until and here < end:
                return was, was_until
            if until <= start:
                shift = was_until - until
        return start + shift, end + shift


def expand(text: str, tokenizer: Any) -> Expanded:
    """Return `text` as the pipeline's tokenizer will see it."""
    added = getattr(tokenizer, "added_tokens_encoder", {})
    several = sorted((name for name in added if f"{name}_1" in added), key=len, reverse=True)
    if not several:
        return Expanded(text, ())
    parts, pieces, last, length = [], [], 0, 0
    for match in re.finditer(f"(?:{'|'.join(map(re.escape, several))})(?!_\\d)", text):
        written = _tokens(match.group(), added)
        parts += [text[last : match.start()], written]
        length += match.start() - last
        pieces.append((length, length + len(written), *match.span()))
        length, last = length + len(written), match.end()
    return Expanded("".join([*parts, text[last:]]), tuple(pieces))


def _tokens(name: str, added: Any) -> str:
    """Return the tokens of one placeholder, with spaces between them."""
    number = 1
    while f"{name}_{number}" in added:
        number += 1
    return " ".join([name, *(f"{name}_{index}" for index in range(1, number))])
