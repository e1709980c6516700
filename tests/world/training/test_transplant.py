"""A narrower denoiser begins with a wider one's weights, and parts that only it has change nothing."""

import pytest
import torch

from heedful.world.architecture import CROWDED_UNET, UNET, build_unet
from heedful.world.training.transplant import begin_with

SMALL = {"block_out_channels": (16, 32, 48), "attention_head_dim": 4}


def forward(unet) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 8, 16, 16, generator=generator)
    text = torch.randn(2, 16, 128, generator=generator)
    with torch.no_grad():
        return unet.eval()(latents, torch.tensor(500), text).sample


def test_the_same_shape_takes_the_same_weights() -> None:
    trained, fresh = build_unet(**SMALL), build_unet(**SMALL)
    assert not torch.equal(forward(trained), forward(fresh))
    begin_with(fresh, trained)
    assert torch.equal(forward(trained), forward(fresh))


def test_added_attention_changes_nothing_at_first() -> None:
    trained = build_unet(**SMALL)
    fresh = build_unet(**SMALL, up_block_types=CROWDED_UNET["up_block_types"])
    begin_with(fresh, trained)
    torch.testing.assert_close(forward(trained), forward(fresh))


def test_a_narrower_level_keeps_every_other_channel() -> None:
    trained = build_unet(**SMALL)
    narrow = build_unet(**(SMALL | {"block_out_channels": (16, 32, 24)}))
    begin_with(narrow, trained)
    given, kept = trained.mid_block.resnets[0].conv1.weight, narrow.mid_block.resnets[0].conv1.weight
    assert torch.equal(kept, given[::2, ::2])
    # a skip connection: channels of the narrow level, then all of another
    given, kept = trained.up_blocks[0].resnets[1].conv1.weight, narrow.up_blocks[0].resnets[1].conv1.weight
    assert torch.equal(kept[:, 24:], given[::2, 48:])
    untouched = trained.down_blocks[1].resnets[0].conv1.weight
    assert torch.equal(narrow.down_blocks[1].resnets[0].conv1.weight, untouched)
    assert forward(narrow).isfinite().all()


def test_shapes_that_no_thinning_explains_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot thin"):
        begin_with(build_unet(**(UNET | SMALL | {"cross_attention_dim": 96})), build_unet(**SMALL))
