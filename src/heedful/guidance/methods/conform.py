"""CONFORM (Meral et al., CVPR 2024, arXiv 2312.06059): contrast; tokens of a concept attract, others repel.

The paper's other variant, a margin-based contrastive loss, is not here. Nor is its anchor step: memory is the step
before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.attention import Maps, SiteSelection
from heedful.losses import PUBLISHED_SHARES, Loss, TextShares, at_least_tiny, missing_pair
from heedful.prompts import Prompt
from heedful.shapes import PerItem
from heedful.steering import EMBEDDED, Method, Settings


@dataclass(frozen=True, kw_only=True)
class ConformLoss(Loss):
    """L = mean over (i, j) of -log[e^(c_ij / T) / (e^(c_ij / T) + sum over k of e^(c_ik / T))]   (NT-Xent).

    The samples are the maps of all tokens of all concepts, modifiers included, now and at the step before, each
    prepared as in Attend-and-Excite. c_ij is the cosine of two maps, in [0, 1]; (i, j) are ordered pairs of samples of
    the same concept, k the samples of the other concepts, T the temperature. Not negative; for two concepts of two
    tokens, with memory, it is least at ln(1 + 4 e^(-1/T)).

    No gradient flows into the step before. At the first step there is none, so a concept of one token has no pair, and
    a prompt of such concepts alone gets 0. The published code multiplies the maps that it remembers by 100 at each
    call, in place, until they overflow; here memory is never changed. A prompt with fewer than two concepts has
    nothing to repel, so it gets 0 and no gradient; `heedful.guide` says so once.
    """

    citations = ("meral2024conform",)

    temperature: float = 0.5
    """As published; lower ones weigh the nearest samples more. Above 0."""
    shares: TextShares = field(default_factory=TextShares)
    """The published examples use raw maps: `TextShares(scale=None)`."""

    def __call__(self, maps: Maps, prompts: Sequence[Prompt], previous: Maps | None = None) -> PerItem:
        """Return L for each item."""
        steps = [maps] if previous is None else [maps, previous.detach()]
        words = [[(index,) for concept in prompt.concepts for index in concept.phrase] for prompt in prompts]
        groups = [self.shares(step, prompts).group_tokens(words) for step in steps]
        samples = torch.cat([group.maps for group in groups], dim=1).flatten(-2)  # -> (batch, sample, cell)
        is_there = torch.cat([group.is_there for group in groups], dim=1)
        owners = _owners(prompts, groups[0].maps.shape[1]).to(samples.device).repeat(1, len(steps))
        return nt_xent(samples, owners, is_there, self.temperature)

    def idle_for(self, prompt: Prompt) -> tuple[str, ...]:
        """Return that fewer than two concepts have nothing to repel."""
        return missing_pair("ConformLoss", prompt)


def nt_xent(
    samples: Float[Tensor, "batch sample cell"],
    owners: Int[Tensor, "batch sample"],
    is_there: Bool[Tensor, "batch sample"],
    temperature: float,
) -> PerItem:
    """Return the mean over ordered pairs of samples of one owner of ln(1 + sum over the others' e^(c_ik - c_ij)).

    c is the cosine over the temperature. 0 where all samples have one owner, or each has its own.
    """
    directions = F.normalize(samples, dim=-1, eps=float(at_least_tiny(samples.new_zeros(()))))
    likeness = directions @ directions.mT / temperature  # -> (batch, sample, sample)
    is_pair = is_there[:, :, None] & is_there[:, None, :]  # -> (batch, sample, sample)
    is_same = owners[:, :, None] == owners[:, None, :]
    is_self = torch.eye(samples.shape[1], dtype=torch.bool, device=samples.device)
    lowest = torch.finfo(likeness.dtype).min  # not infinite: a row without others would have no gradient
    others = likeness.masked_fill(is_same | ~is_pair, lowest).logsumexp(-1, keepdim=True)
    is_positive = is_pair & is_same & ~is_self
    values = F.softplus(others - likeness).masked_fill(~is_positive, 0)
    return values.sum((-2, -1)) / is_positive.sum((-2, -1)).clamp(min=1)


def _owners(prompts: Sequence[Prompt], width: int) -> Int[Tensor, "batch sample"]:
    """Return which concept each sample of one step belongs to; -1 where there is none."""
    own = [[index for index, concept in enumerate(it.concepts) for _ in concept.phrase] for it in prompts]
    return torch.tensor([row + [-1] * (width - len(row)) for row in own], dtype=torch.long).view(len(own), width)


_EVERY_TIME = float("-inf")
"""A target that no loss reaches: as many refinements as are allowed."""

CONFORM = Method(
    name="conform",
    loss=ConformLoss(shares=PUBLISHED_SHARES),
    settings=Settings(
        guided=0.5, targets=((0.0, _EVERY_TIME), (0.2, _EVERY_TIME), (0.4, _EVERY_TIME)), max_refinements=20
    ),
    embedded=replace(EMBEDDED, sites=SiteSelection(scale=2), step_size=2.0),
)
"""Maps of one concept attract, those of others repel, also those of the step before.

- Published, from its code: 20 refinements at each of steps 0, 10 and 20 of 50.
- Embedded models: every 8x8 site was better than the best one alone.
- Not here: the paper's margin-based variant, and its anchor step: memory is the step before.
"""
