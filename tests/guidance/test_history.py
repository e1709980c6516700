import pytest
import torch

from heedful.attention import Maps
from heedful.errors import ConceptNotFound
from heedful.guidance import MapHistory
from heedful.prompts import Prompt
from heedful.world.tokenizer import build_tokenizer

PROMPTS = [Prompt.parse(text, build_tokenizer()) for text in ("a cat and a blue clock", "a dog")]


def history(steps: int = 3) -> tuple[MapHistory, torch.Tensor]:
    tokens = torch.rand(steps, 2, 16, 4, 5)
    kept = MapHistory(PROMPTS)
    for step in tokens:
        kept.append(Maps(step))
    return kept, tokens


def test_concepts_are_found_by_name_and_noun_and_tokens_by_their_text() -> None:
    kept, tokens = history()
    assert kept["cat"].shape == (2, 3, 4, 5)
    torch.testing.assert_close(kept["cat"][0], tokens[:, 0, 2])
    torch.testing.assert_close(kept["blue clock"][0], tokens[:, 0, 6])
    torch.testing.assert_close(kept["clock"][0], tokens[:, 0, 6])
    torch.testing.assert_close(kept["blue"][0], tokens[:, 0, 5])
    assert kept.names == ("cat", "blue clock", "dog")


def test_images_without_the_concept_are_nan() -> None:
    kept, tokens = history()
    assert kept["cat"][1].isnan().all()
    torch.testing.assert_close(kept["dog"][1], tokens[:, 1, 2])


def test_absent_names_say_what_there_is() -> None:
    with pytest.raises(ConceptNotFound, match=r"Concepts: cat, blue clock, dog\. Tokens: a, cat, and"):
        history()[0]["zebra"]


def test_padding_is_not_kept() -> None:
    kept, tokens = history()
    assert kept.tokens.shape == (2, 3, PROMPTS[0].end + 1, 4, 5)
    torch.testing.assert_close(kept.at(1).tokens, tokens[1][:, : PROMPTS[0].end + 1])
    assert [maps.shape[0] for maps in kept.concepts(1)] == [2, 1]
    assert (len(kept), repr(kept)) == (3, "MapHistory of 2 images, 3 steps: cat, blue clock, dog")


def test_self_attention_is_kept_where_it_was_read_and_replaced_with_the_image() -> None:
    mine, theirs = MapHistory(PROMPTS), MapHistory(PROMPTS[1:])
    looks, others = torch.rand(2, 20, 4, 5), torch.rand(1, 20, 4, 5)
    for kept, tokens, attention in ((mine, 2, looks), (theirs, 1, others)):
        kept.append(Maps(torch.rand(tokens, 16, 4, 5)))
        kept.append(Maps(torch.rand(tokens, 16, 4, 5), attention))
    mine.put(1, theirs, 0)
    assert mine.at(0).self_attention is None
    torch.testing.assert_close(mine.at(1).self_attention, torch.cat([looks[:1], others]))
    assert not torch.equal(looks[1], others[0]), "the tensor that was appended is not written to"
