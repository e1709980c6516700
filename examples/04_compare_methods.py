"""Compare methods on the same noise: a labelled grid, and the share of images that the world's detector calls right.

python examples/04_compare_methods.py [FOLDER]
"""

import sys
from pathlib import Path

import torch

import heedful
from heedful.report import Grid, compose

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
folder.mkdir(parents=True, exist_ok=True)

pipe, detector = heedful.world.load(), heedful.world.load_detector()
prompt, seeds = "a cat and a blue clock", range(3)
names = ("none", "attend-and-excite", "a-star")  # any of heedful.methods.METHODS, its controls too

rows = []
for name in names:
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    with heedful.guide(pipe, prompt, name, keep_maps=False):
        images = pipe(
            prompt, num_images_per_prompt=len(seeds), num_inference_steps=12, guidance_scale=5, generator=noise
        ).images
    verdicts = [heedful.world.judge(prompt, found) for found in detector(images)]
    print(f"{name}: {sum(verdict.success for verdict in verdicts)} of {len(seeds)} right")
    rows.append(images)

columns = [f"seed {seed}" for seed in seeds]
compose(Grid(title=prompt, columns=columns, rows=names, cells=rows)).save(folder / "grid.png")
print(folder / "grid.png")
