"""Three readings of joint attention: the first is the one heedful takes, the others are what they say."""

import math

import pytest
import torch

from heedful.attention import SiteSelection, capture
from heedful.lab.joint_maps import IMAGE_TO_TEXT, OUTPUTS, TEXT_TO_IMAGE, joint_maps, of_head, read_joint
from heedful.world.joint import build_transformer

SMALL = {"num_layers": 2, "attention_head_dim": 8, "num_attention_heads": 2, "caption_projection_dim": 16}


@pytest.fixture(scope="module")
def inputs() -> dict:
    generator = torch.Generator().manual_seed(0)
    return {
        "hidden_states": torch.randn(2, 8, 16, 16, generator=generator),
        "encoder_hidden_states": torch.randn(2, 16, 128, generator=generator),
        "pooled_projections": torch.randn(2, 128, generator=generator),
        "timestep": torch.tensor([500.0, 500.0]),
    }


def test_the_image_over_text_is_read_as_everywhere_else(inputs: dict) -> None:
    transformer = build_transformer(**SMALL).eval()
    with torch.no_grad(), capture(transformer, SiteSelection()) as usual:
        expected = transformer(**inputs).sample
    with torch.no_grad(), read_joint(transformer) as record:
        sample = transformer(**inputs).sample
    assert torch.equal(sample, expected)
    assert len(record) == 2 * (3 + 2 * 2)  # three ways, and two of them for each of two heads
    for site, maps in usual.items():
        torch.testing.assert_close(record[f"{site} ({IMAGE_TO_TEXT})"], maps)


def test_a_second_forward_replaces_the_first(inputs: dict) -> None:
    transformer = build_transformer(**SMALL).eval()
    with torch.no_grad(), read_joint(transformer) as record:
        transformer(**inputs)
        first = dict(record)
        transformer(**(inputs | {"hidden_states": -inputs["hidden_states"]}))
    assert record.keys() == first.keys()
    assert not torch.equal(
        record[f"transformer_blocks.0.attn ({OUTPUTS})"], first[f"transformer_blocks.0.attn ({OUTPUTS})"]
    )


def test_each_reading_is_what_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, outputs = (torch.randn(1, 2, 4 + 3, 8, generator=generator) for _ in range(3))
    found = joint_maps(query, key, outputs, cells=4)
    scores = query @ key.mT / math.sqrt(8)
    words = torch.stack([scores[0, head, 4:, :4].softmax(-1) for head in range(2)]).mean(0)
    torch.testing.assert_close(found[TEXT_TO_IMAGE][0], words.view(3, 2, 2))
    one = scores[0, 1, 4:, :4].softmax(-1)
    torch.testing.assert_close(found[of_head(TEXT_TO_IMAGE, 1)][0], one.view(3, 2, 2))
    cells = torch.stack([scores[0, head, :4, 4:].softmax(-1) for head in range(2)]).mean(0)
    torch.testing.assert_close(found[IMAGE_TO_TEXT][0], cells.T.reshape(3, 2, 2))
    flat = torch.cat([outputs[0, 0], outputs[0, 1]], dim=-1)
    alike = (flat[4:] @ flat[:4].T / 4).softmax(0)
    torch.testing.assert_close(found[OUTPUTS][0], alike.view(3, 2, 2))
