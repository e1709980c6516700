"""More kinds of pipelines that heedful guides, tiny and random, by their names in the docs.

`MORE_PIPELINES[name]()` is a `Run`, as there.
"""

from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers import (
    FluxControlNetModel,
    FluxTransformer2DModel,
    LCMScheduler,
    SD3ControlNetModel,
    T2IAdapter,
)
from diffusers.modular_pipelines.flux import FluxAutoBlocks
from diffusers.modular_pipelines.stable_diffusion_3 import StableDiffusion3AutoBlocks
from diffusers.modular_pipelines.stable_diffusion_xl import StableDiffusionXLAutoBlocks

from tests.every_pipeline import SIZE, T5, XL_PICTURES, Run, controlnet, inpaint, like, mask, pictures
from tests.pipelines import generator, tiny_pipeline, tiny_sdxl_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_pixart, tiny_sd3


def unzeroed(net: Any) -> Any:
    """The last layers of a ControlNet begin at zero, where it would say nothing."""
    for name, parameter in net.named_parameters():
        if "controlnet" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


def controlnet_xl(kind: Any, **arguments: Any) -> Run:
    pipe = tiny_sdxl_pipeline()
    torch.manual_seed(0)
    net = unzeroed(diffusers.ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(4, 8)))
    return Run(like(pipe, kind, controlnet=net), **arguments, **SIZE)


def two_controlnets() -> Run:
    run = controlnet(tiny_pipeline(), diffusers.StableDiffusionControlNetPipeline)
    net = run.pipe.controlnet
    both = diffusers.MultiControlNetModel([net, net])
    return Run(
        like(run.pipe, diffusers.StableDiffusionControlNetPipeline, controlnet=both), image=[pictures()] * 2, **SIZE
    )


def changed(run: Run, **arguments: Any) -> Run:
    run.arguments |= arguments
    return run


def adapter(pipe: Any, kind: Any) -> Run:
    torch.manual_seed(0)
    net = T2IAdapter(3, [8, 16, 16], num_res_blocks=1, downscale_factor=2, adapter_type="full_adapter").eval()
    return Run(like(pipe, kind, adapter=net), image=pictures(2), **SIZE)


def latent_consistency(kind: Any, **arguments: Any) -> Run:
    pipe = tiny_pipeline(time_cond_proj_dim=8)
    scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    return Run(like(pipe, kind, scheduler=scheduler), num_inference_steps=3, **arguments)


def upscale() -> Run:
    pipe = tiny_pipeline(in_channels=7, num_class_embeds=1000, sample_size=16)
    pipe.vae.register_to_config(scaling_factor=0.08333)
    low = diffusers.DDPMScheduler()
    upscaler = like(pipe, diffusers.StableDiffusionUpscalePipeline, low_res_scheduler=low, max_noise_level=350)
    return Run(upscaler, image=torch.rand(2, 3, 8, 12))


def depth() -> Run:
    pipe = tiny_pipeline(in_channels=5)
    guided = like(pipe, diffusers.StableDiffusionDepth2ImgPipeline, depth_estimator=None)
    return Run(guided, image=pictures(4), depth_map=torch.rand(4, 16, 24), strength=0.6, num_inference_steps=5)


def pix2pix_xl() -> Run:
    pipe = tiny_sdxl_pipeline()
    wide = tiny_pipeline(
        in_channels=8,
        cross_attention_dim=32,
        transformer_layers_per_block=(1, 2, 1),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 16,
    ).unet
    return Run(
        like(pipe, diffusers.StableDiffusionXLInstructPix2PixPipeline, unet=wide),
        image=pictures(4), **SIZE,
    )  # fmt: skip


def refiner() -> Run:
    pipe = tiny_sdxl_pipeline()
    unet = tiny_pipeline(
        cross_attention_dim=16,
        transformer_layers_per_block=(1, 2, 1),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=5 * 4 + 16,
    ).unet
    parts = {"tokenizer": None, "text_encoder": None, "unet": unet, "requires_aesthetics_score": True}
    refining = like(pipe, diffusers.StableDiffusionXLImg2ImgPipeline, **parts)
    return Run(refining, image=pictures(4), strength=0.6, num_inference_steps=5, **XL_PICTURES)


def wide_sd3() -> Any:
    """Stable Diffusion 3 of 16 latent channels: the pipeline for inpainting takes no other number."""
    pipe = tiny_sd3()
    torch.manual_seed(0)
    wide = {"in_channels": 16, "out_channels": 16}
    pipe.transformer = type(pipe.transformer).from_config(dict(pipe.transformer.config) | wide).eval()
    pipe.vae = type(pipe.vae).from_config(dict(pipe.vae.config) | {"latent_channels": 16}).eval()
    pipe.vae.register_to_config(shift_factor=0.1)
    return pipe


def controlnet_3() -> Run:
    pipe = tiny_sd3()
    torch.manual_seed(0)
    config: dict[str, Any] = dict(pipe.transformer.config)
    names = ("sample_size", "patch_size", "in_channels", "attention_head_dim", "num_attention_heads",
             "joint_attention_dim", "caption_projection_dim", "pooled_projection_dim", "out_channels",
             "pos_embed_max_size")  # fmt: skip
    net = unzeroed(SD3ControlNetModel(num_layers=1, **{name: config[name] for name in names}))
    return Run(
        like(pipe, diffusers.StableDiffusion3ControlNetPipeline, controlnet=net), control_image=pictures(), **T5, **SIZE
    )


def wide_flux(kind: Any, channels: int, **arguments: Any) -> Run:
    """FLUX whose denoiser takes more channels than it gives: those of an image, and of its mask."""
    pipe = tiny_flux()
    torch.manual_seed(0)
    config: dict[str, Any] = {
        name: value for name, value in pipe.transformer.config.items() if not name.startswith("_")
    }
    denoiser = FluxTransformer2DModel(**config | {"in_channels": channels, "out_channels": 16}).eval()
    with torch.no_grad():
        for name, parameter in denoiser.named_parameters():
            if "attn.to_q" in name or "add_k_proj" in name:
                parameter.mul_(3.0)
    return Run(like(pipe, kind, transformer=denoiser), **arguments, **T5, **SIZE)


def controlnet_flux() -> Run:
    pipe = tiny_flux()
    torch.manual_seed(0)
    names = ("patch_size", "in_channels", "attention_head_dim", "num_attention_heads", "joint_attention_dim",
             "pooled_projection_dim", "guidance_embeds", "axes_dims_rope")  # fmt: skip
    config: dict[str, Any] = {name: pipe.transformer.config[name] for name in names}
    net = unzeroed(FluxControlNetModel(num_layers=1, num_single_layers=1, **config))
    return Run(like(pipe, diffusers.FluxControlNetPipeline, controlnet=net), control_image=pictures(), **T5, **SIZE)


class ModularRun(Run):
    """A modular pipeline; its guidance scale belongs to a part of it, where there is one."""

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        if "guider" in self.pipe.components:
            self.pipe.update_components(guider=diffusers.ClassifierFreeGuidance(guidance_scale=guidance_scale))
        common = {"num_inference_steps": 3, "num_images_per_prompt": 2, "output_type": "latent"}
        return self.pipe(
            **({"prompt": list(self.prompts), "generator": generator(), "output": "images"} | common | self.arguments)
        )


def modular(blocks: Any, pipe: Any, **arguments: Any) -> ModularRun:
    made = blocks().init_pipeline()
    made.update_components(**{name: pipe.components[name] for name in made.components if name in pipe.components})
    return ModularRun(made, **(SIZE | arguments))


MORE_PIPELINES: dict[str, Callable[[], Run]] = {
    "StableDiffusionControlNetPipeline, guess mode": lambda: changed(
        controlnet(tiny_pipeline(), diffusers.StableDiffusionControlNetPipeline), guess_mode=True
    ),
    "StableDiffusionControlNetPipeline, two nets": two_controlnets,
    "StableDiffusionControlNetImg2ImgPipeline": lambda: changed(
        controlnet(tiny_pipeline(), diffusers.StableDiffusionControlNetImg2ImgPipeline),
        image=pictures(4), control_image=pictures(2), strength=1.0,
    ),
    "StableDiffusionControlNetInpaintPipeline": lambda: changed(
        controlnet(tiny_pipeline(), diffusers.StableDiffusionControlNetInpaintPipeline),
        image=pictures(2), control_image=pictures(2), mask_image=mask(), strength=1.0,
    ),
    "StableDiffusionXLControlNetPipeline": lambda: controlnet_xl(
        diffusers.StableDiffusionXLControlNetPipeline, image=pictures()
    ),
    "StableDiffusionXLControlNetImg2ImgPipeline": lambda: controlnet_xl(
        diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
        image=pictures(2), control_image=pictures(2), strength=1.0, **XL_PICTURES,
    ),
    "StableDiffusionXLControlNetInpaintPipeline": lambda: controlnet_xl(
        diffusers.StableDiffusionXLControlNetInpaintPipeline,
        image=pictures(2), control_image=pictures(2), mask_image=mask(), strength=1.0,
    ),
    "StableDiffusionAdapterPipeline": lambda: adapter(tiny_pipeline(), diffusers.StableDiffusionAdapterPipeline),
    "StableDiffusionXLAdapterPipeline": lambda: adapter(
        tiny_sdxl_pipeline(), diffusers.StableDiffusionXLAdapterPipeline
    ),
    "StableDiffusionDepth2ImgPipeline": depth,
    "StableDiffusionUpscalePipeline": upscale,
    "LatentConsistencyModelPipeline": lambda: latent_consistency(diffusers.LatentConsistencyModelPipeline, **SIZE),
    "LatentConsistencyModelImg2ImgPipeline": lambda: latent_consistency(
        diffusers.LatentConsistencyModelImg2ImgPipeline, image=pictures(4), strength=1.0
    ),
    "StableDiffusionXLPipeline, another second prompt": lambda: Run(
        tiny_sdxl_pipeline(), prompt_2=["a dog", "a frog"], clip_skip=1, **SIZE
    ),
    "StableDiffusionXLImg2ImgPipeline, refiner": refiner,
    "StableDiffusionXLInstructPix2PixPipeline": pix2pix_xl,
    "PixArtAlphaPipeline": lambda: Run(
        like(tiny_pixart(), diffusers.PixArtAlphaPipeline), use_resolution_binning=False, clean_caption=False,
        **T5, **SIZE,
    ),
    "StableDiffusion3InpaintPipeline": lambda: changed(
        inpaint(wide_sd3(), diffusers.StableDiffusion3InpaintPipeline), **T5
    ),
    "StableDiffusion3ControlNetPipeline": controlnet_3,
    "FluxPipeline, schnell": lambda: Run(tiny_flux(guidance_embeds=False), **T5, **SIZE),
    "FluxInpaintPipeline": lambda: changed(inpaint(tiny_flux(), diffusers.FluxInpaintPipeline), **T5),
    "FluxFillPipeline": lambda: wide_flux(
        diffusers.FluxFillPipeline, 16 + 16 + 16, image=pictures(2), mask_image=mask()
    ),
    "FluxControlPipeline": lambda: wide_flux(diffusers.FluxControlPipeline, 32, control_image=pictures()),
    "FluxControlNetPipeline": controlnet_flux,
    "FluxKontextPipeline, without an image": lambda: Run(
        like(tiny_flux(), diffusers.FluxKontextPipeline), _auto_resize=False, max_area=16 * 24, **T5, **SIZE
    ),
    "StableDiffusionXLModularPipeline": lambda: modular(StableDiffusionXLAutoBlocks, tiny_sdxl_pipeline()),
    "StableDiffusion3ModularPipeline": lambda: modular(StableDiffusion3AutoBlocks, tiny_sd3(), **T5),
    "FluxModularPipeline": lambda: modular(FluxAutoBlocks, tiny_flux(), **T5),
}  # fmt: skip
