"""Where the pieces of a tokenizer that knows no offsets stand in a text: they are looked for one after the other."""

import re
from collections.abc import Sequence

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What stands for a space in the pieces of SentencePiece."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def offsets_of_pieces(text: str, pieces: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return the characters of `text` that each piece stands for; None if a piece is not in the text.

    Bytes of one character each stand for the whole of it.
    """
    offsets: list[tuple[int, int]] = []
    at = 0
    waiting = b""  # of a character of which not all bytes have been seen
    for piece in pieces:
        byte = _BYTE.fullmatch(piece)
        if byte is not None:
            waiting += bytes.fromhex(byte[1])
            at = at if len(waiting) > 1 else _past_space(text, at)
            offsets.append((at, min(at + 1, len(text))))
            if text[at : at + 1].encode() == waiting:
                at, waiting = at + 1, b""
            continue
        own = piece.replace(_SPACE, " ").strip()
        start = _past_space(text, at) if own else at
        if not text.startswith(own, start):
            return None
        offsets.append((start, start + len(own)))
        at = start + len(own)
    return None if waiting else offsets


def _past_space(text: str, at: int) -> int:
    """Return the next position that holds no space."""
    return len(text) - len(text[at:].lstrip())
