"""What guidance costs large models is counted on miniatures of them; which card they fit is arithmetic."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from cards import BITS, best, needs, needs_offloaded, tables
from counting import GIB
from large_models import count_model
from published_models import MODELS, Published

SMALL: dict[str, Any] = {
    "num_layers": 0,
    "attention_head_dim": 128,
    "num_attention_heads": 1,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 32,
    "guidance_embeds": True,
}


def arguments() -> dict[str, Any]:
    numbers = {name: torch.zeros(*shape, dtype=torch.bfloat16) for name, shape in {
        "hidden_states": (1, 64, 64), "encoder_hidden_states": (1, 16, 32), "pooled_projections": (1, 32),
        "timestep": (1,), "img_ids": (64, 3), "txt_ids": (16, 3), "guidance": (1,),
    }.items()}  # fmt: skip
    return dict(numbers)


def small(blocks: int) -> Published:
    config = SMALL | {"num_single_layers": blocks}
    return replace(MODELS["FLUX.1-dev"], config=config, arguments=arguments, size=(8, 8))


@pytest.mark.slow
def test_a_block_that_runs_twice_adds_its_input_to_the_peak_and_no_more() -> None:
    name = "default, first half of the blocks"
    four, eight = (count_model(small(2 * blocks))["passes"][name] for blocks in (4, 8))
    kept = eight["kept"]["peak_gib"] - four["kept"]["peak_gib"]
    again = eight["checkpoint"]["peak_gib"] - four["checkpoint"]["peak_gib"]
    assert 0 < again < 0.35 * kept
    assert (four["kept"]["sites"], eight["kept"]["sites"]) == (4, 8)
    assert eight["kept"]["saved_gib"] < eight["kept"]["peak_gib"]
    assert eight["checkpoint"]["backward"] > eight["kept"]["backward"]
    assert eight["checkpoint"]["forward"] == eight["kept"]["forward"]


def found(weights_gib: float, plain: float, checkpoint: float, kept: float) -> dict[str, Any]:
    numbers = weights_gib * GIB / 2
    one = {"forward": 0.5, "backward": 0.6, "saved_gib": 1.0, "sites": 3}
    return {
        "weights": {"all": numbers, "linear": numbers, "largest": 0, "block": numbers / 20, "outside": numbers / 50},
        "rows": 1,
        "steps": 4,
        "flops": 1e12,
        "plain_gib": plain,
        "passes": {"default": {"kept": one | {"peak_gib": kept}, "checkpoint": one | {"peak_gib": checkpoint}}},
    }


def test_the_most_precise_way_that_fits_a_card_is_named() -> None:
    model = found(12.0, 0.5, 2.0, 9.0)
    assert needs(model, "bf16") == {"plain, select": 12.5, "guided, checkpoint": 14.0, "guided": 21.0}
    assert best(model, 24) == "bf16"
    assert [best(model, card) for card in (16, 12, 8)] == [f"{bits}, checkpoint" for bits in BITS]
    assert needs_offloaded(model)["guided, checkpoint"] == pytest.approx(12.0 * (0.1 + 0.02) + 2.0)
    assert best(found(40.0, 0.5, 2.0, 9.0), 8) == "bf16, offloaded block by block"
    assert best(found(40.0, 0.5, 30.0, 30.0), 12) == "bf16, offloaded block by block, select"
    assert best(found(40.0, 30.0, 30.0, 30.0), 12) == "none"


def test_tables_name_every_model_and_precision() -> None:
    text = tables({"a model": found(12.0, 0.5, 2.0, 9.0)})
    assert all(f"a model, {precision}" in text for precision in BITS)
    assert "| a model, 2 of 4 steps | 1.55 | 1.30 | 1.55 | 2.00 |" in text
