"""Where image and text stand in joint attention: a change of one token or cell is seen at one position alone."""

from contextlib import ExitStack
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from heedful.attention import find_denoiser, layout_of
from heedful.attention.intercept import replaced
from heedful.attention.sequences import Sequences
from heedful.attention.tap import joint_attention, mean_attention, ragged_attention
from tests.every_pipeline import PIPELINES
from tests.family_pipelines import FAMILY_PIPELINES

CROSS = ("Sana", "HunyuanDiT", "Kolors", "Wan", "StableDiffusion", "Img2Img", "Inpaint")
NAMES = [name for name in FAMILY_PIPELINES if not any(part in name for part in CROSS)]
ALL = PIPELINES | FAMILY_PIPELINES
REFINERS = ("context_refiner", "noise_refiner", "token_refiner")
"""Blocks before the first site in which texts or images look at themselves."""


class First(TorchFunctionMode):
    """Keeps query and key of the first attention to `keys` positions."""

    def __init__(self, keys: int):
        super().__init__()
        self.seen: list[Tensor] = []
        self._keys = keys

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention and not self.seen:
            given = dict(zip(("query", "key"), args, strict=False)) | (kwargs or {})
            if given["key"].shape[-2] == self._keys:
                self.seen = [given["query"].clone(), given["key"].clone()]
        return func(*args, **(kwargs or {}))


def changed(before: Tensor, after: Tensor, row: int) -> list[int]:
    return (before[row] != after[row]).any(-1).any(0).nonzero().flatten().tolist()


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*deprecated.*:FutureWarning")
@pytest.mark.parametrize("name", ["StableDiffusion3Pipeline", "FluxPipeline", *NAMES])
def test_one_token_and_one_cell_are_seen_where_they_are_counted(name: str) -> None:
    run = ALL[name]()
    run.arguments["num_inference_steps"] = 1
    denoiser: Any = find_denoiser(run.pipe)
    layout = layout_of(denoiser)
    calls: list[dict[str, Any]] = []
    handle = denoiser.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append(layout.arguments(module, *args, **kwargs)), with_kwargs=True
    )
    run()
    handle.remove()
    given = calls[0]
    there = layout.sequences(denoiser, given, layout.find_sites(denoiser)[0])
    row, token, cell = 1, 3, 7

    def look(arguments: dict[str, Any]) -> list[Tensor]:
        with ExitStack() as stack, torch.no_grad():
            for path, module in denoiser.named_modules():
                if any(part in REFINERS for part in path.split(".")[-2:]) and not isinstance(
                    module, torch.nn.ModuleList
                ):
                    stack.enter_context(replaced(module, "forward", lambda states, *rest, **more: states))
            first = stack.enter_context(First(there.keys))
            denoiser(**arguments)
        return first.seen

    def with_change(argument: str, change: Any) -> dict[str, Any]:
        value = given[argument]
        copied = [one.clone() for one in value] if isinstance(value, list) else value.clone()
        change(copied[row])
        return given | {argument: copied}

    plain = look(given)
    text = look(with_change(layout.text[0], lambda own: own[token].add_(1.0)))
    start = layout.text_shift(given, row) if layout.text_shift else 0
    assert changed(plain[1], text[1], row) == [there.text.start + start + token]

    def move(own: Tensor) -> None:
        size = layout.latents_size(given)
        if own.ndim == 2:  # packed
            own[cell].add_(1.0)
        else:
            scale = layout.find_sites(denoiser)[0].scale
            width = size[1] // scale
            own[..., cell // width * scale, cell % width * scale] += 1.0

    image = look(with_change(layout.latents, move))
    only_image = plain[0].shape[-2] != plain[1].shape[-2]
    start = 0 if only_image else (there.row_tokens[row] if there.row_tokens else there.image.start)
    assert changed(plain[0], image[0], row) == [start + cell]


def test_registers_padding_and_other_images_are_counted() -> None:
    edit = Sequences("before image", cells=6, all_cells=10, tokens=4, registers=2)
    assert (edit.keys, edit.text, edit.image) == (16, slice(2, 6), slice(6, 12))
    padded = Sequences("after image", cells=6, all_cells=32, tokens=64)
    assert (padded.keys, padded.text, padded.image) == (96, slice(32, 96), slice(0, 6))
    assert Sequences("keys", cells=6, all_cells=6, tokens=4).keys == 4
    assert Sequences("before image", cells=6, all_cells=6, tokens=9, row_tokens=(4, 7)).keys == 13


def test_ragged_rows_are_read_each_at_its_own_place() -> None:
    query, key = torch.randn(2, 3, 9, 4), torch.randn(2, 3, 9, 4)
    lengths, cells = (5, 3), 4
    found = ragged_attention(lengths, cells, 6)(query, key, None, None)
    assert found.shape == (2, cells, 6)
    for row, length in enumerate(lengths):
        own = mean_attention(query[row : row + 1, :, length : length + cells], key[row : row + 1, :, :length])
        torch.testing.assert_close(found[row : row + 1, :, :length], own)
        assert not found[row, :, length:].any()


def test_image_that_looks_alone_has_the_first_rows() -> None:
    query, key = torch.randn(2, 3, 4, 8), torch.randn(2, 3, 9, 8)
    found = joint_attention(slice(5, 9), slice(0, 5))(query, key, torch.ones(2, 1, 1, 9, dtype=torch.bool), None)
    torch.testing.assert_close(found, mean_attention(query, key[:, :, :5]))
