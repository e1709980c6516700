import pytest
import torch

from heedful.attention import Maps
from heedful.losses.normalise import Columns, Preparation, text_softmax
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

PROMPTS = [Prompt.parse(text, build_tokenizer()) for text in ("a cat and a blue clock", "a dog")]
MAPS = Maps(torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(4)).softmax(1))


@pytest.mark.parametrize("columns", ["padded", "text"])
def test_text_softmax_is_the_softmax_of_the_columns_that_stay(columns: Columns) -> None:
    shares = text_softmax(MAPS, PROMPTS, columns=columns)
    for item, prompt in enumerate(PROMPTS):
        last = prompt.end if columns == "text" else 15
        torch.testing.assert_close(shares[item, 1:last], (100 * MAPS.tokens[item, 1:last]).softmax(0))
        assert float(shares[item, [0, *range(last, 16)]].abs().sum()) == 0


def test_tokens_of_a_second_encoder_take_part_though_they_stand_behind_the_padding() -> None:
    both = PROMPTS[0].beside(PROMPTS[0], shift=16)
    maps = Maps(torch.cat([MAPS.tokens[:1], MAPS.tokens[1:]], dim=1))  # (1, 16 + 16, 4, 4)
    shares = text_softmax(maps, [both], columns="text")
    there = {index for index in range(32) if float(shares[0, index].sum()) > 0}
    assert there == {*range(1, both.end), *(index for concept in both.concepts for index in concept.phrase)}
    assert any(index > 16 for index in there)


def test_each_normalisation_brings_maps_to_its_scale() -> None:
    cat = {
        name: Preparation(normalisation=name)(MAPS, PROMPTS).maps[0, 0] for name in ("none", "max", "min-max", "sum")
    }
    torch.testing.assert_close(cat["none"], MAPS.tokens[0, 2])
    assert float(cat["max"].max()) == pytest.approx(1)
    assert float(cat["max"].min()) > 0
    assert (float(cat["min-max"].min()), float(cat["min-max"].max())) == pytest.approx((0, 1))
    assert float(cat["sum"].sum()) == pytest.approx(1)
    shares = Preparation(normalisation="softmax100")(MAPS, PROMPTS).maps[0, 0]
    torch.testing.assert_close(shares, text_softmax(MAPS, PROMPTS)[0, 2])
