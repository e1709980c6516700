import base64
import json

import numpy as np
import pytest
import torch
from PIL import Image

from heedful.guidance import RestartTrace, StepTrace, Trace, view_data
from heedful.prompts import Prompt
from heedful.steering.view_data import LARGEST_GRID, data_url, word_tokens
from heedful.world.tokenizer import build_tokenizer

PROMPT = Prompt.parse("a cat and a blue clock, a cat", build_tokenizer())


def test_every_word_has_its_own_tokens_also_where_it_stands_twice() -> None:
    words = word_tokens(PROMPT)
    assert [word for word, _ in words] == ["a", "cat", "and", "a", "blue", "clock", "a", "cat"]
    found = [index for _, indices in words for index in indices]
    assert found == sorted(found) and len(set(found)) == len(found)
    assert [PROMPT.tokens[index] for index in words[-1][1]] == ["cat"]


def test_maps_are_sent_relative_to_their_highest_value_and_large_ones_reduced() -> None:
    side = 2 * LARGEST_GRID
    tokens = torch.rand(2, len(PROMPT.tokens), side, side) * 0.01
    data = view_data(PROMPT, tokens)
    assert data["size"] == {"height": LARGEST_GRID, "width": LARGEST_GRID, "steps": 2}
    levels = np.frombuffer(base64.b64decode(data["maps"]), "<u2").reshape(
        len(data["tracks"]), 2, LARGEST_GRID, LARGEST_GRID
    )
    expected = tokens[:, list(PROMPT.concepts[0].token_indices)].mean(1).reshape(2, LARGEST_GRID, 2, LARGEST_GRID, 2)
    sent = levels[0] / 65535 * data["tracks"][0]["top"]
    assert np.allclose(sent, expected.mean((2, 4)), atol=1e-6) and levels.reshape(len(levels), -1).max(1).min() == 65535
    json.dumps(data)


def test_losses_stand_at_the_steps_that_were_steered() -> None:
    trace = Trace(images=2)
    trace.steps += [
        StepTrace(0, 981.0, 20.0, (0.5, 0.25), (0, 3), (False, False)),
        StepTrace(1, 961.0, 19.0, (0.4, float("nan")), (0, 0), (False, True)),
        StepTrace(2, 941.0),
    ]
    trace.restarts = (RestartTrace(0, (0.1, 0.1)), RestartTrace(2, (0.5, 0.3), 1))
    tokens = torch.rand(3, len(PROMPT.tokens), 4, 4)
    first, second = (view_data(PROMPT, tokens, trace=trace, item=item, restart_step=1) for item in (0, 1))
    assert first["losses"] == [0.5, 0.4, None] and first["restart"] is None
    assert second["losses"] == [0.25, None, None] and second["refinements"] == [3, 0, 0]
    assert second["restart"] == {"step": 1, "says": "2 new noises tried, a new one taken"}
    assert view_data(PROMPT, tokens)["says"] == "No step was steered."


@pytest.mark.parametrize(("size", "mode", "kind"), [(64, "RGB", "png"), (512, "RGB", "webp"), (512, "RGBA", "png")])
def test_small_images_are_sent_as_they_are(size: int, mode: str, kind: str) -> None:
    assert data_url(Image.new(mode, (size, size))).startswith(f"data:image/{kind};base64,")
