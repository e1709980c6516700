"""What an edit reads of further texts is what the pipeline itself makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection, replaced
from heedful.errors import SettingsError, UnsupportedPipeline
from heedful.guidance import Settings, TextEdit, guide
from heedful.guidance.methods import NONE
from heedful.prompts import Concept, Prompt
from heedful.steering import ReadTexts, Text, check_text
from heedful.steering.clip_text import ClipTexts
from heedful.steering.text_edit import marked
from tests.pipelines import latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_sd3

TWO = "a cat and a blue clock"


@dataclass(frozen=True, kw_only=True)
class ReadAgain(TextEdit):
    """Puts what CLIP makes of the same text into the place of the text."""

    def edited(self, text: Text, nouns: Sequence[str], read: ReadTexts) -> Text:
        (again,) = read([f"a {marked(nouns[0])} and a blue {marked(nouns[1])}"])
        assert again.nouns == text.nouns and again.end == text.end
        return again if text.pooled is not None else replace(again, pooled=None)


def texts_of(pipe: Any, **manner: Any) -> ClipTexts:
    return ClipTexts(pipe, pipe.encode_prompt, manner)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [(tiny_pipeline, {}), (tiny_sdxl_pipeline, {"clip_skip": 1}), (tiny_sd3, {"clip_skip": 1}), (tiny_sd3, {})],
)
def test_text_that_is_read_again_is_that_of_the_run(make: Any, arguments: dict[str, Any]) -> None:
    """Under the options of the call too; T5's part stays."""
    pipe = make()
    plain = latents_of(pipe, TWO, num_inference_steps=1, **arguments)
    with guide(pipe, TWO, NONE, settings=Settings(sites=SiteSelection(), text_edit=ReadAgain())) as guided:
        again = latents_of(pipe, TWO, num_inference_steps=1, **arguments)
    torch.testing.assert_close(again, plain, rtol=1e-4, atol=1e-5)
    assert guided.trace.text_shift[0] < 1e-5


def test_marked_nouns_are_found_where_they_stand_and_end_is_the_end_token() -> None:
    pipe: Any = tiny_sd3()
    (text, plain) = texts_of(pipe)(["a teddy [teddy+bear]", "a [cat]"])
    count = len(pipe.tokenizer("a teddy").input_ids) - 1
    length = len(pipe.tokenizer("a teddy teddy bear").input_ids)
    assert text.nouns == (tuple(range(count, length - 1)),) and text.end == length - 1
    assert text.states.shape == (77, 32) and text.states.dtype == torch.float32
    assert text.noun().equal(text.states[count : length - 1].mean(0)) and text.last.equal(text.states[length - 1])
    assert plain.noun().equal(plain.states[2]) and plain.pooled is not None and plain.pooled.shape == (32,)


def test_each_text_is_encoded_once_and_many_in_parts() -> None:
    pipe, batches = tiny_pipeline(), []

    def counted(*args: Any, **kwargs: Any) -> Any:
        batches.append(len(kwargs["prompt"]))
        return opened.original(*args, **kwargs)

    with replaced(pipe, "encode_prompt", counted) as opened:
        read = texts_of(pipe)
        first = read(["a [cat]", "a [dog]", "a [cat]"])
        assert first[0] is first[2] is read(["a [cat]"])[0] and batches == [2]
        read([f"a {colour} [{noun}]" for colour in ("red", "blue") for noun in ("cat", "car")] + ["a [cat]"])
        assert batches == [2, 4]
        read(["a [dog] " + "a " * count for count in range(1, 12)] + [f"a {'a ' * n}[cat]" for n in range(1, 12)])
        assert batches == [2, 4, 22]


def test_pooled_embedding_is_none_where_the_denoiser_sees_none() -> None:
    pipe: Any = tiny_sdxl_pipeline()
    (own,) = texts_of(tiny_pipeline())(["a [cat]"])
    (both,) = texts_of(pipe)(["a [cat]"])
    assert own.pooled is None and both.pooled is not None and both.states.shape == (16, 32)
    assert (texts_of(pipe).is_joint, texts_of(tiny_sd3()).is_joint) == (False, True)


def test_concept_that_clip_has_cut_off_is_said() -> None:
    read = texts_of(tiny_sd3())
    lost = Prompt("", ("",) * 77, (Concept("cat", "cat", (2, 79)), Concept("dog", "dog", (85,))))
    assert read.of(replace(lost, concepts=lost.concepts[:1]), torch.zeros(141, 32), None).nouns == ((2,),)
    with pytest.raises(SettingsError, match="among the 77 tokens that CLIP reads, got 'dog'"):
        read.of(lost, torch.zeros(141, 32), None)


def test_pipelines_without_clip_its_encoders_or_a_denoiser_are_refused() -> None:
    bare: Any = tiny_pipeline()
    bare.text_encoder = None
    for pipe in (tiny_flux(), bare, object()):
        with pytest.raises(UnsupportedPipeline, match="where CLIP reads it"):
            check_text(pipe)
    for make in (tiny_pipeline, tiny_sdxl_pipeline, tiny_sd3):
        check_text(make())


def test_mark_of_a_noun_is_its_words_joined() -> None:
    assert (marked("cat"), marked("teddy bear")) == ("[cat]", "[teddy+bear]")
