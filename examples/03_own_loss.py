"""Steer by a loss of your own: concepts whose middles are far apart.

python examples/03_own_loss.py [FOLDER]
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

import heedful

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
folder.mkdir(parents=True, exist_ok=True)


def closeness(maps, prompts, previous=None):
    """One value per image: 1 minus the distance between the middles of its two concepts, as shares of the image."""
    groups = maps.group(prompts).maps  # (image, concept, height, width)
    shares = groups / groups.sum((-2, -1), keepdim=True)
    across = (shares.sum(-2) * torch.linspace(0, 1, shares.shape[-1]).to(shares)).sum(-1)  # (image, concept)
    down = (shares.sum(-1) * torch.linspace(0, 1, shares.shape[-2]).to(shares)).sum(-1)
    middles = torch.stack([across, down], dim=-1)
    return 1 - (middles[:, 0] - middles[:, 1]).norm(dim=-1)


pipe = heedful.world.load()
prompt = "a cat and a blue clock"
method = replace(heedful.methods.A_STAR, name="apart", loss=heedful.methods.Segregation() + closeness)

with heedful.guide(pipe, prompt, method) as guided:
    image = pipe(prompt, num_inference_steps=12, guidance_scale=5, generator=torch.Generator().manual_seed(0)).images[0]
image.save(folder / "apart.png")
print(guided.trace)
print(folder / "apart.png")
