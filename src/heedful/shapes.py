"""The vocabulary of axes, and names for the tensors that cross file borders.

Shapes are types: the tests check them on every call (`--jaxtyping-packages=heedful,beartype.beartype`), and a user's
run pays nothing for them.

| axis           | counts                                                                                  |
| -------------- | --------------------------------------------------------------------------------------- |
| batch          | images that are made together: prompts x images per prompt                              |
| head           | heads of one attention site                                                             |
| query          | positions that look: image positions, row by row                                        |
| key            | positions that are looked at: text tokens                                               |
| token          | text tokens by their index in the padded sequence; the start token has index 0          |
| concept        | concepts of one prompt, in the order of `Prompt.concepts`                                |
| pair           | (modifier, concept) pairs or pairs of concepts; the function says which                 |
| cell           | cells of a map, row by row: height and width in one                                     |
| height, width  | the query axis unfolded: cells of a map, cells of the latents or pixels of an image     |
| channel        | channels of latents (4 in Stable Diffusion) or of an image (3)                          |
| step           | denoising steps, 0 .. n-1                                                               |

A module that uses these must not say `from __future__ import annotations`: the annotations would become strings and go
unchecked. Inside one function an axis name stands for one number, so `batch` may not mean two sizes.
"""

from jaxtyping import Float
from torch import Tensor

TokenMaps = Float[Tensor, "batch token height width"]
"""One map per token; in [0, 1], and each cell sums to 1 over the tokens."""

CellMaps = Float[Tensor, "batch cell height width"]
"""One map per cell that looks, row by row: how it looks at every cell; in [0, 1], each map sums to 1."""

ConceptMaps = Float[Tensor, "concept height width"]
"""One map per concept of one prompt; in [0, 1]."""

Map = Float[Tensor, "height width"]
"""One map; in [0, 1] unless its maker says otherwise."""

Latents = Float[Tensor, "batch channel height width"]
"""What the denoiser denoises; unitless, about a standard normal at the first step."""

PerItem = Float[Tensor, "batch"]
"""One value for each image of the batch; items never mix."""
