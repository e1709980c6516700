"""The world's tokenizer: a CLIPTokenizer in which every word of the world is one token, 16 positions long.

Words that the world does not know still tokenize, into pieces: the byte-level alphabet is complete.
"""

from itertools import pairwise

from transformers import CLIPTokenizer

from heedful.world.vocabulary import WORDS

LENGTH = 16


def build_tokenizer() -> CLIPTokenizer:
    """Make the tokenizer from the word list; the same list always gives the same vocabulary and merges."""
    alphabet = _byte_alphabet()
    merges = _merges(WORDS)
    pieces = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *(left + right for left, right in merges)]
    specials = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate([*pieces, *specials])}
    # the stub knows merges as text only; pairs are what the tokenizer is made of
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)  # pyright: ignore[reportArgumentType]


def _byte_alphabet() -> list[str]:
    """The 256 printable stand-ins for bytes of byte-level BPE (GPT-2, Radford et al. 2019, section 2.2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def _merges(words: tuple[str, ...]) -> list[tuple[str, str]]:
    ranks: dict[tuple[str, str], int] = {}
    for word in words:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            known = [pair for pair in pairwise(pieces) if pair in ranks]
            # a new merge ranks last, so it cannot change how earlier words merge
            pair = min(known, key=ranks.__getitem__) if known else (pieces[0], pieces[1])
            ranks.setdefault(pair, len(ranks))
            pieces = _merged(pieces, pair)
    return list(ranks)


def _merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
