"""U-Nets whose image positions look at text in cross-attention: Stable Diffusion 1 and 2, SDXL.

Where their cross-attention is, and which text it looks at.
"""

from collections.abc import Iterator
from typing import Any

from diffusers.models.attention_processor import Attention
from torch import nn

from heedful.attention.layout import Layout
from heedful.attention.sites import Block, Site
from heedful.attention.texts import reader


def _unet_sites(unet: Any) -> tuple[Site, ...]:
    """Return the cross-attention sites of a U-Net: its keys are the text, its queries are the image."""
    found: list[Site] = []
    for path, block, scale, part in _unet_parts(unet):
        modules = dict(part.named_modules())
        for name, module in modules.items():
            if isinstance(module, Attention) and module.is_cross_attention and module.added_kv_proj_dim is None:
                own = name.removesuffix("attn2") + "attn1"  # its neighbour in a transformer block, which runs before
                neighbour = modules.get(own)
                has_own = isinstance(neighbour, Attention) and not neighbour.is_cross_attention
                found.append(Site(f"{path}.{name}", block, scale, f"{path}.{own}" if has_own else None))
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
    name="Stable Diffusion 1 and 2, SDXL",
    denoisers=("UNet2DConditionModel",),
    find_sites=_unet_sites,
    read_prompt=reader("tokenizer", "tokenizer_2"),  # the second encoder of SDXL has the tokens of the first
    latents="sample",
    residuals=("down_block_additional_residuals", "mid_block_additional_residual"),
    usual=None,
)
