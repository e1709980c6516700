"""Guide one prompt by A-STAR, and write the images next to those of the same noise without guidance.

python examples/01_generate.py [FOLDER]
"""

import sys
from pathlib import Path

import torch

import heedful

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
folder.mkdir(parents=True, exist_ok=True)

pipe = heedful.world.load()  # or StableDiffusionPipeline.from_pretrained(...)
prompt = "a cat and a blue clock"

for method in ("none", "a-star"):
    noise = [torch.Generator().manual_seed(seed) for seed in range(2)]
    with heedful.guide(pipe, prompt, method) as guided:
        images = pipe(prompt, num_images_per_prompt=2, num_inference_steps=12, guidance_scale=5, generator=noise).images
    for seed, image in enumerate(images):
        path = folder / f"{method} {seed}.png"
        image.save(path)
        print(path)
    print(guided.trace)
