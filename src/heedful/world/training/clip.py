"""Phase 'clip': images and captions of the world learn to point the same way.

In addition to the other captions of its batch, each image is told apart from a caption that has one thing wrong: two
colours swapped, a colour or a class changed. Without those a CLIP becomes a bag of words (Yuksekgonul et al. 2023,
arXiv 2210.01936), and could not see a leaked colour.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPTokenizer

from heedful.world.clip import build_clip
from heedful.world.scene import Scene
from heedful.world.training.batches import random_scenes, rendered, step_rng
from heedful.world.training.loop import Phase
from heedful.world.training.recipe import Recipe
from heedful.world.vocabulary import ANIMALS, CLASSES, COLOURS, OBJECTS

MIX = (0.4, 0.45, 0.15)


class ClipPhase(Phase):
    """The symmetric contrastive loss (Radford et al. 2021, arXiv 2103.00020, figure 3) with wrong captions among the
    choices of each image.
    """

    def __init__(self, recipe: Recipe, tokenizer: CLIPTokenizer, device: torch.device) -> None:
        torch.manual_seed(recipe.seed + 3)
        self.name = "clip"
        self.recipe = recipe
        self.tokenizer = tokenizer
        self.device = device
        self.clip = build_clip(tokenizer, **dict(recipe.clip))
        self.modules = nn.ModuleDict({"clip": self.clip}).to(device)
        self.steps = recipe.clip_steps

    def loss(self, step: int) -> Tensor:
        """Loss of a batch of renders, their captions, and a wrong caption for each."""
        rng = step_rng(self.recipe.seed, self.name, step)
        scenes = random_scenes(rng, self.recipe.clip_batch, MIX)
        captions = [scene.caption for scene in scenes]
        wrong = [wrong_caption(rng, scene) for scene in scenes]
        images = self._unit(self.clip.get_image_features(pixel_values=rendered(scenes).to(self.device)))
        tokens = self.tokenizer([*captions, *wrong], padding="max_length", truncation=True, return_tensors="pt")
        texts = self._unit(self.clip.get_text_features(input_ids=tokens.input_ids.to(self.device)))
        scale = self.clip.logit_scale.clamp(max=np.log(100)).exp()
        scores = scale * images @ texts.T  # -> (image, caption then wrong caption)
        batch = len(scenes)
        same = _same(captions, [*captions, *wrong]).to(self.device)
        same[:, :batch].fill_diagonal_(False)
        scores = scores.masked_fill(same, -torch.inf)
        right = torch.arange(batch, device=self.device)
        return (cross_entropy(scores, right) + cross_entropy(scores[:, :batch].T, right)) / 2

    @staticmethod
    def _unit(features: Any) -> Tensor:
        # newer transformers wrap the projected features
        return normalize(getattr(features, "pooler_output", features), dim=-1)


def wrong_caption(rng: np.random.Generator, scene: Scene) -> str:
    """The caption of a scene with one thing wrong: colours swapped if it names two, or one word changed."""
    words = scene.caption.split()
    on = words.index("on") if "on" in words else len(words)
    colours = [i for i, word in enumerate(words[:on]) if word in COLOURS]
    if len(colours) >= 2 and words[colours[0]] != words[colours[1]] and rng.random() < 0.5:
        first, second = colours[:2]
        words[first], words[second] = words[second], words[first]
        return " ".join(words)
    index = int(rng.choice([i for i, word in enumerate(words) if word in CLASSES or i in colours]))
    pool = COLOURS if index in colours else ANIMALS if words[index] in ANIMALS else OBJECTS
    words[index] = str(rng.choice([word for word in pool if word not in words]))
    return " ".join(words)


def _same(rows: list[str], columns: list[str]) -> Tensor:
    return torch.tensor([[row == column for column in columns] for row in rows])
