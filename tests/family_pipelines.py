"""Pipelines of newer families that heedful guides, tiny and random, by their names in the docs.

`FAMILY_PIPELINES[name]()` is a `Run`, as in `tests.every_pipeline`.
"""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
from diffusers.modular_pipelines.flux2 import Flux2KleinAutoBlocks
from diffusers.modular_pipelines.qwenimage import QwenImageAutoBlocks
from diffusers.modular_pipelines.z_image import ZImageAutoBlocks
from diffusers.pipelines.prx import pipeline_prx
from PIL import Image

from heedful.attention import held
from tests import new_transformers as tiny
from tests import single_stream_pipelines as single
from tests.every_pipeline import PROMPTS, SIZE, T5, Run, inpaint, late, like, pictures
from tests.more_pipelines import modular, unzeroed
from tests.pipelines import generator, shifted_vae, tiny_pipeline, tiny_sdxl_pipeline
from tests.tokenizers import kolors
from tests.transformer_pipelines import tiny_flux, tiny_sd3

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
        return self.pipe(list(self.prompts), **({"generator": generator()} | common | self.arguments)).images


def prefixed(run: Run) -> Run:
    tiny.with_prefix(run.pipe)
    return run


def prx() -> Run:
    if not hasattr(pipeline_prx, "ftfy"):  # it is not installed here, and the pipeline cannot do without
        pipeline_prx.ftfy = SimpleNamespace(fix_text=lambda text: text)  # type: ignore[attr-defined]
    return UnguidedRun(single.tiny_prx(), use_resolution_binning=False, **SIZE)


class SprintRun(Run):
    """Sana Sprint is told its guidance scale, and asks for nothing without the condition."""

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        steps = self.arguments.get("num_inference_steps", 3)
        self.arguments["intermediate_timesteps"] = 1.3 if steps == 2 else None
        return super().__call__(guidance_scale)


def sana_sprint() -> Run:
    return SprintRun(
        single.tiny_sana(diffusers.SanaSprintPipeline), complex_human_instruction=["say more", "of: "],
        max_sequence_length=32, use_resolution_binning=False, height=128, width=192,
    )  # fmt: skip


class VideoRun(Run):
    """Two frames of latents."""

    frames = 2

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        common = {"num_inference_steps": 3, "num_videos_per_prompt": 2, "output_type": "latent", "num_frames": 5}
        given = {"generator": generator(), "guidance_scale": guidance_scale} | common | self.arguments
        return self.pipe(list(self.prompts), **given).frames


def picture(side: int) -> Image.Image:
    return Image.fromarray((pictures(1)[0, :, :1, :1].expand(3, side, side) * 255).byte().permute(1, 2, 0).numpy())


class EditRun(Run):
    """Qwen-Image-Edit makes its images as large as a million pixels, which takes too long here."""

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        size = (24, 16) if "plus" in self.module.__name__ else (24, 16, None)
        with held(self.module, "calculate_dimensions", lambda area, ratio: size):
            return super().__call__(guidance_scale)

    @property
    def module(self) -> Any:
        return sys.modules[type(self.pipe).__module__]


def edit(kind: Any) -> Run:
    tokenizer_and_more = tiny.tiny_qwen_image()
    processor = tiny.models.qwen_processor(tokenizer_and_more.tokenizer)
    run = EditRun(like(tokenizer_and_more, kind, processor=processor), "true_cfg_scale", **TRUE_CFG, **SIZE)
    run.arguments["image"] = [picture(56), picture(56)]
    return prefixed(run)


class OnePromptRun(EditRun):
    """Qwen-Image-Edit-Plus takes one prompt at a time, with any number of images to it."""

    prompts = PROMPTS[:1]


def edit_plus() -> Run:
    made = edit(diffusers.QwenImageEditPlusPipeline)
    run = OnePromptRun(made.pipe, "true_cfg_scale", **made.arguments)
    run.arguments |= {"image": [picture(56), picture(56)], "negative_prompt": ["a dog"]}
    return run


def pag(pipe: Any, kind: Any, layers: str = "mid", **arguments: Any) -> Run:
    return Run(like(pipe, kind, pag_applied_layers=layers), pag_scale=3.0, **arguments)


def controlnet_qwen() -> Run:
    pipe = tiny.tiny_qwen_image()
    torch.manual_seed(0)
    names = ("patch_size", "in_channels", "out_channels", "attention_head_dim", "num_attention_heads",
             "joint_attention_dim", "axes_dims_rope")  # fmt: skip
    config = {name: pipe.transformer.config[name] for name in names}
    net = unzeroed(diffusers.QwenImageControlNetModel(num_layers=1, **config))
    controlled = like(pipe, diffusers.QwenImageControlNetPipeline, controlnet=net)
    return prefixed(Run(controlled, "true_cfg_scale", control_image=pictures(), **TRUE_CFG, **SIZE))


def controlnet_z_image() -> Run:
    pipe = single.tiny_z_image()
    torch.manual_seed(0)
    net = diffusers.ZImageControlNetModel(
        control_layers_places=[0], control_refiner_layers_places=[0], control_in_dim=4, dim=32, n_refiner_layers=1,
        n_heads=2, n_kv_heads=2,
    )  # fmt: skip
    for name, parameter in net.named_parameters():
        if "after_proj" in name or "before_proj" in name:  # made of zeros
            torch.nn.init.normal_(parameter, std=0.1)
    controlled = like(pipe, diffusers.ZImageControlNetPipeline, controlnet=net.eval())
    return Run(controlled, control_image=pictures(), max_sequence_length=64, **SIZE)


WAN: dict[str, Any] = {"max_sequence_length": 32, "height": 32, "width": 48}
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
    "ZImagePipeline": lambda: Run(single.tiny_z_image(), max_sequence_length=64, **SIZE),
    "SanaPipeline": lambda: Run(
        single.tiny_sana(), complex_human_instruction=["say more", "of: "], max_sequence_length=32,
        use_resolution_binning=False, height=128, width=192,
    ),
    "SanaSprintPipeline": sana_sprint,
    "HunyuanDiTPipeline": lambda: Run(single.tiny_hunyuan_dit(), use_resolution_binning=False, height=64, width=96),
    "ChromaPipeline": lambda: Run(tiny.tiny_chroma(), max_sequence_length=32, **SIZE),
    "OvisImagePipeline": lambda: Run(tiny.tiny_ovis_image(), max_sequence_length=192, **SIZE),
    "LongCatImagePipeline": lambda: Run(
        tiny.tiny_longcat_image(), enable_prompt_rewrite=False, negative_prompt=["a dog", "a cat"], **SIZE
    ),
    "AuraFlowPipeline": lambda: Run(tiny.tiny_aura_flow(), max_sequence_length=32, **SIZE),
    "BriaPipeline": lambda: Run(tiny.tiny_bria(), max_sequence_length=32, **SIZE),
    "CogView4Pipeline": lambda: Run(single.tiny_cogview4(), max_sequence_length=32, height=32, width=48),
    "Lumina2Pipeline": lambda: Run(single.tiny_lumina2(), max_sequence_length=256, height=64, width=96),
    "PRXPipeline": prx,
    "KolorsPipeline": lambda: Run(single.tiny_kolors(), max_sequence_length=32, **SIZE),
    "FluxKontextPipeline": lambda: Run(
        like(tiny_flux(), diffusers.FluxKontextPipeline), _auto_resize=False, max_area=16 * 24, image=pictures(2),
        **T5, **SIZE,
    ),
    "Flux2KleinPipeline, with an image": lambda: Run(
        tiny.tiny_klein(), max_sequence_length=64, image=picture(64), **LAYERS, **SIZE
    ),
    "Flux2Pipeline, with an image": lambda: Run(
        tiny.tiny_flux2(), max_sequence_length=256, image=picture(64), **LAYERS, **SIZE
    ),
    "QwenImageEditPipeline": lambda: edit(diffusers.QwenImageEditPipeline),
    "QwenImageEditPlusPipeline": edit_plus,
    "WanPipeline": lambda: VideoRun(single.tiny_wan(), **WAN),
    "WanPipeline, 2.2 with two transformers": lambda: VideoRun(
        single.tiny_wan(transformer_2=single.wan_transformer(1), boundary_ratio=0.8), **WAN
    ),
    "WanPipeline, 2.2 with a time for each cell": lambda: VideoRun(single.tiny_wan(expand_timesteps=True), **WAN),
    "StableDiffusionPAGPipeline": lambda: pag(tiny_pipeline(), diffusers.StableDiffusionPAGPipeline, **SIZE),
    "StableDiffusionXLPAGPipeline": lambda: pag(
        tiny_sdxl_pipeline(), diffusers.StableDiffusionXLPAGPipeline, **SIZE
    ),
    "StableDiffusion3PAGPipeline": lambda: pag(
        tiny_sd3(), diffusers.StableDiffusion3PAGPipeline, "blocks.0", **T5, **SIZE
    ),
    "QwenImageControlNetPipeline": controlnet_qwen,
    "ZImageControlNetPipeline": controlnet_z_image,
    "QwenImageModularPipeline": lambda: modular(
        QwenImageAutoBlocks, tiny.tiny_qwen_image(), max_sequence_length=128, negative_prompt=["a dog", "a cat"],
        output_type="pt", output="latents",
    ),
    "ZImageModularPipeline": lambda: modular(
        ZImageAutoBlocks, single.tiny_z_image(vae=shifted_vae(4)), max_sequence_length=64, height=64, width=96
    ),
    "ZImageImg2ImgPipeline": lambda: late(
        single.tiny_z_image(), diffusers.ZImageImg2ImgPipeline, max_sequence_length=64, **SIZE
    ),
    "ChromaImg2ImgPipeline": lambda: late(
        tiny.tiny_chroma(), diffusers.ChromaImg2ImgPipeline, max_sequence_length=32, **SIZE
    ),
    "KolorsImg2ImgPipeline": lambda: late(
        single.tiny_kolors(), kolors("pipeline_kolors_img2img").KolorsImg2ImgPipeline, max_sequence_length=32, **SIZE
    ),
    "Flux2KleinModularPipeline": lambda: modular(
        Flux2KleinAutoBlocks, tiny.tiny_klein(), max_sequence_length=64, **LAYERS
    ),
    "HunyuanImagePipeline": lambda: GuiderRun(tiny.tiny_hunyuan_image(), **SIZE),
}  # fmt: skip
