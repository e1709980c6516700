"""Where the cells of a map are."""

import torch
from jaxtyping import Float
from torch import Tensor


def cell_positions(like: Tensor, height: int, width: int) -> Float[Tensor, "cell 2"]:
    """Return row and column of each cell, in cells, with dtype and device of `like`."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns], -1).reshape(-1, 2).to(like)
