import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from PIL import Image

from heedful.attention import Maps, heat_map, overlay
from heedful.errors import ConceptNotFound, SettingsError
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


def test_map_of_a_concept_is_laid_over_its_image() -> None:
    kept, tokens = history()
    image = Image.new("RGB", (50, 40), "red")
    mean, last = kept.overlay("cat", image), kept.overlay("cat", image, step=-1)
    assert mean.tobytes() == overlay(image, tokens[:, 0, 2].mean(0)).tobytes() != last.tobytes()
    assert last.tobytes() == overlay(image, tokens[-1, 0, 2]).tobytes()
    assert kept.overlay("dog", image, item=1).size == (50, 40)
    with pytest.raises(ConceptNotFound, match=r"of 'a cat and a blue clock', got 'dog'\. Pass item="):
        kept.overlay("dog", image)
    for wrong in ({"item": 2}, {"step": 3}):
        with pytest.raises(SettingsError, match="2 images and of 3 steps"):
            kept.overlay("cat", image, **wrong)


def test_maps_are_shown_with_a_slider_over_the_steps() -> None:
    html = history()[0]._repr_html_()
    assert 'max="2"' in html and html.count("<img") == 2
    assert history()[0].show(images=1).html.count("<img") == 1
    assert MapHistory(PROMPTS)._repr_html_() == "<p>no maps</p>"
    assert "characters of HTML" in repr(history()[0].show())


def test_strip_holds_each_step_of_each_concept_at_its_own_size() -> None:
    kept, tokens = history()
    source = re.findall(r'src="data:image/png;base64,([^"]+)"', kept.show().html)[0]
    strip = Image.open(BytesIO(b64decode(source)))
    assert strip.size == (2 * 5, 3 * 4)
    tile = strip.crop((5, 8, 10, 12))  # the last step of the second concept
    assert tile.tobytes() == heat_map(tokens[2, 0, 6], (5, 4), top=float(tokens[:, 0, 6].max())).tobytes()


def test_prompts_in_the_page_are_escaped() -> None:
    prompt = replace(PROMPTS[1], text='<script>alert("dog")</script>')
    kept = MapHistory([prompt])
    kept.append(Maps(torch.rand(1, 16, 4, 5)))
    assert "<script" not in kept._repr_html_() and "&lt;script&gt;" in kept._repr_html_()


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
