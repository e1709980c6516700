"""Phase 'text_encoder': captions and images learn to point the same way, as in CLIP; only the text half is kept.

The loss is on the end token alone, the mask is causal, and captions are as noisy as the denoiser's. So an encoder
learns which words a caption holds rather than which belong together (Yuksekgonul et al. 2023, arXiv 2210.01936).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPTokenizer

from heedful.world.architecture import TEXT_WIDTH, build_text_encoder
from heedful.world.clip import EMBEDDING_WIDTH, build_clip
from heedful.world.training.batches import random_scenes, rendered, step_rng
from heedful.world.training.captions import noisy_caption
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe

MIX = (0.6, 0.38, 0.02)


class TextEncoderPhase(Phase):
    """The symmetric contrastive loss (Radford et al. 2021, arXiv 2103.00020, figure 3), without hard negatives."""

    def __init__(self, recipe: Recipe, tokenizer: CLIPTokenizer, device: torch.device) -> None:
        torch.manual_seed(recipe.seed + 4)
        self.name = "text_encoder"
        self.recipe = recipe
        self.tokenizer = tokenizer
        self.device = device
        self.text_encoder = build_text_encoder(tokenizer)
        self.projection = nn.Linear(TEXT_WIDTH, EMBEDDING_WIDTH, bias=False)
        clip = build_clip(tokenizer, **dict(recipe.clip))
        self.vision = nn.ModuleDict({"model": clip.vision_model, "projection": clip.visual_projection})
        self.scale = nn.Parameter(torch.tensor(2.66))
        self.modules = nn.ModuleDict(
            {
                "text_encoder": self.text_encoder,
                "projection": self.projection,
                "vision": self.vision,
                "scale": nn.ParameterList([self.scale]),
            }
        ).to(device)
        self.steps = recipe.text_encoder_steps

    def start_from(self, clip: Any) -> None:
        """Let the image half begin with that of a trained CLIP; the text half begins from nothing."""
        self.vision["model"].load_state_dict(clip.vision_model.state_dict())
        self.vision["projection"].load_state_dict(clip.visual_projection.state_dict())

    def loss(self, step: int) -> Tensor:
        """Loss of a batch of renders and noisy captions."""
        rng = step_rng(self.recipe.seed, self.name, step)
        scenes = random_scenes(rng, self.recipe.text_encoder_batch, MIX, style=self.recipe.style)
        captions = [noisy_caption(rng, scene, self.recipe.captions) for scene in scenes]
        tokens = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        with torch.autocast(self.device.type, torch.bfloat16, self.recipe.bfloat16), sdpa_kernel(SDPBackend.MATH):
            seen = self.vision["projection"](self.vision["model"](rendered(scenes).to(self.device)).pooler_output)
            said = self.projection(self.text_encoder(tokens.to(self.device)).pooler_output)
        scores = (
            self.scale.clamp(max=np.log(100)).exp()
            * normalize(seen.float(), dim=-1)
            @ normalize(said.float(), dim=-1).T
        )
        # the same caption twice is no wrong answer
        same = torch.tensor([[one == other for other in captions] for one in captions], device=self.device)
        scores = scores.masked_fill(same.fill_diagonal_(False), -torch.inf)
        right = torch.arange(len(scenes), device=self.device)
        return (cross_entropy(scores, right) + cross_entropy(scores.T, right)) / 2
