"""The prompt that says which words of a picture are to be learnt: "a <cat1> cat and a <dog1> dog".

Knows placeholders and the nouns behind them. Knows no model, and no training.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from heedful.errors import PromptError
from heedful.prompts import Prompt, Tokenizer

PLACEHOLDER = re.compile(r"<[^<>|\s]+>")
_EXAMPLE = '"a <cat1> cat and a <dog1> dog"'


@dataclass(frozen=True, kw_only=True)
class NewConcept:
    """One thing to be learnt: a word that nobody has used yet, and the class that it belongs to."""

    placeholder: str
    """As in prompts, with its brackets: `<cat1>`. The papers call it modifier token, identifier or V*."""
    noun: str
    """The class noun behind it: "cat"."""

    @property
    def name(self) -> str:
        """The placeholder without its brackets, as in file names."""
        return self.placeholder[1:-1]


def new_concepts(text: str, tokenizer: Tokenizer) -> tuple[NewConcept, ...]:
    """Return what `text` asks to learn: each placeholder with the noun that it stands before, in order.

    Raises `PromptError` if there is no placeholder, if one stands twice or before no noun, or if its name would make no
    file name.
    """
    written = PLACEHOLDER.findall(text)
    if not written:
        raise PromptError(
            f"Expected placeholders in angle brackets before the nouns to be learnt, got {text!r}. Write {_EXAMPLE}."
        )
    repeated = sorted({word for word in written if written.count(word) > 1})
    if repeated:
        raise PromptError(f"Expected each placeholder once, got {', '.join(repeated)} several times in {text!r}.")
    prompt = Prompt.parse(text, tokenizer, chunked=True)  # a placeholder that is no token yet may be many pieces
    nouns = {modifier.text: concept.noun for concept in prompt.concepts for modifier in concept.modifiers}
    for word in written:
        if word not in nouns:
            raise PromptError(
                f"Expected a noun after {word}, the class that it belongs to, in {text!r}. See {_EXAMPLE}."
            )
        if not re.fullmatch(r"[\w-]+", word[1:-1]):
            raise PromptError(f"Expected letters, digits, - or _ inside the brackets, got {word}. Write <cat1>.")
    return tuple(NewConcept(placeholder=word, noun=nouns[word]) for word in written)


def class_prompt(text: str) -> str:
    """Return `text` without its placeholders: what the model is asked for when it should keep what it knew."""
    return " ".join(PLACEHOLDER.sub(" ", text).split())


def taught_prompt(text: str, tokenizer: Tokenizer, concepts: Sequence[NewConcept]) -> Prompt:
    """Return the parsed `text` with those concepts alone that are learnt; the tokenizer must know the placeholders."""
    learnt = {concept.placeholder for concept in concepts}
    prompt = Prompt.parse(text, tokenizer)
    taught = (each for each in prompt.concepts if learnt & {modifier.text for modifier in each.modifiers})
    return replace(prompt, concepts=tuple(taught))


def check_placeholders(text: str, tokenizer: Any) -> None:
    """Raise `PromptError` if `text` has a placeholder that the tokenizer does not know: it would be read as noise."""
    known = [word for word in getattr(tokenizer, "added_tokens_encoder", {}) if PLACEHOLDER.fullmatch(word)]
    unknown = [word for word in PLACEHOLDER.findall(text) if word not in tokenizer.get_vocab()]
    if unknown:
        taught = [word for word in known if "|" not in word and not re.fullmatch(r"<[^>]+>_\d+", word)]
        raise PromptError(
            f"Expected placeholders that this model was taught ({', '.join(taught) or 'none'}), got {unknown[0]} in "
            f"{text!r}. Write one of those, or load the folder of taught concepts that has it."
        )
