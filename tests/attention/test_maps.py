import pytest
import torch

from heedful.attention import Maps
from heedful.errors import SettingsError
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()
TWO = Prompt.parse("a cat and a blue clock", TOKENIZER)
ONE = Prompt.parse("a zebra", TOKENIZER, ["zebra"])


def maps(batch: int = 2) -> Maps:
    return Maps(torch.randn(batch, 16, 4, 6, generator=torch.Generator().manual_seed(1)).softmax(1))


def test_concept_map_is_the_mean_over_the_tokens_of_its_noun() -> None:
    prompts = [TWO, ONE]
    values = maps()
    first, second = values.concepts(prompts)
    torch.testing.assert_close(first[1], values.tokens[0, 6])
    indices = list(ONE.concepts[0].token_indices)
    torch.testing.assert_close(second[0], values.tokens[1, indices].mean(0))
    assert first.shape[0] == 2
    assert second.shape[0] == 1


def test_groups_leave_places_empty() -> None:
    groups = maps().group([TWO, ONE])
    assert groups.is_there.tolist() == [[True, True], [True, False]]
    assert float(groups.maps[1, 1].abs().sum()) == 0


def test_prompts_without_concepts_have_no_maps() -> None:
    nothing = Prompt(TWO.text, TWO.tokens, ())
    assert maps(1).concepts([nothing])[0].shape == (0, 4, 6)


def test_one_prompt_per_item_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="1 prompts for 2 items"):
        maps().group([TWO])


def test_items_are_batches_of_one() -> None:
    values = maps(3)
    assert [len(item) for item in values] == [1, 1, 1]
    assert values[-1].tokens.equal(values.tokens[2:])
    assert values.select([2, 0]).tokens.equal(values.tokens[[2, 0]])
    with pytest.raises(IndexError):
        values[3]


def test_mean_over_sites_is_on_the_finest_grid() -> None:
    coarse = torch.randn(1, 5, 2, 3).softmax(1)
    fine = torch.randn(1, 5, 4, 6).softmax(1)
    mean = Maps.mean([coarse, fine, fine])
    assert mean.size == (4, 6)
    torch.testing.assert_close(mean.tokens.sum(1), torch.ones(1, 4, 6))
    torch.testing.assert_close(Maps.mean([fine]).tokens, fine)


def test_maps_are_values() -> None:
    values = maps(1)
    before = values.tokens.clone()
    values.smooth()
    values.resize(8, 8)
    values.detach()
    assert values.tokens.equal(before)


def test_whatever_is_made_of_maps_keeps_whose_rows_they_are() -> None:
    maps = Maps(torch.rand(2, 4, 6, 8), torch.rand(2, 48, 6, 8), rows="text")
    made = (maps[0], maps.select([1]), maps.detach(), maps.clone(), maps.resize(3, 4), maps.smooth(), maps.by_frame(2))
    assert {each.rows for each in made} == {"text"}
    assert maps.resize(3, 4).self_attention is not None
    assert Maps(maps.tokens).rows == "image"
