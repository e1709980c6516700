"""The joint-attention model's parts: gates closed at first, and text as the ordinary pipeline encodes it."""

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from torch import nn

from heedful.world.architecture import build_autoencoder
from heedful.world.joint import (
    JointPipeline,
    build_flow_scheduler,
    build_joint_text_encoder,
    build_transformer,
    encode_captions,
)
from heedful.world.tokenizer import build_tokenizer

SMALL = {"num_layers": 1, "attention_head_dim": 8, "num_attention_heads": 2, "caption_projection_dim": 16}


@pytest.fixture(scope="module")
def parts() -> dict:
    tokenizer = build_tokenizer()
    encoders = [build_joint_text_encoder(tokenizer) for _ in range(2)]
    return {
        "transformer": build_transformer(**SMALL),
        "scheduler": build_flow_scheduler(),
        "vae": build_autoencoder(block_out_channels=(16, 16, 16), shift_factor=0.0),
        "text_encoder": encoders[0],
        "text_encoder_2": encoders[1],
        "tokenizer": tokenizer,
        "tokenizer_2": tokenizer,
        "text_encoder_3": None,
        "tokenizer_3": None,
    }


@pytest.mark.parametrize(
    ("kind", "options"), [(StableDiffusion3Pipeline, {"max_sequence_length": 0}), (JointPipeline, {})]
)
def test_captions_are_encoded_as_the_pipeline_encodes_them(parts: dict, kind: type, options: dict) -> None:
    captions = ["a cat and a blue clock", "a dog"]
    encoders = nn.ModuleList([parts["text_encoder"], parts["text_encoder_2"]])
    states, pooled = encode_captions(parts["tokenizer"], encoders, captions)
    expected = kind(**parts).encode_prompt(captions, None, None, do_classifier_free_guidance=False, **options)
    assert states.shape == (2, 16, 128)
    torch.testing.assert_close(states, expected[0])
    torch.testing.assert_close(pooled, expected[2])


def test_a_fresh_transformer_predicts_nothing(parts: dict) -> None:
    sample = parts["transformer"](
        hidden_states=torch.randn(2, 8, 16, 16),
        encoder_hidden_states=torch.randn(2, 16, 128),
        pooled_projections=torch.randn(2, 128),
        timestep=torch.tensor([500.0, 500.0]),
    ).sample
    assert torch.equal(sample, torch.zeros_like(sample))


def test_it_paints_64_pixels(parts: dict) -> None:
    pipe = JointPipeline(**parts)
    pipe.set_progress_bar_config(disable=True)
    assert pipe("a cat", num_inference_steps=2).images[0].size == (64, 64)
