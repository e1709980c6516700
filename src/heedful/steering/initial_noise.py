"""The initial noise of each image, chosen and moved before the first step (InitNO, Guo et al., CVPR 2024).

The caller passes `look`, which asks the denoiser. Images never mix: each has its own noises, drawn from its own
seed, its own optimiser and its own end.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.losses import AnyLoss, Total, citations_of, needs_self_attention
from heedful.prompts import Prompt
from heedful.shapes import Latents
from heedful.steering.trace import NoiseTrace
from heedful.steering.update import stream

Scores = Float[Tensor, "batch 2"]
"""Cross response and conflict of each image at the first step."""

Look = Callable[[Sequence[int], Latents], tuple[Scores, Latents]]
"""(items, their noises) -> (their scores, gradient of the sum of each one's scores with respect to its noise)."""

Noise = Float[Tensor, "channel height width"]


@dataclass(frozen=True, kw_only=True)
class InitialNoise:
    """z = z0 exp(v / 2) + m, with m and v moved by Adam until cross and conflict are below their limits   (InitNO).

    m and v are the mean and the log variance of each number of the noise; both begin at 0. The pipeline's own noise z0
    comes first. If it is not accepted within `iterations`, another z0 is drawn, up to `noises` in all; if none is, the
    best point of all that were seen gets `final_iterations` more. What is used is the accepted point, or else the best
    seen, so it is never worse than the pipeline's own.

    Where paper and code are silent or differ:

    - after each update, m and v are shrunk by a common factor until the KL divergence from a standard normal, mean over
      the numbers of the noise, is at most `divergence`. The code descends the divergence by the same Adam until it is,
      which mixes both gradients in Adam's averages;
    - "best" is the least sum of both losses, and the conflict counts above `gate` too;
    - one iteration is one look at a point: what the last update leads to is not looked at, so it is not used;
    - the code's argument that turns the search off is overridden inside; here `Settings(initial_noise=None)` does it.

    A run that does not begin with noise, such as image-to-image, is refused with `SettingsError`, which is also raised
    for numbers that are not possible.
    """

    cross: AnyLoss
    """Cross response: how little the least attended concept is attended to. InitNO's is Attend-and-Excite's loss, whose
    maximum leaves all other concepts without gradient, as published."""
    conflict: AnyLoss
    """Overlap of the concepts. InitNO's is that of the self-attention of the cells in which they peak."""
    cross_limit: float = 0.2
    """A noise is accepted if its cross response is below this,"""
    conflict_limit: float = 0.3
    """and its conflict below this."""
    gate: float = 0.5
    """While the cross response is above this, the conflict passes no gradient."""
    noises: int = 5
    """Noises tried, the pipeline's own included."""
    iterations: int = 10
    """Number of looks at each of them, at most."""
    final_iterations: int = 50
    """Number of further looks at the best, if none was accepted."""
    learning_rate: float = 1e-2
    epsilon: float = 1e-3
    """Adam's epsilon: gradients much smaller than this move the noise by less than the learning rate."""
    divergence: float = 1e-3
    """Largest KL divergence per number; 0.001 lets m have a root mean square of 0.045."""

    def __post_init__(self) -> None:
        if self.noises < 1 or self.iterations < 1 or self.final_iterations < 0:
            raise SettingsError(
                f"Expected at least one noise and one iteration, got {self.noises} noises, {self.iterations} and "
                f"{self.final_iterations} iterations. Use initial_noise=None for no search."
            )
        if self.learning_rate < 0 or self.epsilon <= 0 or self.divergence < 0:
            raise SettingsError(
                f"Expected no negative learning rate or divergence and a positive epsilon, got {self.learning_rate}, "
                f"{self.divergence} and {self.epsilon}."
            )

    @property
    def loss(self) -> Total:
        """Both losses together."""
        return Total((self.cross, self.conflict))

    @property
    def citations(self) -> tuple[str, ...]:
        """Keys of the papers behind it and its losses."""
        return tuple(dict.fromkeys(["guo2024initno", *citations_of(self.loss)]))

    @property
    def needs_self_attention(self) -> bool:
        """Whether one of its losses does."""
        return needs_self_attention(self.loss)

    def __call__(self, maps: Maps, prompts: Sequence[Prompt]) -> Scores:
        """Return cross response and conflict of each item; above the gate, the conflict has no gradient."""
        cross, conflict = self.cross(maps, prompts, None), self.conflict(maps, prompts, None)
        return torch.stack([cross, torch.where(cross > self.gate, conflict.detach(), conflict)], dim=1)  # -> (batch, 2)

    def accepts(self, cross: float, conflict: float) -> bool:
        """Return whether both are below their limits."""
        return cross < self.cross_limit and conflict < self.conflict_limit


def choose_noise(
    settings: InitialNoise, noise: Latents, seeds: Sequence[int], look: Look
) -> tuple[Latents, tuple[NoiseTrace, ...]]:
    """Return the noise that each image is to begin with, and how it was found; `noise` is the pipeline's own.

    Images that are still being searched for are looked at together.
    """
    searches = [_Search(settings, own, seed) for own, seed in zip(noise, seeds, strict=True)]

    def iterate(count: int) -> None:
        for _ in range(count):
            items = [item for item, search in enumerate(searches) if not search.is_over]
            if not items:
                return
            scores, gradient = look(items, torch.stack([searches[item].latents for item in items]))
            for item, (cross, conflict), slope in zip(items, scores.tolist(), gradient, strict=True):
                searches[item].see(cross, conflict, slope)

    for number in range(settings.noises):
        for search in searches:
            search.begin(number)
        iterate(settings.iterations)
    for search in searches:
        search.return_to_best()
    iterate(settings.final_iterations)
    return torch.stack([search.best.latents for search in searches]), tuple(search.trace() for search in searches)


class _Point:
    """A noise with its mean and log variance, and the Adam that moves them."""

    def __init__(self, settings: InitialNoise, noise: Noise, mean: Noise, log_variance: Noise):
        self.noise, self.mean, self.log_variance = noise, mean.clone(), log_variance.clone()
        self._settings = settings
        self._adam = torch.optim.Adam([self.mean, self.log_variance], lr=settings.learning_rate, eps=settings.epsilon)

    @property
    def latents(self) -> Noise:
        return self.noise * (self.log_variance / 2).exp() + self.mean

    def copy(self) -> "_Point":
        """Return the same point, whose Adam remembers nothing."""
        return _Point(self._settings, self.noise, self.mean, self.log_variance)

    def descend(self, gradient: Noise) -> None:
        """Make one update, given the gradient with respect to the latents."""
        self.mean.grad = gradient
        self.log_variance.grad = gradient * self.noise * (self.log_variance / 2).exp() / 2
        self._adam.step()
        shrink(self.mean, self.log_variance, self._settings.divergence)


class _Search:
    """The search for one image's noise."""

    def __init__(self, settings: InitialNoise, own: Noise, seed: int):
        self._settings = settings
        self._own = own
        self._seed = seed
        self._point = _Point(settings, own, torch.zeros_like(own), torch.zeros_like(own))
        self.best = self._point.copy()
        self._best_scores = (float("inf"), float("inf"))
        self._scores: list[tuple[float, float]] = []
        self._noises = self._skipped = 0
        self._is_accepted = self._is_stuck = False

    @property
    def is_over(self) -> bool:
        """Whether this noise needs no further look: it is accepted, or it cannot be moved."""
        return self._is_accepted or self._is_stuck

    @property
    def latents(self) -> Noise:
        """The point to be looked at next."""
        return self._point.latents

    def begin(self, number: int) -> None:
        """Go on to the next noise, unless one is accepted; number 0 is the pipeline's own."""
        if self._is_accepted:
            return
        noise = self._own
        if number:
            drawn = torch.randn(noise.shape, generator=stream(f"noise {number}", self._seed))
            noise = drawn.to(noise)
        self._point = _Point(self._settings, noise, torch.zeros_like(noise), torch.zeros_like(noise))
        self._noises += 1
        self._is_stuck = False

    def return_to_best(self) -> None:
        """Go back to the best point that was seen, unless one is accepted."""
        if not self._is_accepted:
            self._point, self._is_stuck = self.best.copy(), False

    def see(self, cross: float, conflict: float, gradient: Noise) -> None:
        """Take note of the scores of the point, and move on from it."""
        self._scores.append((cross, conflict))
        if cross + conflict < sum(self._best_scores) or self._settings.accepts(cross, conflict):
            self.best, self._best_scores = self._point.copy(), (cross, conflict)
        self._is_accepted = self._settings.accepts(cross, conflict)
        if self._is_accepted:
            return
        if math.isfinite(cross + conflict) and gradient.isfinite().all():
            self._point.descend(gradient)
        else:
            self._is_stuck = True
            self._skipped += 1

    def trace(self) -> NoiseTrace:
        """Return what happened."""
        first, last = self._scores[0], self._best_scores
        return NoiseTrace(
            noises=self._noises,
            iterations=len(self._scores),
            is_accepted=self._is_accepted,
            cross=(first[0], last[0]),
            conflict=(first[1], last[1]),
            skipped=self._skipped,
        )


def divergence(mean: Noise, log_variance: Noise) -> float:
    """Return the KL divergence of N(mean, exp(log_variance)) from N(0, 1), mean over the numbers of the noise."""
    return float((mean.square() + log_variance.expm1() - log_variance).mean() / 2)


def shrink(mean: Noise, log_variance: Noise, limit: float) -> None:
    """Multiply both, in place, by a common factor that brings their divergence just to `limit` if it is above.

    The divergence is nearly quadratic in the factor where it is small, as after one update: one round, or two.
    """
    while (now := divergence(mean, log_variance)) > limit * 1.001:
        factor = (limit / now) ** 0.5
        mean.mul_(factor)
        log_variance.mul_(factor)
