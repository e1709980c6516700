"""Heedful, our own method: each concept in one location, no two in the same, and no attention to the text in a third.

Two losses are its own, a third is EBAMA's:

- `Separability` is Fisher's criterion on where attention lies. An overlap sees only cells that two concepts share, a
  peak only one cell; neither sees a concept that is in two locations at once, which comes out as two objects. The
  spread of a map sees it, and the distance between the maps' centres sees the overlap.
- `Elsewhere`: a second cat seldom shows in the map of "cat". It grows in a third location, out of the words between the
  concepts and of the end token, which carries the whole caption. What all of them together do there, the start token
  tells, for the attention of a cell sums to 1.
- `EbamaLoss` keeps nouns strong and their modifiers with them, which neither of the others sees.

And it edits the text: `PhrasesAlone` takes from each phrase half of what the phrases before it have left in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.guidance.methods.ebama import EbamaLoss
from heedful.guidance.methods.phrases import PhrasesAlone
from heedful.losses import PUBLISHED_SHARES, Loss, Preparation, at_least_tiny, cell_positions, missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import COARSEST_UP_SITES, Method, Restart, Settings


@dataclass(frozen=True, kw_only=True)
class Separability(Loss):
    """L = W / (W + B): the share of the variance of location that does not tell the concepts apart.

    Each concept's map, raised to `sharpness` and divided by its sum, is a distribution over the cells. W is the mean
    over concepts of its variance (squared distance from its own centre), B the variance of the centres. In [0, 1]:
    0 if each concept looks at one point and the points differ, 1 if all centres fall together; 1 - L is the correlation
    ratio, and B / W Fisher's criterion (Fisher 1936, The use of multiple measurements in taxonomic problems). How
    strongly a concept is attended does not count, nor the size of the grid.

    A prompt with fewer than two concepts has nothing to tell apart, so it gets 0 and no gradient.
    """

    citations = ("fisher1936",)

    sharpness: float = 2.0
    """Power of the maps: 1 as they are; above, the faint attention far from an object counts less."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the unexplained share of the variance of each item, in [0, 1]."""
        groups = Preparation(normalisation="max")(maps, prompts)
        powers = groups.maps.pow(self.sharpness).flatten(2)
        shares = powers / at_least_tiny(powers.sum(-1, keepdim=True))  # -> (batch, concept, cell)
        cells = cell_positions(shares, *maps.size)
        centres = shares @ cells  # -> (batch, concept, 2)
        distances = (cells - centres[:, :, None]).square().sum(-1)  # -> (batch, concept, cell)
        there = groups.is_there.to(shares.dtype)
        count = there.sum(1).clamp(min=1)
        within = ((shares * distances).sum(-1) * there).sum(1) / count
        middle = (centres * there[..., None]).sum(1) / count[:, None]  # -> (batch, 2)
        between = ((centres - middle[:, None]).square().sum(-1) * there).sum(1) / count
        return (within / at_least_tiny(within + between)).masked_fill(groups.is_there.sum(1) < 2, 0)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have nothing to tell apart."""
        return missing_pair("Separability", prompt)


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Loss):
    """L = F / (F + N),   F and N the maximum of H(x) = 1 - A_idle(x) over the cells far from and near the concepts.

    A_idle(x) is what a cell attends to if it heeds nothing: the start token, as CLIP has it first, where end token and
    padding carry the caption. Text encoders without a start token (T5, large language models) leave such attention
    to the end token and the padding after it, which are idle then. So H(x) is how much a cell heeds the text.

    Rows of the text (`SiteSelection(rows="text")`) say where each word looks, and nothing about what a cell heeds: such
    maps get 0 and no gradient, so that no image restarts for them.

    A cell is near a concept if it is no farther from the peak of its map than `reach` times the grid's longer side. In
    [0, 1]: 0 if all attention to the text lies around the concepts, 1/2 if a third location attends as much. No
    gradient flows through where the peaks are. Attention to the prompt's scenery counts for nothing: a background is
    attended to everywhere, and a thing that is no concept where it is.
    """

    reach: float = 0.45
    """An object of the embedded world is up to half an image wide; smaller reaches take its rim for another object."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return the share of each item, in [0, 1]; 0 for a prompt without concepts."""
        groups = maps.group(prompts)
        near = (_distance_from_peak(groups.maps) <= self.reach * max(maps.size)) & groups.is_there[..., None]
        attending = 1 - _idle(maps, prompts)  # -> (batch, cell)
        is_near = near.any(1)  # -> (batch, cell)
        far, close = (attending.masked_fill(hidden, 0).amax(-1) for hidden in (is_near, ~is_near))
        says_something = groups.is_there.any(1) & (maps.rows == "image")
        return (far / at_least_tiny(far + close)).masked_fill(~says_something, 0)


def _idle(maps: Maps, prompts: Sequence[Prompt]) -> Float[Tensor, "batch cell"]:
    """Return how much each cell attends to the tokens that are idle, and to those of the scenery."""
    length = maps.tokens.shape[1]
    weights = torch.zeros(len(maps), length)
    for item, prompt in enumerate(prompts):
        weights[item, slice(0, 1) if prompt.has_start else slice(prompt.end, length)] = 1
        weights[item, list(prompt.scenery)] = 1
    return torch.einsum("bt,btc->bc", weights.to(maps.tokens), maps.tokens.flatten(2))


def _distance_from_peak(maps: Float[Tensor, "batch concept height width"]) -> Float[Tensor, "batch concept cell"]:
    """Return how many cells each cell is from the highest of its map."""
    cells = cell_positions(maps, *maps.shape[-2:])
    peaks = cells[maps.flatten(-2).argmax(-1)]  # -> (batch, concept, 2)
    return (cells - peaks[:, :, None]).square().sum(-1).sqrt()  # -> (batch, concept, cell)


HEEDFUL = Method(
    name="heedful",
    loss=Separability() + 3.0 * Elsewhere() + 0.4 * EbamaLoss(shares=PUBLISHED_SHARES),
    settings=Settings(
        sites=COARSEST_UP_SITES,
        scheme="one-pass",
        condition_alone=0.15,
        difference_kept=0.2,
        step_rule="root",
        step_size=0.11,
        longest=8.0,
        decay=(1.0, 0.5),
        guided=0.3,
        restart=Restart(step=0.25, limit=0.385, tries=3, is_optional=True, loss=Elsewhere()),
        text_edit=PhrasesAlone(share=0.5, is_optional=True),
    ),
)
"""Each concept in one location, no two in the same (`Separability`), no attention to the text in a third (`Elsewhere`),
nouns strong and with their modifiers (`EbamaLoss`). One setting for every model; no number has a unit of one of them:

- sites: the first up block of a U-Net that attends to the text; a transformer's usual ones, by the rows of the text
  where joint attention has any that can be read. There `Elsewhere` is 0, and no image restarts.
- An update is as long as the geometric mean of a multiple of its gradient and of a step's share of the way from noise
  to an image (`step_rule="root"`), so that images whose loss is steep are moved farthest, the resolution does not
  count, and the number of steps and how steep a loss is on one model count by their roots alone: the median gradient of
  `Separability` at the first step is twice as long on `crowded` as on `sprites`, and an eighth of that on `joint`.
  After the first step an update is at most 8 times as long as the way of the step before, a safety net.
- An image restarts with another noise if a third location is attended to by more than 0.385 / (1 - 0.385) = 63 % of
  what the concepts' own get: it would come out with one object too many. Before anything has taken shape it is about
  100 % on any model, so a limit relative to the first step (`Restart.relative`) says no more, and was no better. Runs
  that do not begin with noise go on without restarts.
- Each phrase of the text stands half as if it were alone, so that the second concept is not told by the first.
- Steps are one-pass, the first 15 % of them ask the condition alone, and behind the guided ones the difference of
  classifier-free guidance is kept for a fifth of the run. What that saves is spent on other noises.

Its own losses and the restart were chosen on development prompts of the embedded model `sprites`. On `crowded` that
helped little; EBAMA's term, as strong as EBAMA takes it by itself, and classifier-free guidance in most guided steps
were added for what development prompts there said. On `joint`, rows of the text took the place of those of the image.
The rule of the step was chosen on those of all three.
The edit of the text gains much on `crowded` and nothing on the others, whose text encoders learnt together with their
denoisers; where the text encoders are not CLIP, there is none.
docs/tuning.md says what was tried. Nobody has tried it on Stable Diffusion.
"""
