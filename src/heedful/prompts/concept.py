"""A prompt, its concepts, and where they are among the tokens.

Concepts come from one of three sources: the user's list, the user's marks, or the phrases of the text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from heedful.errors import ConceptNotFound, PromptError
from heedful.prompts.marks import joined_words, take_marks, unjoin
from heedful.prompts.syntax import Phrase, grounds_by_rules, phrases_by_rules, strip_determiners
from heedful.prompts.template import NO_TEMPLATE, Template
from heedful.prompts.tokens import Alignment, Span, Tokenizer, align, find_words


@dataclass(frozen=True)
class Modifier:
    """An attribute of one concept: "blue" in "a blue clock"."""

    text: str
    """As written in the prompt."""
    token_indices: tuple[int, ...]
    """Its tokens by their position in the padded sequence."""


@dataclass(frozen=True)
class Concept:
    """A thing that the image should show, and the tokens that stand for it."""

    name: str
    """As the user wrote it, or as it stands in the prompt without its article: "blue clock"."""
    noun: str
    """The word (or joined words) that the modifiers belong to: "clock"."""
    token_indices: tuple[int, ...]
    """The noun's tokens by their position in the padded sequence; where there is a start token, it has index 0."""
    modifiers: tuple[Modifier, ...] = ()
    """In the order of the prompt."""

    @property
    def phrase(self) -> tuple[int, ...]:
        """The tokens of the noun and of its modifiers, each once, in the order of the prompt."""
        return tuple(sorted({index for part in (self, *self.modifiers) for index in part.token_indices}))

    @property
    def written(self) -> str:
        """It as a user lists it: modifiers first, a noun of several words joined by `+`."""
        return " ".join([*(modifier.text for modifier in self.modifiers), self.noun.replace(" ", "+")])

    @property
    def spoken(self) -> tuple[int, ...]:
        """The tokens of its modifiers, then those of its noun: in the order of `written`."""
        return tuple(index for part in (*self.modifiers, self) for index in part.token_indices)


@dataclass(frozen=True)
class Prompt:
    """A text, its tokens and its concepts. Make one with `Prompt.parse`."""

    text: str
    """What the text encoder reads: the prompt without marks."""
    tokens: tuple[str, ...]
    """Readable tokens with the start and end token or those of a template, without padding."""
    concepts: tuple[Concept, ...]
    """In the order in which they were asked for, or in the order of the prompt."""
    unknown: tuple[str, ...] = ()
    """Words that the tokenizer does not know, so that the model cannot show them. Always empty with CLIP's own."""
    has_start: bool = True
    """Whether the first token is a start token, as with CLIP; T5 has none."""
    before: int = 1
    """How many of its tokens stand before those of the text."""
    after: int = 1
    """How many of its tokens stand after those of the text."""
    from_end: bool = False
    """Whether padding, or anything else of unknown length, stands before its tokens, so that indices count from the
    first of them until `shifted` says where that is."""
    scenery: tuple[int, ...] = ()
    """The tokens of the phrases that are no concept: of a background, and of what a list or marks leave out."""
    weighted: str = ""
    """The prompt as it was written with weights, without marks; empty if no word has one. The pipeline then gets
    embeddings in place of the text."""

    @classmethod
    def parse(
        cls,
        text: str,
        tokenizer: Tokenizer,
        concepts: Sequence[str] | None = None,
        *,
        syntax: Callable[[str], Sequence[Phrase]] = phrases_by_rules,
        template: Template = NO_TEMPLATE,
        chunked: bool = False,
    ) -> "Prompt":
        """Return the prompt `text` as `tokenizer` cuts it, with its concepts.

        The concepts are, in this order of precedence: the list `concepts`, whose words must stand in the prompt; the
        words that are `[marked]` in the text; the phrases that `syntax` finds (small rules for English; pass a
        `heedful.prompts.SpacyPhrases` to use spaCy, which is never used unasked). A concept that is listed or marked
        has exactly the modifiers that are written with it: its last word is the noun, those before it modify it, and
        `+` joins words into one noun, as in "blue teddy+bear". Words match whole and in any case; the same word
        twice in the list means its first and its second occurrence. `template` is what the pipeline writes around the
        text. With `chunked`, a text may be longer than the text
        encoder reads at once, and stands in chunks with a start and an end token each, as tools for long prompts encode
        it into `prompt_embeds`.

        Raises `EmptyPrompt`, `PromptTooLong`, `ConceptNotFound`, or `PromptError` for marks that do not close.
        """
        check_concepts(concepts)
        plain, marks = take_marks(text)
        alignment = align(plain, tokenizer, template=template, chunked=chunked)
        if concepts is not None:
            phrases = _asked(plain, concepts)
        elif marks:
            phrases = [_marked(plain, span, written) for span, written in marks]
        else:
            phrases = list(syntax(plain))
        found = tuple(_concept(phrase, alignment) for phrase in phrases)
        asked = {index for concept in found for index in concept.phrase}
        rest = {i for phrase in (*syntax(plain), *grounds_by_rules(plain)) for i in _indices(phrase, alignment)}
        is_padded_before = getattr(tokenizer, "padding_side", "right") == "left"
        return cls(
            plain,
            alignment.tokens,
            found,
            _unknown_words(alignment),
            alignment.has_start and not is_padded_before,
            alignment.before,
            alignment.after,
            template.from_end or is_padded_before,
            tuple(sorted(rest - asked)),
        )

    def beside(self, other: "Prompt", shift: int) -> "Prompt":
        """Return this prompt with the tokens that another tokenizer made of the same text, `shift` positions on.

        Each concept, and each modifier, then has the tokens of both.
        """
        return self._with_tokens(
            [
                [*mine, *(shift + index for index in theirs)]
                for mine, theirs in zip(self._tokens(), other._tokens(), strict=True)
            ]
        )

    def within(self, limit: int) -> "Prompt":
        """Return this prompt as a text encoder reads it that cuts off all but the first `limit` tokens.

        A concept or modifier that is not whole among them has no tokens there.
        """
        cut = self._with_tokens([own if max(own, default=0) < limit else () for own in self._tokens()])
        return replace(cut, tokens=self.tokens[:limit])

    def shifted(self, by: int) -> "Prompt":
        """Return this prompt with `by` tokens of something else before its own: padding, or another encoder's."""
        moved = self._with_tokens([[index + by for index in own] for own in self._tokens()])
        has_start = self.has_start and by == 0
        tokens = ("",) * by + self.tokens
        return replace(moved, tokens=tokens, has_start=has_start, before=self.before + by, from_end=False)

    def _tokens(self) -> list[tuple[int, ...]]:
        """Return the tokens of each concept and, after it, of each of its modifiers; those of the scenery come last."""
        parts = [part.token_indices for concept in self.concepts for part in (concept, *concept.modifiers)]
        return [*parts, self.scenery]

    def _with_tokens(self, tokens: Sequence[Sequence[int]]) -> "Prompt":
        """Return this prompt with other tokens for its concepts, modifiers and scenery, in the order of `_tokens`."""
        rest = iter(tokens)
        concepts = tuple(
            replace(
                concept,
                token_indices=tuple(next(rest)),
                modifiers=tuple(replace(modifier, token_indices=tuple(next(rest))) for modifier in concept.modifiers),
            )
            for concept in self.concepts
        )
        return replace(self, concepts=concepts, scenery=tuple(next(rest)))

    @property
    def first(self) -> int:
        """The index of the first token of the text."""
        return self.before

    @property
    def end(self) -> int:
        """The index after the last token of the text: that of the end token, where there is one."""
        return len(self.tokens) - self.after

    @property
    def reach(self) -> int:
        """How many positions of the padded sequence hold all of its tokens, those of a second encoder included."""
        return max((len(self.tokens) - 1, *(index for concept in self.concepts for index in concept.token_indices))) + 1

    def words(self) -> tuple[str, ...]:
        """Return the words of the text in order, each once (in any case) and as first written."""
        return _words(self.text)


def check_concepts(concepts: object) -> None:
    """Raise `PromptError` unless `concepts` are None or texts in an order, which a set does not have."""
    if isinstance(concepts, str):
        raise PromptError(f"Expected a list of concepts, got the text {concepts!r}. Pass concepts=[{concepts!r}].")
    is_list = isinstance(concepts, Sequence) and all(isinstance(name, str) for name in concepts)
    if concepts is not None and not is_list:
        raise PromptError(f"Expected a list of concepts, each a text, got {concepts!r}. Pass concepts=['cat'].")


def _words(text: str) -> tuple[str, ...]:
    """Return the words of `text` in order, each once, without the possessive 's."""
    words = (span.of(text) for span in find_words(text))
    seen: dict[str, str] = {}
    for word in words:
        if word[0] not in "'’":
            seen.setdefault(word.casefold(), word)
    return tuple(seen.values())


def _asked(text: str, names: Sequence[str]) -> list[Phrase]:
    """Find each of `names` in `text`, in the order of `names`; raises `ConceptNotFound`.

    Longer names choose first, so that in "a blue cat and a cat" the names ["cat", "blue cat"] both find their own.
    """
    words = find_words(text)
    folded = [word.of(text).casefold() for word in words]
    is_taken = [False] * len(words)
    wanted = [_fold(name) for name in names]
    phrases: dict[int, Phrase] = {}
    for order in sorted(range(len(names)), key=lambda i: -len(wanted[i])):
        want, size = wanted[order], len(wanted[order])
        starts = [i for i in range(len(words) - size + 1) if size and folded[i : i + size] == want]
        start = next((i for i in starts if not any(is_taken[i : i + size])), None)
        if start is None:
            raise _not_found(names[order], text, occurrences=len(starts))
        is_taken[start : start + size] = [True] * size
        phrases[order] = _phrase(text, words[start : start + size], names[order])
    return [phrases[order] for order in range(len(names))]


def _marked(text: str, span: Span, written: str) -> Phrase:
    """Return the phrase that was marked at `span` and `written` inside the brackets."""
    words = [word for word in find_words(text) if span.start <= word.start and word.end <= span.end]
    if not words:
        raise PromptError(f"Expected words inside the marks, got [{written}]. Mark a word of the prompt: a [cube].")
    return _phrase(text, words, written)


def _phrase(text: str, words: Sequence[Span], written: str) -> Phrase:
    """Return the words of one listed or marked concept as a phrase: modifiers first, the noun (with its `+`) last."""
    nouns = min(joined_words(written), len(words))
    kept = strip_determiners(text, words[:-nouns])
    return Phrase(
        name=" ".join(unjoin(written).split()),
        noun=Span(words[-nouns].start, words[-1].end),
        modifiers=tuple(kept),
    )


def _concept(phrase: Phrase, alignment: Alignment) -> Concept:
    """Return the concept that `phrase` stands for, with token indices; raises `ConceptNotFound` if it has no token."""
    noun = phrase.noun.of(alignment.text)
    indices = alignment.indices(phrase.noun)
    if not indices:
        raise ConceptNotFound(
            f"Expected tokens for the concept {noun!r}, but the tokenizer drops it. Use another word."
        )
    modifiers = (Modifier(span.of(alignment.text), alignment.indices(span)) for span in phrase.modifiers)
    return Concept(phrase.name, " ".join(noun.split()), indices, tuple(m for m in modifiers if m.token_indices))


def _indices(phrase: Phrase, alignment: Alignment) -> Iterator[int]:
    """Return the tokens of the words of a phrase."""
    return (index for span in (*phrase.modifiers, phrase.noun) for index in alignment.indices(span))


def _unknown_words(alignment: Alignment) -> tuple[str, ...]:
    """Return the words that hold a token the tokenizer does not know."""
    unknown = set(alignment.unknown)
    words = find_words(alignment.text)
    return tuple(word.of(alignment.text) for word in words if unknown.intersection(alignment.indices(word)))


def _fold(name: str) -> list[str]:
    """Return the words of `name` in the form in which they are compared."""
    plain = unjoin(name)
    return [span.of(plain).casefold() for span in find_words(plain)]


def _not_found(name: str, text: str, occurrences: int) -> ConceptNotFound:
    """Return the error for a concept that is not in the prompt, or not as often as it was asked for."""
    words = _words(text)
    if occurrences:
        times = "once" if occurrences == 1 else f"{occurrences} times"
        return ConceptNotFound(
            f"More words are asked for than there are: {name!r} stands in the prompt {text!r} {times}. "
            "Ask for each occurrence once."
        )
    example = text[::-1].replace(words[-1][::-1], f"[{words[-1]}]"[::-1], 1)[::-1]
    return ConceptNotFound(
        f"No words match the concept {name!r} in the prompt {text!r}. Its words are: {', '.join(words)}. "
        f"Pass concepts=[...] with words of the prompt, or mark them: {example}."
    )
