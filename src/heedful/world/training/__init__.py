"""Making the embedded model from nothing: the recipe as data, its phases, and a loop that survives being killed."""

from heedful.world.training.batches import to_images, to_tensor
from heedful.world.training.clip import wrong_caption
from heedful.world.training.recipe import MINIATURE, RECIPE
from heedful.world.training.train import train

__all__ = [
    "MINIATURE",
    "RECIPE",
    "to_images",
    "to_tensor",
    "train",
    "wrong_caption",
]
