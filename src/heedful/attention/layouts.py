"""Where image and text sit in a denoiser, one frozen object per family of denoisers.

Knows, for each family, which modules let image positions look at text tokens, and under which names the latents and
the text reach the denoiser. Knows nothing of reading (`tap`) or of choosing (`sites`). A new family is one more object
in `LAYOUTS`.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from heedful.attention.sites import Block, Site, Size
from heedful.errors import UnsupportedPipeline


@dataclass(frozen=True)
class Layout:
    """One family of denoisers."""

    name: str
    denoisers: tuple[type[nn.Module], ...]
    """Classes of this family."""
    find_sites: Callable[[Any], tuple[Site, ...]]
    """Returns the sites of a denoiser in the order in which its forward passes them."""
    latents: str
    """The argument of the denoiser's forward that holds the latents: (batch, channel, height, width)."""
    text: str
    """The argument that holds the encoded text: (batch, token, width)."""

    def arguments(self, denoiser: nn.Module, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of one call of `denoiser`, all by name."""
        bound = inspect.signature(type(denoiser).forward).bind(denoiser, *args, **kwargs).arguments
        return {name: value for name, value in bound.items() if value is not denoiser}

    def latents_size(self, arguments: dict[str, Any]) -> Size:
        """Return height and width of the latents in `arguments`."""
        latents: Tensor = arguments[self.latents]
        return latents.shape[-2], latents.shape[-1]

    def text_length(self, arguments: dict[str, Any]) -> int:
        """Return the number of text tokens, padding included."""
        text: Tensor = arguments[self.text]
        return text.shape[1]


def _unet_sites(unet: Any) -> tuple[Site, ...]:
    """Return the cross-attention sites of a U-Net: its keys are the text, its queries are the image."""
    found: list[Site] = []
    for path, block, scale, part in _unet_parts(unet):
        modules = dict(part.named_modules())
        for name, module in modules.items():
            if isinstance(module, Attention) and module.is_cross_attention and module.added_kv_proj_dim is None:
                beside = name.removesuffix("attn2") + "attn1"  # its neighbour in a transformer block, which runs before
                neighbour = modules.get(beside)
                has_own = isinstance(neighbour, Attention) and not neighbour.is_cross_attention
                found.append(Site(f"{path}.{name}", block, scale, f"{path}.{beside}" if has_own else None))
    return tuple(found)


def _unet_parts(unet: Any) -> Iterator[tuple[str, Block, int, nn.Module]]:
    """Yield name, block and scale of the U-Net's parts in the order of its forward.

    A block's sites stand before its downsampler and before its upsampler.
    """
    scale = 1
    for index, part in enumerate(unet.down_blocks):
        yield f"down_blocks.{index}", "down", scale, part
        scale *= 1 if part.downsamplers is None else 2
    if unet.mid_block is not None:
        yield "mid_block", "mid", scale, unet.mid_block
    for index, part in enumerate(unet.up_blocks):
        yield f"up_blocks.{index}", "up", scale, part
        scale //= 1 if part.upsamplers is None else 2


CROSS_ATTENTION_UNET = Layout(
    name="U-Net with cross-attention (Stable Diffusion 1 and 2, SDXL)",
    denoisers=(UNet2DConditionModel,),
    find_sites=_unet_sites,
    latents="sample",
    text="encoder_hidden_states",
)

LAYOUTS = (CROSS_ATTENTION_UNET,)


def find_denoiser(pipe: Any) -> nn.Module | None:
    """Return the U-Net or transformer of a pipeline, or None if it has neither."""
    # compared with None: whether a compiled module is true cannot be asked
    parts = (getattr(pipe, name, None) for name in ("unet", "transformer"))
    return next((part for part in parts if part is not None), None)


def layout_of(denoiser: nn.Module) -> Layout:
    """Return the layout of `denoiser`; raises `UnsupportedPipeline` for a family that heedful does not know."""
    for layout in LAYOUTS:
        if isinstance(denoiser, layout.denoisers):
            return layout
    known = "; ".join(layout.name for layout in LAYOUTS)
    raise UnsupportedPipeline(
        f"Expected a denoiser of a family whose attention heedful can read ({known}), got {type(denoiser).__name__}. "
        "Use a pipeline with such a denoiser, and pass it uncompiled."
    )


def find_sites(denoiser: nn.Module) -> tuple[Site, ...]:
    """Return every site of `denoiser` in the order in which its forward passes them.

    Raises `UnsupportedPipeline` for a family that heedful does not know.
    """
    return layout_of(denoiser).find_sites(denoiser)
