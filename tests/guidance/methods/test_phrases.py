"""Each phrase of a text has the states that it has alone; the first one had them, for CLIP reads from the left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.errors import SettingsError
from heedful.guidance import METHODS, NONE, Settings, guide
from heedful.guidance.methods.phrases import PhrasesAlone
from heedful.references import cite
from heedful.steering import Text
from tests.pipelines import latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.steering.test_edited_text import TWO, seen, settings
from tests.transformer_pipelines import tiny_flux, tiny_sd3

STATES = torch.arange(24.0).view(8, 3)
# start, "a cat and a blue clock" with the cat at 2, blue at 5 and the clock at 6, end
BOTH = Text(STATES, torch.ones(2), ((2,), (6,)), 7, ((2,), (5, 6)), ("[cat]", "[blue clock]"))


class Alone:
    """Start, article, the words of one phrase, end; the states of the n-th text are 100 n and its position."""

    is_joint = False

    def __call__(self, texts: Sequence[str]) -> list[Text]:
        assert texts == ["a [cat]", "a [blue clock]"]
        words = [(2,), (2, 3)]
        return [
            Text((100.0 * (n + 1) + torch.arange(5.0))[:, None].expand(5, 3), None, (own[-1:],), 4, (own,), ("",))
            for n, own in enumerate(words)
        ]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_words_of_each_phrase_go_their_share_of_the_way_to_what_they_are_alone(share: float) -> None:
    found = PhrasesAlone(share=share).edited(BOTH, ["cat", "clock"], Alone())
    expected = STATES.clone()
    for token, alone in ((2, 102.0), (5, 202.0), (6, 203.0)):
        expected[token] += share * (alone - STATES[token])
    torch.testing.assert_close(found.states, expected)
    assert found.pooled is BOTH.pooled


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sdxl_pipeline, tiny_sd3])
def test_first_phrase_stays_and_the_second_is_what_it_is_alone(make: Any) -> None:
    pipe: Any = make()
    plain, found = (seen(pipe, TWO, edit).states[0][1] for edit in (None, PhrasesAlone()))
    alone = seen(pipe, "a blue clock", None).states[0][1]
    with guide(pipe, [TWO, "a blue clock"], NONE) as guided:
        first, second = guided.prompts[0].concepts
        (own,) = guided.prompts[1].concepts
    limit = pipe.tokenizer.model_max_length
    moved, there = ([index for index in each.spoken if index < limit] for each in (second, own))
    torch.testing.assert_close(found[moved], alone[there])
    kept = [index for index in range(len(plain)) if index not in moved]
    torch.testing.assert_close(found[kept], plain[kept], atol=1e-6, rtol=1e-5)
    assert set(first.spoken) <= set(kept)
    assert not found[moved].allclose(plain[moved])


def test_optional_edit_says_why_a_text_stays_and_nothing_where_there_is_none_to_edit() -> None:
    edit = PhrasesAlone(is_optional=True)
    flux: Any = tiny_flux()
    with guide(flux, TWO, NONE, settings=settings(edit)) as guided:
        latents_of(flux, TWO, num_inference_steps=2)
    assert guided.trace.text_shift is None or guided.trace.text_shift == ()
    pipe: Any = tiny_sdxl_pipeline()
    plain = seen(pipe, TWO, None, prompt_2="a dog").states[0]
    with pytest.warns(UserWarning, match=r"The text of this run stays as it is\. Expected one text for all") as said:
        assert seen(pipe, TWO, edit, prompt_2="a dog").states[0].equal(plain)
    assert len(said) == 1
    # one concept: nothing is edited, and an optional edit does not ask for two
    assert seen(pipe, "a cat", edit).states[0].equal(seen(pipe, "a cat", None).states[0])


def test_weights_are_not_lost_by_an_optional_edit() -> None:
    pipe: Any = tiny_pipeline()
    with guide(pipe, TWO, NONE) as guided:
        prompt = replace(guided.prompts[0], weighted="a cat and a (blue)1.4 clock")
    given = pipe.encode_prompt(TWO, "cpu", 1, True)
    own = settings(PhrasesAlone(is_optional=True))
    with guide(pipe, prompt, NONE, settings=own) as guided:
        latents_of(pipe, None, num_inference_steps=2, prompt_embeds=given[0], negative_prompt_embeds=given[1])
    assert not guided.trace.text_shift
    # and embeddings without a word of weights are the caller's own too
    with guide(pipe, TWO, NONE, settings=own) as guided:
        latents_of(pipe, None, num_inference_steps=2, prompt_embeds=given[0], negative_prompt_embeds=given[1])
    assert not guided.trace.text_shift


@pytest.mark.parametrize("wrong", [{"share": 1.5}, {"share": -0.1}, {"alone": "a phrase"}])
def test_shares_and_texts_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"a share in \[0, 1\]"):
        PhrasesAlone(**wrong)


def test_it_is_a_method_of_its_own_which_costs_nothing_and_is_cited() -> None:
    assert METHODS["phrases"].loss is None
    assert METHODS["phrases"].settings.text_edit == PhrasesAlone()
    assert "Feng" in cite(METHODS["phrases"].citations[0])
    assert isinstance(METHODS["phrases"].settings, Settings)
