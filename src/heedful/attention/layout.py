"""What a family of denoisers tells heedful, so that its attention can be read, as one frozen object.

The families themselves are in `unets` and `transformers`.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from heedful.attention.sites import Site, SiteSelection, Size
from heedful.prompts import Prompt
from heedful.shapes import Latents


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


TextPlace = Literal["keys", "after image", "before image"]
"""Where a site's text is: it alone is looked at (cross-attention), or it stands after or before the image's own
positions in one sequence in which all look at all (joint attention)."""

GuidanceRows = Literal["doubled", "tripled", "apart"]
"""How classifier-free guidance is asked for. "doubled": in one call, rows without the condition before those with it.
"tripled": in one call, rows with text and image, with the image alone, with neither. "apart": by a second call in the
same step, after the one with the condition."""


@dataclass(frozen=True)
class Layout:
    """One family of denoisers."""

    name: str
    denoisers: tuple[type[nn.Module], ...]
    """Classes of this family."""
    find_sites: Callable[[Any], tuple[Site, ...]]
    """Returns the sites of a denoiser in the order in which its forward passes them."""
    latents: str
    """The argument of the denoiser's forward that holds the latents: (batch, channel, height, width), unless packed."""
    text: str
    """The argument that holds the encoded text: (batch, token, width)."""
    read_prompt: Callable[[Any, str, Sequence[str] | None], Prompt]
    """(pipeline, text, concepts) -> the prompt as the pipeline's text encoders read it, with its concepts."""
    prompt_arguments: tuple[str, ...] = ("prompt",)
    """The arguments of the pipeline's `encode_prompt` whose tokens the denoiser sees; one that is None is `prompt`."""
    rewritten: Callable[[Any, str, bool], str] | None = None
    """(pipeline, text, clean_caption) -> the text that its tokenizer gets; None if it gets the text as it is."""
    text_place: TextPlace = "keys"
    packed_size: Callable[[dict[str, Any]], Size] | None = None
    """For denoisers that take latents as (batch, cell, channel): returns height and width in cells."""
    guidance: GuidanceRows = "doubled"
    """How its pipelines ask for the unconditional prediction; some pipelines differ from their family (`batching`)."""
    residuals: tuple[str, ...] = ()
    """Arguments that a ControlNet computes again for each step."""
    times: float = 1.0
    """The scheduler's timestep over what the pipeline tells the denoiser."""
    usual_sites: SiteSelection | None = None
    """The sites that are read where a method's published ones, which are those of U-Nets, do not exist."""

    def arguments(self, denoiser: nn.Module, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of one call of `denoiser`, all by name, those that came by position first."""
        bound = inspect.signature(type(denoiser).forward).bind(denoiser, *args, **kwargs).arguments
        return {name: value for name, value in bound.items() if value is not denoiser}

    def latents_size(self, arguments: dict[str, Any]) -> Size:
        """Return height and width of the latents in `arguments`, in cells."""
        if self.packed_size is not None:
            return self.packed_size(arguments)
        latents: Tensor = arguments[self.latents]
        return latents.shape[-2], latents.shape[-1]

    def text_length(self, arguments: dict[str, Any]) -> int:
        """Return the number of text tokens, padding included."""
        text: Tensor = arguments[self.text]
        return text.shape[1]

    def unpack(self, latents: Tensor, size: Size) -> Latents:
        """Return latents as the denoiser takes them as (batch, channel, height, width)."""
        return latents if self.packed_size is None else latents.mT.unflatten(-1, size)

    def pack(self, latents: Latents) -> Tensor:
        """Return latents as the denoiser takes them: the reverse of `unpack`."""
        return latents if self.packed_size is None else latents.flatten(-2).mT


def by_position(forward: Callable[..., Any], count: int) -> Callable[..., Any]:
    """Return `forward` for arguments that are all given by name; the first `count` of them are passed by position.

    So a wrapper that somebody put around the denoiser's forward sees the arguments as the pipeline passes them.
    """

    def call(**arguments: Any) -> Any:
        names = list(arguments)
        rest = {name: arguments[name] for name in names[count:]}
        return forward(*(arguments[name] for name in names[:count]), **rest)

    return call if count else forward
