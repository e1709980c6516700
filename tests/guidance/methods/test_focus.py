import math
from dataclasses import replace

import pytest
import torch

from heedful.attention import Maps, layout_of
from heedful.guidance.methods import FOCUS, FocusLoss
from heedful.prompts import Concept, Modifier, Prompt
from tests.transformer_pipelines import tiny_flux, tiny_sd3

WORDS = ("<s>", "red", "cat", "dog", "frog", "</s>")
CAT, RED_CAT = Concept("cat", "cat", (2,)), Concept("red cat", "cat", (2,), (Modifier("red", (1,)),))
DOG, FROG = Concept("dog", "dog", (3,)), Concept("frog", "frog", (4,))
LOSS = FocusLoss(sigma=None)
WITHIN, BETWEEN = FocusLoss(sigma=None, push=0.0), FocusLoss(sigma=None, pull=0.0)

LEFT, RIGHT = [[1.0, 0.0]], [[0.0, 1.0]]
P, Q = [[0.75, 0.25]], [[0.25, 0.75]]


def prompt(*concepts: Concept) -> Prompt:
    return Prompt("text", WORDS, concepts)


def drawn(**tokens: list[list[float]]) -> Maps:
    """Maps of the words by name; the others are zero."""
    maps = torch.zeros(1, len(WORDS) + 1, 1, 2)
    for word, cells in tokens.items():
        maps[0, WORDS.index(word)] = torch.tensor(cells)
    return Maps(maps)


def entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


def test_concepts_apart_whose_tokens_agree_are_the_minimum() -> None:
    assert float(LOSS(drawn(red=LEFT, cat=LEFT, dog=RIGHT), [prompt(RED_CAT, DOG)])) == pytest.approx(0, abs=1e-6)


def test_mixed_concepts_cost_one_half_and_a_scattered_one_its_share_of_another() -> None:
    assert float(LOSS(drawn(cat=P, dog=P), [prompt(CAT, DOG)])) == pytest.approx(0.5)
    scattered = drawn(red=LEFT, cat=RIGHT, dog=LEFT)
    assert float(WITHIN(scattered, [prompt(RED_CAT)])) == pytest.approx(0.5)
    assert float(WITHIN(scattered, [prompt(RED_CAT, DOG)])) == pytest.approx(0.25)  # the mean over two concepts


def test_divergence_of_cubed_maps_by_hand() -> None:
    """.75 and .25 cubed are 27 : 1."""
    expected = 1 - (math.log(2) - entropy(27 / 28, 1 / 28)) / math.log(2)
    assert float(BETWEEN(drawn(cat=P, dog=Q), [prompt(CAT, DOG)])) == pytest.approx(expected / 2)
    plain = 1 - (math.log(2) - entropy(0.75, 0.25)) / math.log(2)
    loss = FocusLoss(sigma=None, pull=0.0, power=1.0)
    assert float(loss(drawn(cat=P, dog=Q), [prompt(CAT, DOG)])) == pytest.approx(plain / 2)


def test_three_concepts_are_as_far_apart_as_they_can_be_at_the_logarithm_of_three() -> None:
    maps = torch.zeros(1, 7, 1, 3)
    maps[0, 2:5, 0] = torch.eye(3)
    assert float(BETWEEN(Maps(maps), [prompt(CAT, DOG, FROG)])) == pytest.approx(0, abs=1e-6)
    two_alike = drawn(cat=LEFT, dog=LEFT, frog=RIGHT)
    expected = 1 - entropy(2 / 3, 1 / 3) / math.log(3)
    assert float(BETWEEN(two_alike, [prompt(CAT, DOG, FROG)])) == pytest.approx(expected / 2)


def test_map_of_a_concept_is_the_mean_of_its_tokens_before_the_cube() -> None:
    even = [[0.5, 0.5]]
    split = BETWEEN(drawn(red=LEFT, cat=RIGHT, dog=Q), [prompt(RED_CAT, DOG)])
    torch.testing.assert_close(split, BETWEEN(drawn(cat=even, dog=Q), [prompt(CAT, DOG)]))


def test_tokens_of_a_noun_count_as_those_of_its_modifiers() -> None:
    maps = drawn(red=P, cat=Q, dog=LEFT)
    noun = Concept("red cat", "red cat", (1, 2))
    assert float(LOSS(maps, [prompt(noun, DOG)])) == float(LOSS(maps, [prompt(RED_CAT, DOG)]))


@pytest.mark.parametrize("factor", [1e-1, 1e-3, 1e-5])
def test_scale_of_all_maps_does_not_matter_even_if_their_cubes_are_next_to_nothing(factor: float) -> None:
    maps = drawn(red=P, cat=Q, dog=Q)
    weak = Maps((factor * maps.tokens).requires_grad_())
    value = LOSS(weak, [prompt(RED_CAT, DOG)])
    torch.testing.assert_close(value, LOSS(maps, [prompt(RED_CAT, DOG)]), rtol=1e-5, atol=0)
    (gradient,) = torch.autograd.grad(value.sum(), weak.tokens)
    assert float((gradient * weak.tokens.detach()).sum().abs()) < 1e-5  # no way to lower it by growing or shrinking
    assert float((factor * gradient).abs().max()) > 1e-2


def test_one_concept_of_one_token_is_refused_by_name_and_adds_nothing() -> None:
    tokens = drawn(red=P, cat=Q, dog=P).tokens.repeat(3, 1, 1, 1).requires_grad_()
    loss = LOSS(Maps(tokens), [prompt(CAT), prompt(), prompt(RED_CAT)])
    assert loss[:2].tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(loss.sum(), tokens)
    assert [bool(one.abs().sum() > 0) for one in gradient] == [False, False, True]
    assert LOSS.idle_for(prompt(CAT)) == (
        "FocusLoss needs two concepts or one of several tokens, and 'text' has 'cat': it adds nothing.",
    )
    assert "has none" in LOSS.idle_for(prompt())[0]
    assert LOSS.idle_for(prompt(RED_CAT)) == LOSS.idle_for(prompt(CAT, DOG)) == ()


def test_batch_without_any_concept_is_zero() -> None:
    assert LOSS(drawn(cat=P), [prompt()]).tolist() == [0]


def test_maps_are_smoothed_unless_told_otherwise() -> None:
    apart = torch.zeros(1, 7, 3, 4)
    apart[0, 2, :, 1], apart[0, 3, :, 2] = 1.0, 1.0
    both = [prompt(CAT, DOG)]
    assert float(LOSS(Maps(apart), both)) == pytest.approx(0, abs=1e-6)
    narrow, wide = (float(FocusLoss(convention=it)(Maps(apart), both)) for it in ("true", "reference"))
    assert min(narrow, wide) > 0.05
    assert narrow != pytest.approx(wide, rel=1e-2)


def test_published_steps_are_those_of_the_velocity_times_the_length_of_a_step() -> None:
    """v <- v - lambda sigma (1 - t) gradient, and Euler's step x <- x + v / N."""
    sizes = replace(FOCUS.settings, step_size=3.0).step_sizes(28)
    for step, size in enumerate(sizes):
        time = step / 28
        sigma = 2 * (1 - time + 1e-3) / (time + 1e-3)
        assert size == pytest.approx(3.0 * sigma * (1 - time) / 28)
    assert FOCUS.settings.guided_steps(28) == 28


def test_published_sites_are_all_of_stable_diffusion_3_and_the_double_blocks_of_flux() -> None:
    flux, sd3 = tiny_flux().transformer, tiny_sd3().transformer
    for denoiser, single in ((flux, True), (sd3, False)):
        sites = layout_of(denoiser).find_sites(denoiser)
        chosen = FOCUS.settings.sites.choose(sites, (8, 8))
        assert [site.name for site in chosen] == [it.name for it in sites if it.name.startswith("transformer_blocks.")]
        assert (len(chosen) < len(sites)) == single
