from typing import Any

import pytest
import torch

from heedful.attention import layout_of
from heedful.errors import SettingsError
from heedful.steering.batching import copies_in
from heedful.steering.call import Call
from tests.pipelines import tiny_unet

LAYOUT = layout_of(tiny_unet())


class Pipe:
    def __init__(self, doubled: bool):
        self.do_classifier_free_guidance = doubled


def call(batch: int = 4, copies: int = 2, channels: int = 4) -> Call:
    arguments: dict[str, Any] = {
        "sample": torch.randn(batch, channels, 3, 5),
        "timestep": torch.tensor([7] * batch),
        "encoder_hidden_states": torch.randn(batch, 16, 2),
        "timestep_cond": None,
        "added_cond_kwargs": {"text_embeds": torch.randn(batch, 2), "image_embeds": [torch.randn(batch, 1, 6)]},
        "down_block_additional_residuals": (torch.randn(batch, 1, 3, 5), torch.randn(1, 1, 3, 5)),
        "return_dict": False,
    }
    return Call(LAYOUT, arguments, copies, 4)


def test_conditional_rows_are_taken_once_from_everything_that_has_them() -> None:
    whole = call()
    latents = torch.zeros(1, 4, 3, 5)
    taken = whole.conditional([1], latents)
    given = whole.arguments
    assert taken["sample"].equal(latents)
    assert taken["timestep"].tolist() == [7]
    assert taken["encoder_hidden_states"].equal(given["encoder_hidden_states"][3:])
    assert taken["added_cond_kwargs"]["text_embeds"].equal(given["added_cond_kwargs"]["text_embeds"][3:])
    assert taken["added_cond_kwargs"]["image_embeds"][0].equal(given["added_cond_kwargs"]["image_embeds"][0][3:])
    residuals = taken["down_block_additional_residuals"]
    assert isinstance(residuals, tuple)
    assert residuals[0].equal(given["down_block_additional_residuals"][0][3:])
    assert residuals[1].equal(given["down_block_additional_residuals"][1])
    assert taken["return_dict"] is False


def test_latents_are_those_of_the_condition() -> None:
    whole = call()
    assert whole.images == 2
    assert whole.latents.equal(whole.arguments["sample"][2:])
    assert call(copies=1).images == 4


def test_move_reaches_every_copy_and_nothing_else() -> None:
    whole = call(channels=9)
    delta = torch.randn(2, 4, 3, 5)
    moved = whole.moved(delta).arguments["sample"]
    torch.testing.assert_close(moved[:, :4] - whole.arguments["sample"][:, :4], torch.cat([delta, delta]))
    assert moved[:, 4:].equal(whole.arguments["sample"][:, 4:])
    taken = whole.conditional([0, 1], torch.zeros(2, 4, 3, 5))["sample"]
    assert taken[:, 4:].equal(whole.arguments["sample"][2:, 4:])


def test_condition_and_all_else_make_the_whole() -> None:
    whole = call()
    others = whole.unconditional()
    assert others is not None
    both = [others, whole.conditional([0, 1], whole.latents)]
    for name in ("sample", "encoder_hidden_states"):
        assert torch.cat([half[name] for half in both]).equal(whole.arguments[name])
    assert call(copies=1).unconditional() is None


def test_call_that_is_made_again_has_the_condition_alone() -> None:
    whole, latents = call(), torch.zeros(1, 4, 3, 5)
    again = whole.again([1], latents, 3)
    assert (again.images, again.copies, again.arguments["timestep"]) == (1, 1, 3)
    assert again.arguments["encoder_hidden_states"].equal(whole.arguments["encoder_hidden_states"][3:])
    assert again.latents.equal(latents)


def test_half_precision_latents_move_in_float32() -> None:
    whole = call()
    whole.arguments["sample"] = whole.arguments["sample"].half()
    assert whole.latents.dtype == torch.float32
    moved = whole.moved(torch.full((2, 4, 3, 5), 1e-3)).arguments["sample"]
    assert moved.dtype == torch.float16
    assert whole.conditional([0], torch.zeros(1, 4, 3, 5))["sample"].dtype == torch.float16


def arguments(latents: torch.Tensor, text: torch.Tensor) -> dict[str, Any]:
    return {"sample": latents, "encoder_hidden_states": text}


def test_prompts_and_images_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"\(2\) in the pipeline's call, got 3 images"):
        copies_in(Pipe(True), LAYOUT, arguments(torch.randn(6, 4, 2, 2), torch.randn(6, 3, 2)), 2)
