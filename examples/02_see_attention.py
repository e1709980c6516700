"""Show where the denoiser looks for each concept, step by step, without changing the image.

python examples/02_see_attention.py [FOLDER]
"""

import sys
from pathlib import Path

import torch

import heedful
from heedful.attention import contact_sheet

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
folder.mkdir(parents=True, exist_ok=True)

pipe = heedful.world.load()
prompt = "a cat and a blue clock"

with heedful.guide(pipe, prompt, "none") as guided:
    image = pipe(prompt, num_inference_steps=12, guidance_scale=5, generator=torch.Generator().manual_seed(0)).images[0]

maps = {name: guided.maps[name][0] for name in guided.maps.names}  # (step, height, width) each
for name, steps in maps.items():
    guided.maps.overlay(name, image).save(folder / f"{name}.png")
    print(f"{name}: {steps.mean():.3f} of the attention of a cell, mean over cells and steps")

sheet = contact_sheet(maps, steps=range(0, 12, 2), image=image)
sheet.save(folder / "sheet.png")
print(folder / "sheet.png")
