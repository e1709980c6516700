"""ISAC on maps whose instances are known: four cells in a row, of which each pair looks at itself."""

from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.guidance import find_method, guide
from heedful.guidance.methods import ISAC, ISAC_SELECTION, InstanceOverlap, SemanticOverlap
from heedful.guidance.methods.isac import cluster
from heedful.losses import Handover, loss_at
from heedful.prompts import Concept, Modifier, Prompt
from heedful.references import cite
from tests.pipelines import latents_of, tiny_pipeline

WORDS = ("<s>", "red", "cat", "dog", "</s>")
CAT = Concept("red cat", "cat", (2,), (Modifier("red", (1,)),))
DOG = Concept("dog", "dog", (3,))
BOTH, ONE = Prompt("red cat dog", WORDS, (CAT, DOG)), Prompt("red cat", WORDS, (CAT,))
BARE = Prompt("dog", WORDS, (DOG,))
HALVES = torch.block_diag(torch.full((2, 2), 0.5), torch.full((2, 2), 0.5))
EVEN = torch.full((4, 4), 0.25)
LEFT, RIGHT = [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]


def drawn(rows: Tensor, red: list[float], cat: list[float], dog: list[float]) -> Maps:
    """Maps of 1 x 4 cells, whose self-attention is `rows`."""
    tokens = torch.tensor([[0.0] * 4, red, cat, dog, [0.0] * 4])[None, :, None]
    return Maps(tokens, rows[None].unflatten(-1, (1, 4)))


def test_instances_that_look_at_themselves_alone_do_not_overlap() -> None:
    assert float(InstanceOverlap()(drawn(HALVES, LEFT, LEFT, RIGHT), [BOTH])) == 0


def test_cell_that_looks_at_both_instances_alike_overlaps_by_a_quarter() -> None:
    rows = HALVES.clone()
    rows[1] = 0.25
    assert float(InstanceOverlap()(drawn(rows, LEFT, LEFT, RIGHT), [BOTH])) == pytest.approx(0.25)
    rows[1] = torch.tensor([0.3, 0.3, 0.2, 0.2])
    assert float(InstanceOverlap()(drawn(rows, LEFT, LEFT, RIGHT), [BOTH])) == pytest.approx(0.6 * 0.4)


def test_background_is_no_instance() -> None:
    """The last cell looks at both, but no concept is there."""
    rows = torch.eye(4)
    rows[3] = 0.25
    maps = drawn(rows, [1.0, 0, 0, 0], [1.0, 0, 0, 0], [0, 0, 1.0, 0])
    assert float(InstanceOverlap()(maps, [BOTH])) == 0


def test_instances_pass_no_gradient_through_the_clusters_and_none_to_the_text() -> None:
    rows = (HALVES + 0.1 * EVEN).requires_grad_()
    maps = drawn(rows, LEFT, LEFT, RIGHT)
    tokens = maps.tokens.requires_grad_()
    by_rows, by_tokens = torch.autograd.grad(InstanceOverlap()(maps, [BOTH]).sum(), [rows, tokens], allow_unused=True)
    assert by_rows.abs().sum() > 0
    assert by_tokens is None


@pytest.mark.parametrize("relative", [False, True])
def test_meanings_fall_as_concepts_part_and_as_a_word_comes_to_its_concept(relative: bool) -> None:
    loss = SemanticOverlap(relative=relative)
    best = float(loss(drawn(HALVES, LEFT, LEFT, RIGHT), [BOTH]))
    assert best == pytest.approx(0, abs=1e-6)
    for red, cat, dog in (
        (LEFT, LEFT, [0.5, 0.0, 1.0, 1.0]),
        (RIGHT, LEFT, RIGHT),
        ([0.5, 0.5, 1.0, 1.0], LEFT, RIGHT),
    ):
        assert float(loss(drawn(HALVES, red, cat, dog), [BOTH])) > best + 0.1


def test_meanings_are_spread_along_self_attention() -> None:
    """Cat in one cell of the left half is in all of it."""
    maps = drawn(HALVES, LEFT, [1.0, 0, 0, 0], [0, 1.0, 0, 0])
    assert float(SemanticOverlap()(maps, [Prompt("", WORDS, (Concept("cat", "cat", (2,)), DOG))])) == pytest.approx(
        0.25
    )


def test_raw_maps_hardly_count_unless_each_is_divided_by_its_maximum() -> None:
    faint = drawn(HALVES, LEFT, LEFT, LEFT)
    faint = Maps(faint.tokens / 77, faint.self_attention)
    bare = Prompt("", WORDS, (Concept("cat", "cat", (2,)), DOG))
    assert float(SemanticOverlap()(faint, [bare])) == pytest.approx(1 / 77**2)
    assert float(SemanticOverlap(relative=True)(faint, [bare])) == pytest.approx(1)


def test_prompts_with_nothing_to_part_get_nothing_and_say_so() -> None:
    maps = drawn(EVEN, LEFT, LEFT, LEFT)
    assert InstanceOverlap()(maps, [ONE]).tolist() == SemanticOverlap()(maps, [BARE]).tolist() == [0]
    assert "InstanceOverlap needs two concepts" in InstanceOverlap().idle_for(ONE)[0]
    assert "or one with a modifier" in SemanticOverlap().idle_for(BARE)[0]
    assert SemanticOverlap().idle_for(ONE) == InstanceOverlap().idle_for(BOTH) == ()


def test_items_of_a_batch_do_not_mix() -> None:
    one, other = drawn(HALVES, LEFT, LEFT, RIGHT), drawn(EVEN, LEFT, RIGHT, RIGHT)
    assert one.self_attention is not None and other.self_attention is not None
    both = Maps(torch.cat([one.tokens, other.tokens]), torch.cat([one.self_attention, other.self_attention]))
    for loss in (InstanceOverlap(), SemanticOverlap()):
        torch.testing.assert_close(loss(both, [BOTH, ONE]), torch.cat([loss(one, [BOTH]), loss(other, [ONE])]))


def test_maps_of_the_text_alone_are_refused() -> None:
    for loss in (InstanceOverlap(), SemanticOverlap()):
        assert loss.needs_self_attention
        with pytest.raises(SettingsError, match="self-attention for ISAC"):
            loss(Maps(torch.ones(1, 5, 1, 4)), [BOTH])


def test_clusters_are_found_from_any_cell_even_if_cells_are_the_same() -> None:
    features = torch.tensor([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0], [0.0, 9.0]])
    for first in range(5):
        owners = cluster(features, 3, first).argmax(1).tolist()
        assert owners[0] == owners[1] != owners[2] == owners[3] != owners[4] != owners[0]
    assert cluster(torch.zeros(3, 2), 2, 0).sum() == 3


def test_instances_hand_over_to_meanings_in_the_course_of_the_run() -> None:
    maps = drawn(HALVES + 0.1 * EVEN, LEFT, LEFT, LEFT)
    parts = [float(loss(maps, [BOTH])) for loss in (InstanceOverlap(), SemanticOverlap())]
    assert ISAC.loss == Handover(first=InstanceOverlap(), last=SemanticOverlap())
    for share in (0.0, 0.25, 1.0):
        expected = (1 - share) * parts[0] + share * parts[1]
        assert float(loss_at(ISAC.loss, share)(maps, [BOTH], None)) == pytest.approx(expected)


def test_published_numbers_are_one_step_size_in_every_step() -> None:
    assert set(ISAC.settings.step_sizes(50)) == {0.01}
    assert ISAC.settings.guided_steps(50) == 50
    assert "ISAC" in cite(ISAC)
    assert find_method("isac") is ISAC


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def test_loss_of_a_run_is_that_of_its_steps(pipe: Any) -> None:
    """The first step follows the instances alone."""
    with guide(pipe, "a cat and a blue clock", ISAC, settings=ISAC.embedded) as guided:
        latents_of(pipe, "a cat and a blue clock")
    assert 0 < guided.trace[0].loss[0] <= 0.25 < guided.trace[len(guided.trace) - 1].loss[0]


def test_selection_goes_on_with_the_best_of_ten_noises(pipe: Any) -> None:
    with guide(pipe, "a cat and a blue clock", ISAC_SELECTION, settings=ISAC_SELECTION.embedded) as guided:
        latents_of(pipe, "a cat and a blue clock", num_inference_steps=3)
    (restart,) = guided.trace.restarts
    assert restart.tries == 9
    assert restart.loss[1] < restart.loss[0]
    assert not any(step.is_guided for step in guided.trace)
