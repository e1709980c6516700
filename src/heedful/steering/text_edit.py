"""An edit of the text that the denoiser sees: made once per run, before the first step, without a pass of the denoiser.

What a method edits, and by which formula, is a `TextEdit`; how a pipeline encodes texts is `clip_text`, and how the
edited text comes into the calls of a run is `edited_text`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from heedful.prompts import Prompt

TextStates = Float[Tensor, "token channel"]
"""The states that CLIP makes of one text, padding included; those of two CLIPs stand side by side in the channels."""

TextVector = Float[Tensor, "channel"]
"""One state, or the pooled embedding of a text."""


@dataclass(frozen=True, eq=False)
class Text:
    """What CLIP makes of one text, in float32."""

    states: TextStates
    pooled: Float[Tensor, "width"] | None
    """The pooled embedding; None where the denoiser sees none."""
    nouns: tuple[tuple[int, ...], ...]
    """The tokens of each concept's noun, by their position in `states`."""
    end: int
    """Position of the end token; the start token has 0, and the text is between them."""
    phrases: tuple[tuple[int, ...], ...] = ()
    """The tokens of each concept's modifiers, then those of its noun."""
    written: tuple[str, ...] = ()
    """Each concept as it is marked in a text that is to be read: "[blue clock]"."""

    def noun(self, concept: int = 0) -> TextVector:
        """Return the mean state of the tokens of a concept's noun."""
        return self.states[list(self.nouns[concept])].mean(0)

    @property
    def last(self) -> TextVector:
        """The state of the end token."""
        return self.states[self.end]


@runtime_checkable
class ReadTexts(Protocol):
    """Returns what the pipeline's text encoders make of some texts, in which nouns are marked: "a [cat]"."""

    @property
    def is_joint(self) -> bool:
        """Whether the denoiser is of Stable Diffusion 3's kind, which looks at CLIP's text and T5's in one sequence."""
        ...

    def __call__(self, texts: Sequence[str], /) -> list[Text]:
        """Return one `Text` for each."""
        ...


@dataclass(frozen=True, kw_only=True)
class TextEdit(ABC):
    """Changes what the denoiser sees of a prompt, in the rows with the condition alone.

    Subclasses are frozen dataclasses, whose fields are what they leave to be set. A prompt with fewer than two concepts
    keeps its text, and `heedful.guide` says so once. Works where CLIP reads the text: Stable Diffusion 1 and 2, SDXL,
    and of Stable Diffusion 3 the part that CLIP reads; a ControlNet reads the text as it was.
    """

    citations: ClassVar[tuple[str, ...]] = ()
    """Keys of the papers behind it, for `heedful.cite`."""

    is_optional: bool = False
    """Whether a text that cannot be edited, or in which nothing is to be edited, stays as it is. Nothing is said then
    of text encoders that are not CLIP, of texts whose words have weights, and of embeddings that were made elsewhere,
    from which an edit would take what was put into them; `heedful.guide` says once that a text has several chunks, or
    two forms."""

    @abstractmethod
    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        """Return `text`, of the same shapes, with other states or another pooled embedding.

        `nouns` are those of its concepts, as they are written, without the modifiers that `Text.written` has before
        them; `read` encodes further texts.
        """

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return why the text of `prompt` is not edited; empty if it is."""
        if len(prompt.concepts) >= 2:
            return ()
        names = ", ".join(repr(concept.name) for concept in prompt.concepts) or "none"
        return (f"{type(self).__name__} needs two concepts, and {prompt.text!r} has {names}: its text stays as it is.",)


def marked(noun: str) -> str:
    """Return a noun as it is marked in a text that is to be read: "[teddy+bear]" for "teddy bear"."""
    return f"[{'+'.join(noun.split())}]"
