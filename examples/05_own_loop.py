"""Guide a denoising loop of your own: that needs a denoiser, a scheduler and a tokenizer, but no pipeline.

python examples/05_own_loop.py [FOLDER]
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch

import heedful

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
folder.mkdir(parents=True, exist_ok=True)

pipe = heedful.world.load()  # for its parts
unet, scheduler, tokenizer, text_encoder, vae = (pipe.components[name] for name in (
    "unet", "scheduler", "tokenizer", "text_encoder", "vae"
))  # fmt: skip
prompt, guidance_scale = "a cat and a blue clock", 5.0
ids = tokenizer([prompt, ""], padding="max_length", truncation=True, return_tensors="pt").input_ids
parts = SimpleNamespace(
    unet=unet, scheduler=scheduler, tokenizer=tokenizer, text_encoder=text_encoder, do_classifier_free_guidance=False
)

with torch.no_grad(), heedful.guide(parts, prompt, heedful.methods.A_STAR) as guided:
    text, empty = text_encoder(ids)[0].chunk(2)
    scheduler.set_timesteps(12)
    latents = torch.randn(1, unet.config.in_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    for now in scheduler.timesteps:
        conditional = unet(latents, now, encoder_hidden_states=text).sample  # with the prompt: the first call
        unconditional = unet(latents, now, encoder_hidden_states=empty).sample
        noise = unconditional + guidance_scale * (conditional - unconditional)
        latents = scheduler.step(noise, now, latents).prev_sample
    image = vae.decode(latents / vae.config.scaling_factor).sample
pipe.image_processor.postprocess(image)[0].save(folder / "own loop.png")
print(guided.trace, folder / "own loop.png", sep="\n")
