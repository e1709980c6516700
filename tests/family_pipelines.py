"""Pipelines of newer families that heedful guides, tiny and random, by their names in the docs.

`FAMILY_PIPELINES[name]()` is a `Run`, as in `tests.every_pipeline`.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
from diffusers.pipelines.prx import pipeline_prx

from tests import new_transformers as tiny
from tests.every_pipeline import PROMPTS, SIZE, Run, inpaint, late
from tests.pipelines import generator

LAYERS: dict[str, Any] = {"text_encoder_out_layers": (0, 1, 2)}
"""Those of language models of two layers."""


class UnguidedRun(Run):
    """PRX's pipeline tells its denoiser too few times for several images under classifier-free guidance."""

    def __call__(self, guidance_scale: float = 1.0) -> torch.Tensor:
        return super().__call__(1.0)


class GuiderRun(Run):
    """HunyuanImage has its scale in its guider."""

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        self.pipe.guider = diffusers.AdaptiveProjectedMixGuidance(
            guidance_scale=guidance_scale, enabled=guidance_scale > 1
        )
        common = {"num_inference_steps": 3, "num_images_per_prompt": 2, "output_type": "latent"}
        return self.pipe(PROMPTS, generator=generator(), **(common | self.arguments)).images


def prefixed(run: Run) -> Run:
    tiny.with_prefix(run.pipe)
    return run


def prx() -> Run:
    if not hasattr(pipeline_prx, "ftfy"):  # it is not installed here, and the pipeline cannot do without
        pipeline_prx.ftfy = SimpleNamespace(fix_text=lambda text: text)  # type: ignore[attr-defined]
    return UnguidedRun(tiny.tiny_prx(), use_resolution_binning=False, **SIZE)


TRUE_CFG: dict[str, Any] = {"negative_prompt": ["a dog", "a cat"], "max_sequence_length": 64}

FAMILY_PIPELINES: dict[str, Callable[[], Run]] = {
    "Flux2KleinPipeline": lambda: Run(tiny.tiny_klein(), max_sequence_length=64, **LAYERS, **SIZE),
    "Flux2Pipeline": lambda: Run(tiny.tiny_flux2(), max_sequence_length=256, **LAYERS, **SIZE),
    "QwenImagePipeline": lambda: Run(tiny.tiny_qwen_image(), "true_cfg_scale", **TRUE_CFG, **SIZE),
    "QwenImageImg2ImgPipeline": lambda: prefixed(
        late(tiny.tiny_qwen_image(), diffusers.QwenImageImg2ImgPipeline, "true_cfg_scale", **TRUE_CFG, **SIZE)
    ),
    "QwenImageInpaintPipeline": lambda: prefixed(
        inpaint(tiny.tiny_qwen_image(), diffusers.QwenImageInpaintPipeline, "true_cfg_scale", **TRUE_CFG)
    ),
    "ZImagePipeline": lambda: Run(tiny.tiny_z_image(), max_sequence_length=64, **SIZE),
    "SanaPipeline": lambda: Run(
        tiny.tiny_sana(), complex_human_instruction=["say more", "of: "], max_sequence_length=32,
        use_resolution_binning=False, height=128, width=192,
    ),
    "HunyuanDiTPipeline": lambda: Run(tiny.tiny_hunyuan_dit(), use_resolution_binning=False, height=64, width=96),
    "ChromaPipeline": lambda: Run(tiny.tiny_chroma(), max_sequence_length=32, **SIZE),
    "AuraFlowPipeline": lambda: Run(tiny.tiny_aura_flow(), max_sequence_length=32, **SIZE),
    "BriaPipeline": lambda: Run(tiny.tiny_bria(), max_sequence_length=32, **SIZE),
    "CogView4Pipeline": lambda: Run(tiny.tiny_cogview4(), max_sequence_length=32, height=32, width=48),
    "Lumina2Pipeline": lambda: Run(tiny.tiny_lumina2(), max_sequence_length=256, height=64, width=96),
    "PRXPipeline": prx,
    "HunyuanImagePipeline": lambda: GuiderRun(tiny.tiny_hunyuan_image(), **SIZE),
}  # fmt: skip
