"""What a family of denoisers tells heedful, so that its attention can be read, as one frozen object.

The families themselves are in `unets`, `transformers`, `two_streams` and `one_stream`.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from heedful.attention.latent_forms import Form, LatentForm
from heedful.attention.sequences import Sequences, TextPlace
from heedful.attention.sites import Site, SiteSelection, Size
from heedful.attention.usual_sites import Usual, usual_sites
from heedful.errors import SettingsError
from heedful.prompts import Prompt


@runtime_checkable
class Scheduler(Protocol):
    """What is needed of a scheduler of diffusers."""

    @property
    def timesteps(self) -> Tensor:
        """The timesteps of a run, one per step."""
        ...

    def set_timesteps(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a run."""
        ...

    def step(self, *args: Any, **kwargs: Any) -> Any:
        """Go on to the next timestep, given the denoiser's prediction."""
        ...


@runtime_checkable
class Pipeline(Protocol):
    """What is needed of a pipeline of diffusers, in addition to a denoiser among its modules (`find_denoiser`).

    It need not be callable: the parts of a loop of one's own can be guided too.
    """

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler whose `step` is replaced while images are steered."""
        ...


GuidanceRows = Literal["doubled", "condition first", "tripled", "apart"]
"""How classifier-free guidance is asked for. "doubled": in one call, rows without the condition before those with it;
"condition first": those with it before. "tripled": in one call, rows with text and image, with the image alone, with
neither. "apart": by a second call in the same step, after the one with the condition."""

ReadPrompt = Callable[[Any, str, Sequence[str] | None, Mapping[str, Any]], Prompt]
"""(pipeline, text, concepts, options) -> the prompt as the pipeline's text encoders read it, with its concepts;
`options` are those of `Layout.options` that the pipeline was called with."""


@dataclass(frozen=True)
class Layout:
    """One family of denoisers."""

    name: str
    denoisers: tuple[str, ...]
    """Names of diffusers' classes of this family."""
    find_sites: Callable[[Any], tuple[Site, ...]]
    """Returns the sites of a denoiser in the order in which its forward passes them."""
    read_prompt: ReadPrompt
    other_readings: Mapping[str, ReadPrompt] = field(default_factory=dict)
    """Pipelines, by the names of their classes, that read a prompt otherwise than `read_prompt`."""
    latents: str = "hidden_states"
    """The argument of the denoiser's forward that holds the latents, in the form `form`."""
    text: tuple[str, ...] = ("encoder_hidden_states",)
    """The arguments that hold the encoded text, each (batch, token, width), in the order in which they stand there."""
    prompt_arguments: tuple[str, ...] = ("prompt",)
    """The arguments of the pipeline's `encode_prompt` whose tokens the denoiser sees; one that is None is `prompt`."""
    options: tuple[str, ...] = ()
    """Arguments of the pipeline's `encode_prompt` that change which tokens a prompt has."""
    rewritten: Callable[[Any, str, bool], str] | None = None
    """(pipeline, text, clean_caption) -> the text that its tokenizer gets; None if it gets the text as it is."""
    text_place: TextPlace = "keys"
    registers: str | None = None
    """A parameter of the denoiser whose tokens, (1, token, width), stand before the text in joint attention."""
    multiple: int = 1
    """Image and text are padded to a multiple of so many positions each."""
    text_end: Callable[[dict[str, Any], int], int] | None = None
    """(arguments, row) -> the position after the last token of a row's text; None if the text fills its argument."""
    text_shift: Callable[[dict[str, Any], int], int] | None = None
    """(arguments, row) -> how many tokens of another encoder stand before those of the prompt; None if none do."""
    is_ragged: bool = False
    """Whether the image follows at once upon each row's own text, whatever the padding of the others."""
    form: LatentForm = "grid"
    packed_size: Callable[[dict[str, Any]], Size] | None = None
    """For packed latents: returns height and width of the image that is made, in cells."""
    channels: str = "out_channels"
    """The number in the denoiser's config that says how many channels latents have, where its input has more."""
    row_lists: tuple[str, ...] = ()
    """Arguments that are lists with an item for each row, where they have as many."""
    guidance: GuidanceRows = "doubled"
    """How its pipelines ask for the unconditional prediction; some pipelines differ from their family (`batching`)."""
    residuals: tuple[str, ...] = ()
    """Arguments that a ControlNet computes again for each step."""
    residuals_have_text: bool = False
    """Whether they hold the positions of image and text, padded behind to those of the longest row."""
    time: str = "timestep"
    """The argument that says the time."""
    times: tuple[float, float] = (0.0, 1.0)
    """The scheduler's timestep is the first of these plus the second times what the pipeline tells the denoiser."""
    sign: int = 1
    """-1 if pipelines negate the prediction before their scheduler gets it."""
    usual: tuple[Usual, ...] | None = ()
    """The blocks that are read where a method's published sites, which are those of U-Nets, do not exist; empty if
    nobody has published any, None for U-Nets."""

    def arguments(self, denoiser: nn.Module, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of one call of `denoiser`, all by name, those that came by position first."""
        bound = inspect.signature(type(denoiser).forward).bind(denoiser, *args, **kwargs).arguments
        return {name: value for name, value in bound.items() if value is not denoiser}

    def read(self, pipe: object, text: str, concepts: Sequence[str] | None, options: Mapping[str, Any]) -> Prompt:
        """Return the prompt `text` with its concepts as `pipe` reads it; raises what `Prompt.parse` raises."""
        names = (kind.__name__ for kind in type(pipe).__mro__)
        own = next((self.other_readings[name] for name in names if name in self.other_readings), self.read_prompt)
        return own(pipe, text, concepts, options)

    @property
    def grid(self) -> Form:
        """How latents become a grid."""
        return Form(self.form)

    def rows(self, arguments: dict[str, Any]) -> int:
        """Return how many rows a call has."""
        return len(arguments[self.latents])

    def latents_size(self, arguments: dict[str, Any]) -> Size:
        """Return height and width of the latents in `arguments`, in cells."""
        if self.packed_size is not None:
            return self.packed_size(arguments)
        return self.grid.size(arguments[self.latents])

    def frames(self, arguments: dict[str, Any]) -> int:
        """Return how many frames stand one below the other in the maps; 1 for images."""
        return self.grid.frames(arguments[self.latents])

    def latent_channels(self, denoiser: Any) -> int:
        """Return how many channels latents have: an inpainting denoiser takes more, PixArt's predicts more."""
        taken: int = denoiser.config.in_channels
        return min(taken, getattr(denoiser.config, self.channels, None) or taken)

    def text_length(self, arguments: dict[str, Any]) -> int:
        """Return the number of text tokens, padding included."""
        present = (arguments.get(name) for name in self.text)
        return sum(self._length(text) for text in present if text is not None)

    def timestep(self, arguments: dict[str, Any]) -> float:
        """Return the scheduler's timestep, which pipelines pass as a number, a scalar or one for each row."""
        passed = arguments[self.time]
        first, factor = self.times
        return first + factor * (float(passed.flatten()[0]) if isinstance(passed, Tensor) else float(passed))

    def end_of_text(self, arguments: dict[str, Any], row: int) -> int:
        """Return the position after the last token of a row's text."""
        return self.text_length(arguments) if self.text_end is None else self.text_end(arguments, row)

    def placed(self, prompt: Prompt, arguments: dict[str, Any], row: int) -> Prompt:
        """Return `prompt` with its tokens where they stand in the text of `row`.

        Raises `SettingsError` if the pipeline has cut off its beginning or a concept, or masks a concept.
        """
        by = 0 if self.text_shift is None else self.text_shift(arguments, row)
        if prompt.from_end:
            by += self.end_of_text(arguments, row) - len(prompt.tokens)
        if by < 0:
            raise SettingsError(
                f"Expected the {len(prompt.tokens)} tokens of {prompt.text!r} among those that the denoiser reads, got "
                f"{-by} fewer. Shorten the prompt, or raise the pipeline's max_sequence_length."
            )
        placed = prompt.shifted(by) if by or prompt.from_end else prompt
        last = max((index for concept in placed.concepts for index in concept.token_indices), default=0)
        end = self.end_of_text(arguments, row)
        if last >= end and self.text_end is None:
            raise SettingsError(
                f"Expected the tokens of each concept of {prompt.text!r} among the {end} that the denoiser reads, got "
                f"token {last}. Shorten the prompt, or raise the pipeline's max_sequence_length."
            )
        if last >= end:
            raise SettingsError(
                f"Expected {prompt.text!r} to be shown to the denoiser as a whole, got a mask that ends before token "
                f"{last}. Some pipelines of diffusers give the images of several prompts the masks of other prompts: "
                "call the pipeline for one prompt at a time, or raise its max_sequence_length."
            )
        return placed

    def sequences(self, denoiser: Any, arguments: dict[str, Any], site: Site) -> Sequences:
        """Return where image and text stand in what the attention `site` looks at."""
        cells = prod(site.map_size(self.latents_size(arguments)))
        all_cells = self.grid.positions(arguments[self.latents]) or cells
        rows = range(self.rows(arguments)) if self.is_ragged else ()
        return Sequences(
            self.text_place,
            cells=cells,
            all_cells=self._padded(all_cells),
            tokens=self.text_length(arguments),
            registers=0 if self.registers is None else denoiser.get_parameter(self.registers).shape[1],
            row_tokens=tuple(self.end_of_text(arguments, row) for row in rows),
        )

    def usual_sites(self, denoiser: Any) -> SiteSelection | None:
        """Return the sites of `denoiser` that are read unless others are asked for; None where published ones exist."""
        return None if self.usual is None else usual_sites(self.usual, self.find_sites(denoiser))

    @property
    def shows_words(self) -> bool:
        """Whether rows of the text can be read, which say where each word looks in the image."""
        return self.text_place != "keys" and not self.is_ragged

    def _length(self, text: Any) -> int:
        """Return the number of tokens in one argument, the longest row's if it is a list."""
        length = text.shape[1] if isinstance(text, Tensor) else max(len(row) for row in text)
        return self._padded(length)

    def _padded(self, length: int) -> int:
        return -(-length // self.multiple) * self.multiple


def by_position(forward: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Return `forward` for arguments that are all given by name; the first `count` of them are passed by position.

    So a wrapper that somebody put around the denoiser's forward sees the arguments as the pipeline passes them.
    """

    def call(**arguments: Any) -> Any:
        names = list(arguments)
        rest = {name: arguments[name] for name in names[count:]}
        return forward(*(arguments[name] for name in names[:count]), **rest)

    return call if count else forward
