"""The prompt that says what is to be learnt, "a <cat1> cat and a <dog1> dog": its placeholders, nouns and captions."""

import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from heedful.errors import PromptError, PromptTooLong
from heedful.prompts import Prompt, Tokenizer
from heedful.teaching.dataset import FAR, NEAR
from heedful.teaching.settings import TeachingSettings

PLACEHOLDER = re.compile(r"<[^<>|\s]+>")
CUSTOM_DIFFUSION = "pytorch_custom_diffusion_weights"
LORA = "pytorch_lora_weights"
_EXAMPLE = '"a <cat1> cat and a <dog1> dog"'
_LONGEST = 200  # bytes, so that a file name has room for more


@dataclass(frozen=True, kw_only=True)
class NewConcept:
    """One thing to be learnt: a new word, and the class that it belongs to."""

    placeholder: str
    """As in prompts, with its brackets: `<cat1>`. The papers call it modifier token, identifier or V*."""
    noun: str
    """The class noun behind it: "cat"."""

    def __post_init__(self) -> None:
        """Raise `PromptError` if the name would make no file of its own, or no token."""
        word, name = self.placeholder, self.placeholder[1:-1]
        if not PLACEHOLDER.fullmatch(word) or not re.fullmatch(r"[\w-]+", name):
            raise PromptError(f"Expected letters, digits, - or _ inside the brackets, got {word}. Write <cat1>.")
        if name != name.lower():
            raise PromptError(
                f"Expected a placeholder in lower case, got {word}: tokenizers do not tell {word} from {word.lower()}. "
                f"Write {word.lower()}."
            )
        if name in (CUSTOM_DIFFUSION, LORA):
            raise PromptError(f"Expected a placeholder that is no file of weights, got {word}. Write <cat1>.")
        if len(name.encode()) > _LONGEST:
            raise PromptError(
                f"Expected a placeholder of at most {_LONGEST} bytes, which names a file, got {len(name.encode())}: "
                f"{word[:20]}... Write <cat1>."
            )

    @property
    def name(self) -> str:
        """The placeholder without its brackets, as in file names."""
        return self.placeholder[1:-1]

    def tokens(self, vectors: int) -> tuple[str, ...]:
        """Return the tokens of a placeholder of several vectors, as diffusers numbers them: `<cat>`, `<cat>_1`."""
        return (self.placeholder, *(f"{self.placeholder}_{number}" for number in range(1, vectors)))


def new_concepts(text: str, tokenizer: Tokenizer) -> tuple[NewConcept, ...]:
    """Return what `text` asks to learn: each placeholder with the noun that it stands before, in order.

    Raises `PromptError` if there is no placeholder, if one stands twice or before no noun, or if its name would make no
    file or token of its own.
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
    return tuple(NewConcept(placeholder=word, noun=nouns[word]) for word in written)


def named(caption: str, concepts: Sequence[NewConcept]) -> tuple[NewConcept, ...]:
    """Return those of `concepts` whose placeholders stand in a caption."""
    there = set(PLACEHOLDER.findall(caption))
    return tuple(concept for concept in concepts if concept.placeholder in there)


def class_prompt(text: str) -> str:
    """Return `text` without its placeholders: what class images show."""
    return " ".join(PLACEHOLDER.sub(" ", text).split())


def taught_tokenizer(tokenizer: Any, concepts: Sequence[NewConcept], num_vectors: int) -> Any:
    """Return a copy of `tokenizer` that knows the new words."""
    known = deepcopy(tokenizer)
    known.add_tokens([token for concept in concepts for token in concept.tokens(num_vectors)])
    return known


def check_captions(prompt: str, tokenizer: Any, settings: TeachingSettings) -> None:
    """Raise `PromptError` if `prompt` cannot be read, also where captions say a scale before it.

    The tokenizer must know the new words; it is that of the first text encoder, where no pipeline is at hand.
    """
    Prompt.parse(prompt, tokenizer)
    _check_scales(prompt, lambda text: Prompt.parse(text, tokenizer), settings)


def check_lesson(
    captions: Iterable[str], read: Callable[[str], Prompt], concepts: Sequence[NewConcept], settings: TeachingSettings
) -> None:
    """Raise `PromptError` if a caption cannot be read or learns nothing, also where captions say a scale.

    `read` must know the new words.
    """
    for caption in dict.fromkeys(captions):
        prompt = read(caption)
        _check_words(caption, prompt, concepts)
        _check_scales(caption, read, settings)


def _check_words(caption: str, prompt: Prompt, concepts: Sequence[NewConcept]) -> None:
    """Raise `PromptError` unless a caption has placeholders, each of them known and before its own noun."""
    nouns = {concept.placeholder: concept.noun for concept in concepts}
    there = PLACEHOLDER.findall(caption)
    if not there or not nouns.keys() >= set(there):
        other = next((word for word in there if word not in nouns), None)
        raise PromptError(
            f"Expected captions with the placeholders that are learnt ({', '.join(nouns)}), got {caption!r}"
            f"{'' if other is None else f', which has {other}'}. Write the placeholder before its noun in the caption, "
            "or show the image without a caption of its own."
        )
    said = {modifier.text: each.noun for each in prompt.concepts for modifier in each.modifiers}
    for word in there:
        if said.get(word) != nouns[word]:
            raise PromptError(f"Expected {word} before {nouns[word]!r}, its noun, in the caption {caption!r}.")


def _check_scales(prompt: str, read: Callable[[str], Prompt], settings: TeachingSettings) -> None:
    if settings.augmentation != "custom-diffusion" or not settings.say_scale:
        return
    for words in FAR + NEAR:
        try:
            read(f"{words} {prompt}")
        except PromptTooLong as reason:
            raise PromptTooLong(
                f"Expected a prompt that leaves room for {words!r} before it, which tells the scale of an augmented "
                f"image (say_scale), got {prompt!r}. Shorten it, or mirror the images alone: augmentation 'flip'."
            ) from reason


def check_placeholders(text: str, tokenizer: Any) -> None:
    """Raise `PromptError` if `text` has a placeholder that the tokenizer does not know: it would be read as noise."""
    known = [word for word in getattr(tokenizer, "added_tokens_encoder", {}) if PLACEHOLDER.fullmatch(word)]
    unknown = [word for word in PLACEHOLDER.findall(text) if word not in tokenizer.get_vocab()]
    if unknown:
        raise PromptError(
            f"Expected placeholders that this model was taught ({', '.join(known) or 'none'}), got {unknown[0]} in "
            f"{text!r}. Write one of those, or load the folder that taught it."
        )
