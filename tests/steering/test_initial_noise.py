"""The search for an initial noise, on bowls whose bottom is known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful import losses
from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.guidance import InitialNoise, methods
from heedful.guidance.methods import INITNO
from heedful.prompts import Prompt
from heedful.steering.initial_noise import choose_noise, divergence, shrink
from tests.pipelines import generator

WIDE = 1e9
assert INITNO.settings.initial_noise is not None
SEARCH = INITNO.settings.initial_noise
FREE = replace(SEARCH, noises=1, iterations=10, final_iterations=0, divergence=WIDE)
SMALL = replace(SEARCH, noises=2, iterations=2, final_iterations=2)


def noise_of(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


class Bowl:
    """Cross response: the mean square of a noise, times `factor`; no conflict."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.looked: list[tuple[list[int], Tensor]] = []

    def __call__(self, items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        self.looked.append((list(items), latents.clone()))
        values = self.factor * latents.square().mean((1, 2, 3))
        return torch.stack([values, torch.zeros_like(values)], dim=1), 2 * self.factor * latents / latents[0].numel()


def scored(table: Sequence[float]) -> Callable[[Sequence[int], Tensor], tuple[Tensor, Tensor]]:
    """A look at one image whose conflicts are those of `table`, one after the other; its cross response is 0."""
    left = list(table)

    def look(items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor([[0.0, left.pop(0)]], dtype=torch.float64), torch.ones_like(latents)

    return look


def test_noise_that_is_accepted_stays_as_it_is() -> None:
    noise = noise_of(2, 1, 3, 3)
    found, traces = choose_noise(SEARCH, noise, [0, 1], Bowl(factor=1e-3))
    assert found.equal(noise)
    assert [(trace.noises, trace.iterations, trace.is_accepted) for trace in traces] == [(1, 1, True)] * 2


def test_mean_and_variance_move_as_autograd_and_adam_move_them() -> None:
    noise = noise_of(1, 2, 3, 3)
    mean, log_variance = (torch.zeros_like(noise).requires_grad_() for _ in range(2))
    adam = torch.optim.Adam([mean, log_variance], lr=1e-2, eps=1e-3)
    for _ in range(9):
        adam.zero_grad()
        (noise * (0.5 * log_variance).exp() + mean).square().mean().backward()
        adam.step()
    found, _ = choose_noise(FREE, noise, [0], Bowl())
    torch.testing.assert_close(found, (noise * (0.5 * log_variance).exp() + mean).detach(), rtol=1e-12, atol=0)


def test_least_scores_that_were_seen_win_if_none_is_accepted() -> None:
    """The second look at the second noise has .45, the least of two noises, and 2 more looks begin there again."""
    looked: list[Tensor] = []
    table = scored([0.7, 0.6, 0.5, 0.45, 0.46, 0.6])

    def look(items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        looked.append(latents.clone())
        return table(items, latents)

    found, (trace,) = choose_noise(SMALL, noise_of(1, 1, 2, 2), [7], look)
    assert found.equal(looked[3])
    assert looked[4].equal(looked[3])
    assert not looked[5].equal(looked[3])
    assert (trace.noises, trace.iterations, trace.is_accepted) == (2, 6, False)
    assert (trace.cross, trace.conflict) == ((0.0, 0.0), (0.7, 0.45))


def test_acceptance_ends_the_search_even_at_larger_scores() -> None:
    """Both limits count, not the sum: a conflict below its limit with any cross response below its own."""
    found, (trace,) = choose_noise(SMALL, noise_of(1, 1, 2, 2), [7], scored([0.7, 0.31, 0.29]))
    assert (trace.noises, trace.iterations, trace.is_accepted) == (2, 3, True)
    assert trace.conflict == (0.7, 0.29)
    assert found.shape == (1, 1, 2, 2)


def test_only_images_that_are_still_searched_for_are_looked_at() -> None:
    bowl = Bowl()
    noise = torch.cat([noise_of(1, 1, 2, 2) * 0.1, noise_of(2, 1, 2, 2, seed=1)])
    _, traces = choose_noise(SMALL, noise, [0, 1, 2], bowl)
    assert [items for items, _ in bowl.looked] == [[0, 1, 2]] + [[1, 2]] * 5
    assert [trace.is_accepted for trace in traces] == [True, False, False]


def test_further_noises_come_from_the_images_seed_alone() -> None:
    noise = noise_of(2, 2, 4, 4)
    together, alone, other = Bowl(), Bowl(), Bowl()
    choose_noise(replace(SMALL, noises=3), noise, [5, 8], together)
    choose_noise(replace(SMALL, noises=3), noise[1:], [8], alone)
    choose_noise(replace(SMALL, noises=3), noise[1:], [9], other)
    for (_, whole), (_, single) in zip(together.looked, alone.looked, strict=True):
        assert whole[1:].equal(single)
    starts = [alone.looked[i][1] for i in (0, 2, 4)] + [other.looked[2][1]]
    starts.append(torch.randn(1, 2, 4, 4, generator=generator(8)).double())  # what a pipeline draws from this seed
    for i, first in enumerate(starts):
        assert all(float(torch.cosine_similarity(first.flatten(), s.flatten(), 0)) < 0.5 for s in starts[i + 1 :])


@pytest.mark.parametrize("what", ["score", "gradient"])
def test_noise_whose_gradient_is_not_finite_is_given_up_for_that_image_alone(what: str) -> None:
    calls: list[list[int]] = []

    def look(items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(list(items))
        scores, gradient = Bowl()(items, latents)
        if 0 in items:
            (scores if what == "score" else gradient)[list(items).index(0)] = torch.nan
        return scores, gradient

    noise = noise_of(2, 1, 2, 2)
    found, traces = choose_noise(SMALL, noise, [0, 1], look)
    alone, _ = choose_noise(SMALL, noise[1:], [1], Bowl())
    assert calls == [[0, 1], [1], [0, 1], [1], [0, 1], [1]]
    assert [trace.skipped for trace in traces] == [3, 0]
    assert found[1:].equal(alone)
    assert found.isfinite().all()
    assert (what == "gradient") or found[0].equal(noise[0])


def test_noise_stays_near_a_standard_normal() -> None:
    noise, limit = noise_of(1, 2, 8, 8), 1e-3
    mean, log_variance = noise_of(2, 8, 8, seed=1), noise_of(2, 8, 8, seed=2)
    before = mean.clone(), log_variance.clone()
    shrink(mean, log_variance, limit)
    assert 0.95 * limit < divergence(mean, log_variance) <= 1.001 * limit
    ratio = mean / before[0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, float(ratio.mean())))
    torch.testing.assert_close(log_variance / before[1], ratio)
    small = mean / 10, log_variance / 10
    kept = small[0].clone()
    shrink(*small, limit)
    assert small[0].equal(kept)
    near, _ = choose_noise(replace(FREE, divergence=limit, final_iterations=40), noise, [0], Bowl())
    far, _ = choose_noise(replace(FREE, final_iterations=40), noise, [0], Bowl())
    assert 0 < float((near - noise).square().mean().sqrt()) < 0.1 < float((far - noise).square().mean().sqrt())


def test_divergence_is_that_of_torch() -> None:
    mean, log_variance = noise_of(1, 3, 3), noise_of(1, 3, 3, seed=1)
    moved = torch.distributions.Normal(mean, (log_variance / 2).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(moved, standard).mean()
    assert divergence(mean, log_variance) == pytest.approx(float(expected))


@pytest.mark.parametrize(("value", "has_gradient"), [(0.6, False), (0.4, True)])
def test_conflict_has_no_gradient_above_the_gate(value: float, has_gradient: bool) -> None:
    tokens = torch.full((1, 3, 2, 2), value).requires_grad_()

    def mean(maps: Maps, prompts: Sequence[Prompt], previous: Maps | None) -> Tensor:
        return maps.tokens.mean((1, 2, 3))

    settings = InitialNoise(cross=mean, conflict=lambda *given: 3.0 * mean(*given))
    scores = settings(Maps(tokens), [Prompt("a", ("<s>", "a", "</s>"), ())])
    torch.testing.assert_close(scores.detach(), torch.tensor([[value, 3 * value]]))
    (gradient,) = torch.autograd.grad(scores.sum(), tokens)
    torch.testing.assert_close(gradient, torch.full_like(tokens, (1 + 3 * has_gradient) / 12))


@pytest.mark.parametrize("changes", [{"noises": 0}, {"iterations": 0}, {"final_iterations": -1}, {"epsilon": 0.0}])
def test_impossible_numbers_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="Expected"):
        replace(SEARCH, **changes)


def test_repr_can_be_evaluated() -> None:
    assert eval(repr(SMALL), {"InitialNoise": InitialNoise} | vars(losses) | vars(methods)) == SMALL
