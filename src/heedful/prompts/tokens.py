"""From characters to tokens.

A tokenizer's character offsets say which tokens a stretch of text became, and which words fall beyond the text
encoder's limit. No spelling is trusted: a word may be one token or five, a placeholder such as `<cat1>` is whatever the
tokenizer says it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from heedful.errors import EmptyPrompt, PromptTooLong, UnsupportedPipeline
from heedful.prompts.offsets import offsets_of_pieces
from heedful.prompts.placeholders import Expanded, expand
from heedful.prompts.template import NO_TEMPLATE, Template

# A placeholder in angle brackets, possibly numbered as diffusers numbers the vectors of one concept (`<cat>_1`); or a
# Chinese or Japanese character, because no space says where such a word ends; or a word with its inner hyphens,
# apostrophes and combining accents. The possessive 's stands apart: "cat's" has the word "cat".
UNSPACED = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
_LETTERS = rf"(?:(?!{UNSPACED})[\w\u0300-\u036f])+"
LONGEST_PROMPT = 10_000
"""Characters; tokenizers take time that grows with the square of a text's length."""
_WORD = re.compile(rf"<[^<>|\s]+>\w*|{UNSPACED}|{_LETTERS}(?:(?:-|['’](?!s\b)){_LETTERS})*|['’]s\b")
_WORDS_IN_A_MESSAGE = 12


class Span(NamedTuple):
    """A stretch of text: the characters `start` to `end`, `end` excluded."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return the characters of `text` in this span."""
        return text[self.start : self.end]


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer; those of transformers that know character offsets (CLIP, T5, ...) have it."""

    @property
    def model_max_length(self) -> int:
        """How many tokens the text encoder reads, special tokens included."""
        ...

    @property
    def unk_token_id(self) -> int | None:
        """What stands for text that the tokenizer does not know."""
        ...

    def __call__(self, text: str, /) -> Mapping[str, Any]:
        """Return the tokens of `text`: ids, offsets and which of them are special."""
        ...

    def convert_ids_to_tokens(self, ids: list[int], /) -> str | list[str]:
        """Return the tokens' own names."""
        ...


@dataclass(frozen=True)
class Alignment:
    """One text and its tokens: special tokens and those of a template included, padding not."""

    text: str
    tokens: tuple[str, ...]
    """Readable: the characters of each token as they stand in the text, and all others under their own name."""
    spans: tuple[Span, ...]
    """Where each token stands in the text; empty for those that are no part of it."""
    unknown: tuple[int, ...]
    """Indices of tokens that stand for text which the tokenizer does not know."""
    has_start: bool
    """Whether the first token is a special one, as with CLIP; T5 has none."""
    before: int
    """How many tokens stand before those of the text."""
    after: int
    """How many tokens stand after those of the text."""

    def indices(self, span: Span) -> tuple[int, ...]:
        """Return the indices of all tokens that hold a character of `span`, the start token being index 0."""
        return tuple(
            index
            for index, token in enumerate(self.spans)
            if token.start < span.end and span.start < token.end and self._shared(token, span).strip()
        )

    def _shared(self, token: Span, span: Span) -> str:
        """Return the characters that both hold: a token that shares only the space before a word is not of the word."""
        return self.text[max(token.start, span.start) : min(token.end, span.end)]


def find_words(text: str) -> tuple[Span, ...]:
    """Return the words of `text` in order; the possessive 's counts as a word of its own."""
    return tuple(Span(*match.span()) for match in _WORD.finditer(text))


def align(text: str, tokenizer: Tokenizer, *, template: Template = NO_TEMPLATE, chunked: bool = False) -> Alignment:
    """Tokenize `text` and return its tokens with their positions.

    A placeholder of several vectors has all of their tokens. With a `template`, its tokens are there too, but those
    that the denoiser does not see. If `chunked`, a text over the limit is cut into chunks of as many tokens as the text
    encoder reads, each with a start and an end token of its own.

    Raises `EmptyPrompt` without words, `PromptTooLong` with more tokens than `tokenizer.model_max_length` unless
    `chunked`, or with more than 10 000 characters, and `UnsupportedPipeline` if the tokenizer knows no character
    offsets.
    """
    if len(text) > LONGEST_PROMPT:
        raise PromptTooLong(
            f"Expected a prompt of at most {LONGEST_PROMPT} characters, got one of {len(text)}: {text[:20]!r}... "
            "Shorten the prompt."
        )
    words = find_words(text)
    if not words:
        raise EmptyPrompt(f"Expected a prompt with words, got {text!r}. Say what the image should show: 'a red cube'.")
    expanded = expand(text, tokenizer)
    encoded = _encode(f"{template.before}{expanded.text}{template.after}", tokenizer, template.adds_special)
    limit = tokenizer.model_max_length
    kept = list(range(len(encoded["input_ids"])))
    if chunked:
        kept = _chunks(list(encoded["special_tokens_mask"]), limit)
    kept = template.seen(kept)
    ids: list[int] = [encoded["input_ids"][index] for index in kept]
    is_special: list[int] = [encoded["special_tokens_mask"][index] for index in kept]
    offsets = [
        template.inside(start, end, len(expanded.text))
        for start, end in (encoded["offset_mapping"][index] for index in kept)
    ]
    is_foreign = [int(special or at is None) for at, special in zip(offsets, is_special, strict=True)]
    spans = tuple(
        Span(0, 0) if foreign or at is None else _without_space(text, expanded, *at)
        for at, foreign in zip(offsets, is_foreign, strict=True)
    )
    names = tokenizer.convert_ids_to_tokens(ids)
    tokens = tuple(span.of(text) or name for span, name in zip(spans, names, strict=True))
    unknown = tuple(i for i, token in enumerate(ids) if token == tokenizer.unk_token_id and not is_foreign[i])
    alignment = Alignment(
        text,
        tokens,
        spans,
        unknown,
        has_start=bool(is_special[0]),
        before=_trailing(is_foreign[::-1]),
        after=_trailing(is_foreign),
    )
    if len(ids) > limit and not chunked:
        raise PromptTooLong(_too_long(alignment, words, limit, specials_at_end=_trailing(is_special)))
    return alignment


def _chunks(is_special: list[int], limit: int) -> list[int]:
    """Return the tokens of a text in chunks of at most `limit`, each between the special tokens of the whole."""
    last = len(is_special) - _trailing(is_special)
    first = _trailing(is_special[::-1])
    size = limit - first - (len(is_special) - last)
    before, after = list(range(first)), list(range(last, len(is_special)))
    return [
        index
        for start in range(first, last, size)
        for index in [*before, *range(start, min(start + size, last)), *after]
    ]


def _encode(text: str, tokenizer: Tokenizer, adds_special: bool) -> Mapping[str, Any]:
    """Call the tokenizer as pipelines do, but without cutting, padding or its own message about the length."""
    settings: dict[str, Any] = {
        "add_special_tokens": adds_special,
        "return_offsets_mapping": True,
        "return_special_tokens_mask": True,
        "truncation": False,
        "padding": False,
        "verbose": False,
    }
    reason: Exception | None = None
    try:
        encoded = tokenizer(text, **settings)
        if len(encoded["offset_mapping"]) == len(encoded["input_ids"]) > 0:
            return encoded
    except (NotImplementedError, KeyError) as error:
        reason = error
    encoded = _encode_in_pieces(text, tokenizer)
    if encoded is not None:
        return encoded
    raise UnsupportedPipeline(
        f"Expected a tokenizer that knows character offsets, got {type(tokenizer).__name__}. "
        "Load the pipeline with the tokenizer of the same name that transformers bases on the tokenizers library."
    ) from reason


def _encode_in_pieces(text: str, tokenizer: Any) -> Mapping[str, Any] | None:
    """Encode with a tokenizer of the old kind, which has pieces but no offsets; None if they cannot be told."""
    if not hasattr(tokenizer, "tokenize"):
        return None
    pieces: list[str] = tokenizer.tokenize(text)
    own: list[int] = tokenizer.convert_tokens_to_ids(pieces)
    ids: list[int] = list(tokenizer(text, truncation=False, padding=False, verbose=False)["input_ids"])
    before = next((start for start in range(len(ids) - len(own) + 1) if ids[start : start + len(own)] == own), None)
    offsets = offsets_of_pieces(text, pieces)
    if before is None or offsets is None or not own:
        return None
    after = len(ids) - before - len(own)
    return {
        "input_ids": ids,
        "offset_mapping": [*[(0, 0)] * before, *offsets, *[(0, 0)] * after],
        "special_tokens_mask": [*[1] * before, *[0] * len(own), *[1] * after],
    }


def _without_space(text: str, expanded: Expanded, start: int, end: int) -> Span:
    """Return the stretch of `text` of a token of the expanded text, without the space around it.

    Some tokenizers count the space before a word as its first part.
    """
    piece = expanded.text[start:end]
    begin = end - len(piece.lstrip())
    return Span(*expanded.origin(begin, begin + len(piece.strip())))


def _trailing(is_special: list[int]) -> int:
    """Return how many special tokens stand at the end."""
    return next((n for n, special in enumerate(reversed(is_special)) if not special), len(is_special))


def _too_long(alignment: Alignment, words: tuple[Span, ...], limit: int, specials_at_end: int) -> str:
    """Return the message for a prompt over the limit: the numbers, the words that would be cut off, and the remedy."""
    first_lost = limit - specials_at_end
    lost = [word.of(alignment.text) for word in words if any(i >= first_lost for i in alignment.indices(word))]
    listed = ", ".join(lost[:_WORDS_IN_A_MESSAGE])
    more = f" and {len(lost) - _WORDS_IN_A_MESSAGE} more" if len(lost) > _WORDS_IN_A_MESSAGE else ""
    return (
        f"Expected at most {limit} tokens, got a prompt of {len(alignment.tokens)} (special tokens included). "
        f"These words fall beyond the limit: {listed}{more}. Shorten the prompt; or, if the pipeline gets "
        "prompt_embeds of several chunks, pass Prompt.parse(text, pipe.tokenizer, chunked=True)."
    )
