import json
import re
from base64 import b64decode
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from heedful.attention import Maps, overlay
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


def test_maps_of_a_step_say_whose_rows_they_are() -> None:
    kept = MapHistory(PROMPTS)
    kept.append(Maps(torch.rand(2, 16, 4, 5), rows="text"))
    assert kept.at(0).rows == "text"
    assert history()[0].at(0).rows == "image"


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


def _shown(html: str) -> list[dict[str, Any]]:
    """What the frame in a notebook is given to draw."""
    page = unescape(re.findall(r'srcdoc="([^"]*)"', html)[0])
    return json.loads(re.findall(r"of (\[.*\])\.entries", page)[0])


def test_maps_are_shown_with_a_slider_over_the_steps() -> None:
    kept = history()[0]
    assert [data["size"]["steps"] for data in _shown(kept._repr_html_())] == [3, 3]
    assert len(_shown(kept.show(images=1).html)) == 1 and len(_shown(kept.show(9).html)) == 2
    assert MapHistory(PROMPTS)._repr_html_() == "<p>no maps</p>"
    assert "characters of HTML" in repr(history()[0].show())


def test_maps_are_shown_over_the_images_of_the_run() -> None:
    kept, images = history()[0], [Image.new("RGB", (50, 40), "red")]
    (data,) = _shown(kept.show(images).html)
    assert data["image"].startswith("data:image/png;base64,")
    with pytest.raises(SettingsError, match="has made 2, got 3"):
        kept.show(images * 3)


def test_a_slider_shows_the_maps_of_each_concept_and_word() -> None:
    kept, tokens = history()
    data = _shown(kept.show().html)[0]
    named = [(track["kind"], track["name"]) for track in data["tracks"]]
    assert named[:2] == [("concept", "cat"), ("concept", "blue clock")] and ("word", "blue") in named
    levels = np.frombuffer(b64decode(data["maps"]), "<u2").reshape(len(named), 3, 4, 5) / 65535
    assert np.allclose(levels[1] * data["tracks"][1]["top"], tokens[:, 0, 6], atol=1e-4)


def test_prompts_in_the_page_are_escaped() -> None:
    prompt = replace(PROMPTS[1], text='<script>alert("dog")</script>')
    kept = MapHistory([prompt])
    kept.append(Maps(torch.rand(1, 16, 4, 5)))
    assert "<script" not in kept._repr_html_()
    page = unescape(kept._repr_html_())
    assert page.count("<script>") == page.count("</script>") == 1 and "&lt;script&gt;" in page


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
