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
