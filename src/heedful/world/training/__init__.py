"""Making the embedded models: the recipe as data, its phases, and a loop that survives being killed."""

from heedful.world.training.batches import to_images, to_tensor
from heedful.world.training.clip import wrong_caption
from heedful.world.training.recipes import MINIATURE, RECIPES
from heedful.world.training.train import train

__all__ = [
    "MINIATURE",
    "RECIPES",
    "to_images",
    "to_tensor",
    "train",
    "wrong_caption",
]
