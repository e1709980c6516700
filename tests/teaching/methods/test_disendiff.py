import pytest
import torch
from torch import Tensor

from heedful.attention import Maps
from heedful.prompts import Concept, Modifier, Prompt
from heedful.teaching.methods import Bind, SeparateAndStrengthen

WORDS = ("<s>", "<cat1>", "cat", "<dog1>", "dog", "frog", "</s>")
CAT = Concept("<cat1> cat", "cat", (2,), (Modifier("<cat1>", (1,)),))
DOG = Concept("<dog1> dog", "dog", (4,), (Modifier("<dog1>", (3,)),))
FROG = Concept("frog", "frog", (5,))
TWO = Prompt("<cat1> cat <dog1> dog", WORDS, (CAT, DOG))
THREE = Prompt("<cat1> cat <dog1> dog frog", WORDS, (CAT, DOG, FROG))
ONE = Prompt("cat", WORDS, (CAT,))
BARE = Prompt("frog", WORDS, (FROG,))
TRUE_BIND = Bind(sigma=None, ratio="true")
TRUE_SEPARATE = SeparateAndStrengthen(sigma=None, ratio="true")

LEFT, RIGHT, ALL = [[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, [[1.0, 1.0]] * 2


def drawn(**tokens: list[list[float]]) -> Maps:
    """Maps by name: m and c of the first concept, n and d of the second, e of the third."""
    maps = torch.zeros(1, 8, 2, 2)
    for name, cells in tokens.items():
        maps[0, " mcnde".index(name)] = torch.tensor(cells)
    return Maps(maps)


def noise(seed: int = 0, batch: int = 1) -> Maps:
    generator = torch.Generator().manual_seed(seed)
    return Maps(torch.rand(batch, 8, 4, 4, generator=generator, dtype=torch.float64))


def test_bind_is_zero_where_the_modifier_is_its_class() -> None:
    assert float(TRUE_BIND(drawn(m=LEFT, c=LEFT), [ONE])) == pytest.approx(0)
    assert float(TRUE_BIND(drawn(m=RIGHT, c=LEFT), [ONE])) == pytest.approx(1)
    assert float(TRUE_BIND(drawn(m=RIGHT, c=LEFT, n=LEFT, d=LEFT), [TWO])) == pytest.approx(1)
    assert float(Bind(sigma=None)(drawn(m=LEFT, c=LEFT), [ONE])) == pytest.approx(0)


def test_product_ratio_adds_one_to_both_sides() -> None:
    assert float(Bind(sigma=None)(drawn(m=RIGHT, c=LEFT), [ONE])) == pytest.approx(1 - 1 / 5)
    assert float(SeparateAndStrengthen(sigma=None)(drawn(c=LEFT, d=RIGHT), [TWO])) == pytest.approx(1 / 5)


def test_class_side_gets_no_gradient_from_bind() -> None:
    maps = noise()
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(Bind()(maps, [TWO]).sum(), maps.tokens)
    moved = [index for index in range(8) if float(gradient[0, index].abs().sum()) > 0]
    assert moved == [1, 3]


@pytest.mark.parametrize("loss", [Bind(), Bind(ratio="true", normalisation="none"), Bind(suppressions=2)], ids=repr)
def test_gradient_of_bind_equals_finite_differences_on_the_modifiers(loss: Bind) -> None:
    tokens = noise().tokens

    def value(modifiers: Tensor) -> Tensor:
        parts = [tokens[:, :1], modifiers[:, :1], tokens[:, 2:3], modifiers[:, 1:], tokens[:, 4:]]
        return loss(Maps(torch.cat(parts, dim=1)), [TWO])

    assert torch.autograd.gradcheck(value, tokens[:, [1, 3]].clone().requires_grad_(), eps=1e-7, atol=1e-5)


def test_both_classes_get_a_gradient_from_separation() -> None:
    maps = noise()
    maps.tokens.requires_grad_()
    (gradient,) = torch.autograd.grad(SeparateAndStrengthen()(maps, [TWO]).sum(), maps.tokens)
    assert [index for index in range(8) if float(gradient[0, index].abs().sum()) > 0] == [2, 4]


def test_separation_is_the_overlap_of_classes() -> None:
    assert float(TRUE_SEPARATE(drawn(c=LEFT, d=RIGHT), [TWO])) == 0
    assert float(TRUE_SEPARATE(drawn(c=LEFT, d=LEFT), [TWO])) == pytest.approx(1)


def test_product_ratio_strengthens_classes_that_are_apart() -> None:
    small, large = [[1.0, 0.0], [0.0, 0.0]], LEFT
    weak, strong = (float(SeparateAndStrengthen(sigma=None)(drawn(c=c, d=RIGHT), [TWO])) for c in (small, large))
    assert strong < weak


def test_pairs_of_three_concepts_are_averaged_or_added() -> None:
    maps = drawn(c=LEFT, d=LEFT, e=RIGHT)
    assert float(TRUE_SEPARATE(maps, [THREE])) == pytest.approx(1 / 3)
    total = SeparateAndStrengthen(sigma=None, ratio="true", reduction="sum")
    assert float(total(maps, [THREE])) == pytest.approx(1)
    assert float(total(maps, [TWO])) == float(TRUE_SEPARATE(maps, [TWO]))


def test_min_max_makes_the_scale_of_a_map_irrelevant() -> None:
    maps = noise()
    weak = Maps(0.1 * maps.tokens + 0.3)
    for loss in (Bind(), SeparateAndStrengthen()):
        torch.testing.assert_close(loss(maps, [TWO]), loss(weak, [TWO]))
    assert not torch.isclose(Bind(normalisation="none")(maps, [TWO]), Bind(normalisation="none")(weak, [TWO]))


def test_suppression_lowers_what_is_shared_weakly() -> None:
    """Cells at one half are shared; squaring makes them a quarter, then a sixteenth."""
    maps = drawn(c=[[1.0, 0.5], [0.0, 0.0]], d=[[0.0, 0.5], [0.0, 1.0]])
    losses = [SeparateAndStrengthen(sigma=None, ratio="true", suppressions=count) for count in (0, 1, 2)]  # type: ignore[arg-type]
    assert [float(loss(maps, [TWO])) for loss in losses] == pytest.approx([0.5 / 2.5, 0.25 / 2.25, 0.0625 / 2.0625])


def test_gaussian_comes_before_the_suppression_and_is_a_choice() -> None:
    maps = noise()
    values = {float(Bind(sigma=sigma)(maps, [TWO])) for sigma in (None, 0.5, 1.0)}
    assert len(values) == 3


def test_prompts_without_pairs_are_refused_by_name_and_add_nothing() -> None:
    maps = noise(batch=2)
    maps.tokens.requires_grad_()
    for loss, unsuitable in ((Bind(), BARE), (SeparateAndStrengthen(), ONE)):
        values = loss(maps, [unsuitable, TWO])
        assert values[0] == 0
        (gradient,) = torch.autograd.grad(values.sum(), maps.tokens)
        assert float(gradient[0].abs().sum()) == 0
        assert float(gradient[1].abs().sum()) > 0
        assert type(loss).__name__ in loss.idle_for(unsuitable)[0]
        assert loss.idle_for(TWO) == ()


@pytest.mark.parametrize("ratio", ["product", "true"])
@pytest.mark.parametrize("normalisation", ["min-max", "none"])
@pytest.mark.parametrize("cells", [torch.zeros(3, 3), torch.full((3, 3), 0.2), torch.eye(9)[4].view(3, 3)])
def test_empty_constant_and_one_hot_maps_give_finite_losses_and_gradients(
    ratio: str, normalisation: str, cells: Tensor
) -> None:
    maps = Maps(cells.expand(1, 8, 3, 3).clone().requires_grad_())
    loss = Bind(ratio=ratio, normalisation=normalisation)(maps, [TWO])  # type: ignore[arg-type]
    loss = loss + SeparateAndStrengthen(ratio=ratio, normalisation=normalisation)(maps, [TWO])  # type: ignore[arg-type]
    loss.sum().backward()
    assert maps.tokens.grad is not None
    assert loss.isfinite().all()
    assert maps.tokens.grad.isfinite().all()
