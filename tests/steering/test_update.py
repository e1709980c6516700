from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from heedful.steering.update import Direction, Look, move


class Bowl:
    """Loss: half the squared distance of an item's latents to zero; its gradient: the latents themselves."""

    def __init__(self) -> None:
        self.looked: list[list[int]] = []

    def __call__(self, items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        self.looked.append(list(items))
        return latents.square().sum((1, 2, 3)) / 2, latents.clone()


def start(*lengths: float) -> Tensor:
    return torch.tensor(lengths).view(-1, 1, 1, 1)


def raw(count: int) -> Direction:
    return Direction("raw", "gradient", range(count))


def test_update_goes_down_the_gradient() -> None:
    moved = move(start(1.0, 2.0), Bowl(), raw(2), 0.5)
    assert moved.latents.flatten().tolist() == [0.5, 1.0]
    assert moved.loss.tolist() == [0.5, 2.0]
    assert moved.refinements.tolist() == [0, 0]


def test_latents_that_are_passed_stay_as_they_are() -> None:
    latents = start(1.0)
    move(latents, Bowl(), raw(1), 0.5)
    assert latents.item() == 1


def test_refinement_goes_one_update_beyond_the_target_as_published() -> None:
    """Losses on the way: 2, 0.5, 0.125; the target .2 is reached at the third point, from which one more is made."""
    moved = move(start(2.0), Bowl(), raw(1), 0.5, update=False, target=0.2)
    assert moved.refinements.tolist() == [3]
    assert moved.latents.item() == 0.25


def test_only_images_above_their_target_are_looked_at_again() -> None:
    bowl = Bowl()
    moved = move(start(0.1, 2.0, 1.0), bowl, raw(3), 0.5, update=False, target=0.2)
    assert moved.refinements.tolist() == [0, 3, 2]
    assert bowl.looked == [[0, 1, 2], [1, 2], [1, 2], [1]]
    torch.testing.assert_close(moved.latents.flatten(), torch.tensor([0.1, 0.25, 0.25]))


def test_refinement_ends_at_its_budget() -> None:
    bowl = Bowl()
    moved = move(start(2.0), bowl, raw(1), 0.01, update=True, target=0.0, max_refinements=4)
    assert moved.refinements.tolist() == [4]
    assert len(bowl.looked) == 5  # no point twice; the last is where the ordinary update is made
    assert moved.latents.item() == pytest.approx(2 * 0.99**5)


def broken_at(item: int, value: float, what: str) -> Look:
    def look(items: Sequence[int], latents: Tensor) -> tuple[Tensor, Tensor]:
        loss, gradient = Bowl()(items, latents)
        if item in items:
            (loss if what == "loss" else gradient)[list(items).index(item)] = value
        return loss, gradient

    return look


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("target", [None, 0.2])
def test_update_that_is_not_finite_is_skipped_for_that_image_alone(
    what: str, value: float, target: float | None
) -> None:
    moved = move(start(2.0, 2.0), broken_at(0, value, what), raw(2), 0.5, target=target)
    alone = move(start(2.0), Bowl(), raw(1), 0.5, target=target)
    assert moved.skipped.tolist() == [True, False]
    assert moved.latents[0].item() == 2
    assert moved.latents[1].item() == alone.latents.item()


def test_rms_rule_gives_each_image_a_step_of_the_same_size() -> None:
    gradient = torch.randn(3, 4, 5, 5) * torch.tensor([1e-6, 1.0, 1e3]).view(3, 1, 1, 1)
    steps = Direction("rms", "gradient", range(3))([0, 1, 2], gradient, torch.ones(3))
    torch.testing.assert_close(steps.square().mean((1, 2, 3)), torch.ones(3))
    torch.testing.assert_close(torch.cosine_similarity(steps.flatten(1), gradient.flatten(1)), torch.ones(3))


def test_rules_that_divide_leave_a_zero_gradient_alone() -> None:
    zero = torch.zeros(1, 4, 2, 2)
    for rule in ("rms", "root"):
        for kind in ("gradient", "random"):
            assert Direction(rule, kind, [0])([0], zero, torch.ones(1)).abs().max() == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["raw", "mean-square", "root", "rms", "first", "polyak"])
def test_random_directions_are_as_long_as_what_they_replace(rule: str) -> None:
    gradient = torch.randn(2, 4, 5, 5) * 7
    true = Direction(rule, "gradient", [0, 1])([0, 1], gradient, torch.ones(2))  # type: ignore[arg-type]
    random = Direction(rule, "random", [0, 1])([0, 1], gradient, torch.ones(2))  # type: ignore[arg-type]
    torch.testing.assert_close(random.flatten(1).norm(dim=1), true.flatten(1).norm(dim=1))
    assert torch.cosine_similarity(random.flatten(1), true.flatten(1)).abs().max() < 0.5


def test_mean_square_rule_means_the_same_at_every_resolution() -> None:
    """A loss of the mean of the latents: twice as many of them share its gradient, and move as far."""
    for side in (4, 8):
        gradient = torch.full((1, 2, side, side), 1 / (2 * side * side))
        assert Direction("mean-square", "gradient", [0])([0], gradient, torch.ones(1)).unique().tolist() == [1.0]


@pytest.mark.parametrize("steps", [5, 20])
def test_root_rule_takes_the_mean_of_slope_and_share_of_the_run(steps: int) -> None:
    gradient = torch.randn(2, 4, 5, 5)
    gradient[1] = 4 * gradient[0]
    found = Direction("root", "gradient", [0, 1], steps)([0, 1], gradient, torch.ones(2))
    slope, twice = Direction("mean-square", "gradient", [0, 1])([0, 1], gradient, torch.ones(2)), found[0] * 2
    torch.testing.assert_close(found[1], twice)
    length, steep = (values[0].square().mean().sqrt() for values in (found, slope))
    torch.testing.assert_close(length, (steep * 2**0.5 / steps).sqrt())
    torch.testing.assert_close(found[0] / length, slope[0] / steep)


def test_first_rule_measures_all_updates_of_an_image_by_its_first_gradient() -> None:
    direct, slopes = Direction("first", "gradient", range(2)), torch.randn(2, 4, 5, 5) * 1e-3
    loss = torch.ones(2)
    firsts = direct([0, 1], slopes, loss)
    torch.testing.assert_close(firsts.square().mean((1, 2, 3)).sqrt(), torch.ones(2))
    torch.testing.assert_close(direct([1], slopes[1:] / 4, loss[1:]), firsts[1:] / 4)
    other = Direction("first", "gradient", range(1))
    other([0], slopes[:1] * 2, loss[:1])
    direct.take_over(1, other, 0)  # another noise goes on in the place of the second image
    torch.testing.assert_close(direct([1], slopes[:1], loss[:1]), firsts[:1] / 2)


def test_polyak_rule_brings_a_linear_loss_to_zero_whatever_its_scale() -> None:
    slopes = torch.randn(3, 4, 5, 5) * torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1, 1)
    losses = torch.tensor([0.2, 3.0, -1.0])
    steps = Direction("polyak", "gradient", range(3))([0, 1, 2], slopes, losses)
    torch.testing.assert_close((steps * slopes).sum((1, 2, 3)), losses.clamp(min=0))
    assert Direction("polyak", "gradient", [0])([0], torch.zeros(1, 4, 2, 2), losses[:1]).abs().max() == 0


def test_update_is_no_longer_than_its_bound() -> None:
    """Bowl's gradient is where the image is, so half of it would be 1 and 0.05; the second is below its bound."""
    moved = move(start(2.0, 0.1), Bowl(), raw(2), 0.5, longest=torch.tensor([0.25, 0.25]))
    torch.testing.assert_close(moved.latents.flatten(), torch.tensor([1.75, 0.05]))
    refined = move(start(2.0), Bowl(), raw(1), 0.5, update=False, target=1.0, longest=torch.tensor([0.25]))
    assert refined.refinements.tolist() == [4]  # each update is bounded: 1.75, 1.5, 1.25, and one beyond the target


def test_random_directions_come_from_the_seed_of_the_image_alone() -> None:
    gradient = torch.randn(2, 4, 3, 3)
    together = Direction("rms", "random", [5, 8])([0, 1], gradient, torch.ones(2))
    alone = Direction("rms", "random", [8])([0], gradient[1:], torch.ones(1))
    torch.testing.assert_close(together[1:], alone)
    assert not together[0].equal(together[1])


def test_random_directions_are_not_the_noise_that_the_same_seed_draws() -> None:
    noise = torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(3))
    direction = Direction("rms", "random", [3])([0], torch.ones(1, 4, 16, 16), torch.ones(1))
    assert float(torch.cosine_similarity(noise.flatten(), direction.flatten(), dim=0)) < 0.1
