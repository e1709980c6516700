"""Every kind of pipeline that heedful says it guides, tiny and random, under the name that the docs give it.

`PIPELINES[name]()` returns a function that runs one of them: `run(guidance_scale)` -> final latents, for two prompts,
two images each, 16x24 pixels; `run.pipe` is the pipeline.
"""

import inspect
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel, DDIMScheduler, DPMSolverMultistepScheduler

from tests.pipelines import SCHEDULER, generator, tiny_pipeline, tiny_sdxl_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_pixart, tiny_sd3

PROMPTS = ["a cat and a blue clock", "a red car and a dog"]


class Run:
    """A pipeline, and the arguments that it needs beside prompt and seed."""

    frames = 1
    """Of a video, in the latents."""
    prompts: list[str] = PROMPTS
    """Two images of each are made."""

    def __init__(self, pipe: Any, scale: str = "guidance_scale", **arguments: Any):
        pipe.set_progress_bar_config(disable=True)
        self.pipe = pipe
        self._scale = scale
        self.arguments = arguments

    @property
    def without_cat(self) -> list[bool]:
        """For each image, whether its prompt says nothing of a cat."""
        return ["cat" not in prompt for prompt in self.prompts for _ in range(2)]

    def __call__(self, guidance_scale: float = 5.0) -> torch.Tensor:
        common = {
            "num_inference_steps": 3,
            "num_images_per_prompt": 2,
            "output_type": "latent",
            "generator": generator(),
            self._scale: guidance_scale,
        }
        return self.pipe(**({"prompt": list(self.prompts)} | common | self.arguments)).images


SIZE: dict[str, Any] = {"height": 16, "width": 24}


def pictures(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 16, 24, generator=generator(1))


def mask() -> torch.Tensor:
    half = torch.zeros(2, 1, 16, 24)
    half[..., :12] = 1
    return half


def like(pipe: Any, kind: Any, **parts: Any) -> Any:
    """A pipeline of another class from the parts of `pipe`."""
    wanted = inspect.signature(kind).parameters
    shared = {name: part for name, part in pipe.components.items() if name in wanted and name not in parts}
    extra = {"requires_safety_checker": False} if "requires_safety_checker" in wanted else {}
    return kind(**shared, **parts, **extra)


def controlnet(pipe: Any, kind: Any) -> Run:
    torch.manual_seed(0)
    net = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(4, 8)).eval()
    for parameter in net.controlnet_down_blocks.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # they begin at zero, where the net would say nothing
    return Run(like(pipe, kind, controlnet=net), image=pictures(), **SIZE)


def v_prediction() -> Any:
    return tiny_pipeline(scheduler=DDIMScheduler(**(SCHEDULER | {"prediction_type": "v_prediction"})))


def late(pipe: Any, kind: Any, scale: str = "guidance_scale", **extra: Any) -> Run:
    """Image-to-image: 5 steps, of which the last 3 are made."""
    return Run(like(pipe, kind), scale, image=pictures(4), strength=0.6, num_inference_steps=5, **extra)


def inpaint(pipe: Any, kind: Any, scale: str = "guidance_scale", **extra: Any) -> Run:
    return Run(like(pipe, kind), scale, image=pictures(), mask_image=mask(), strength=1.0, **SIZE, **extra)


XL_PICTURES: dict[str, Any] = {"original_size": (16, 24), "target_size": (16, 24)}
T5: dict[str, Any] = {"max_sequence_length": 32}
NEGATIVE: dict[str, Any] = {"negative_prompt": ["a dog", "a cat"], "true_cfg_scale": 3.0}

PIPELINES: dict[str, Callable[[], Run]] = {
    "StableDiffusionPipeline": lambda: Run(tiny_pipeline(), **SIZE),
    "StableDiffusionPipeline, v-prediction (2.x)": lambda: Run(v_prediction(), **SIZE),
    "StableDiffusionImg2ImgPipeline": lambda: late(tiny_pipeline(), diffusers.StableDiffusionImg2ImgPipeline),
    "StableDiffusionInpaintPipeline, 4 channels": lambda: inpaint(
        tiny_pipeline(), diffusers.StableDiffusionInpaintPipeline
    ),
    "StableDiffusionInpaintPipeline, 9 channels": lambda: inpaint(
        tiny_pipeline(in_channels=9), diffusers.StableDiffusionInpaintPipeline
    ),
    "StableDiffusionControlNetPipeline": lambda: controlnet(
        tiny_pipeline(), diffusers.StableDiffusionControlNetPipeline
    ),
    "StableDiffusionInstructPix2PixPipeline": lambda: Run(
        like(tiny_pipeline(in_channels=8), diffusers.StableDiffusionInstructPix2PixPipeline), image=pictures(4)
    ),
    "StableDiffusionXLPipeline": lambda: Run(tiny_sdxl_pipeline(), **SIZE),
    "StableDiffusionXLImg2ImgPipeline": lambda: late(
        tiny_sdxl_pipeline(), diffusers.StableDiffusionXLImg2ImgPipeline, **XL_PICTURES
    ),
    "StableDiffusionXLInpaintPipeline": lambda: inpaint(
        tiny_sdxl_pipeline(), diffusers.StableDiffusionXLInpaintPipeline
    ),
    "PixArtSigmaPipeline": lambda: Run(
        tiny_pixart(DPMSolverMultistepScheduler(algorithm_type="dpmsolver++")),
        use_resolution_binning=False, clean_caption=False, **T5, **SIZE,
    ),
    "StableDiffusion3Pipeline": lambda: Run(tiny_sd3(), **T5, **SIZE),
    "StableDiffusion3Pipeline, skip-layer guidance": lambda: Run(
        tiny_sd3(), skip_guidance_layers=[1], skip_layer_guidance_stop=1.0, skip_layer_guidance_start=0.0, **T5, **SIZE
    ),
    "StableDiffusion3Pipeline without T5": lambda: Run(tiny_sd3(t5=False), **T5, **SIZE),
    "StableDiffusion3Img2ImgPipeline": lambda: late(
        tiny_sd3(), diffusers.StableDiffusion3Img2ImgPipeline, **T5, **SIZE
    ),
    "FluxPipeline": lambda: Run(tiny_flux(), **T5, **SIZE),
    "FluxPipeline, negative prompt": lambda: Run(tiny_flux(), **NEGATIVE, **T5, **SIZE),
    "FluxImg2ImgPipeline": lambda: late(tiny_flux(), diffusers.FluxImg2ImgPipeline, **T5, **SIZE),
}  # fmt: skip
