"""Joint attention is read as image rows x text columns, or the other way, wherever the text stands."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from heedful.attention import SiteSelection, capture, find_sites
from heedful.attention.layouts import layout_of
from heedful.attention.tap import word_attention
from heedful.errors import SettingsError, UnsupportedPipeline
from tests.pipelines import tiny_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_sd3

HEIGHT, WIDTH, TEXT = 3, 5, 7


def sd3() -> tuple[Any, dict[str, Any]]:
    inputs = {
        "hidden_states": torch.randn(2, 4, 2 * HEIGHT, 2 * WIDTH, dtype=torch.float64),
        "encoder_hidden_states": torch.randn(2, TEXT, 32, dtype=torch.float64),
        "pooled_projections": torch.randn(2, 32, dtype=torch.float64),
        "timestep": torch.tensor([500.0, 500.0]),
    }
    return tiny_sd3().transformer.double(), inputs


def flux() -> tuple[Any, dict[str, Any]]:
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    inputs = {
        "hidden_states": torch.randn(2, HEIGHT * WIDTH, 16, dtype=torch.float64),
        "encoder_hidden_states": torch.randn(2, TEXT, 16, dtype=torch.float64),
        "pooled_projections": torch.randn(2, 16, dtype=torch.float64),
        "timestep": torch.tensor([0.5, 0.5], dtype=torch.float64),
        "guidance": torch.tensor([3.5, 3.5], dtype=torch.float64),
        "img_ids": torch.stack([torch.zeros_like(rows), rows, columns], -1).reshape(-1, 3),
        "txt_ids": torch.zeros(TEXT, 3),
    }
    return tiny_flux().transformer.double(), inputs


class ByHead(TorchFunctionMode):
    """Keeps, of every attention over the whole sequence, the text columns of the image rows, renormalised by head."""

    def __init__(self, image: slice, text: slice):
        super().__init__()
        self.seen: list[Tensor] = []
        self._image, self._text = image, text

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key"), args, strict=False)) | (kwargs or {})
            query, key = given["query"], given["key"]
            if key.shape[-2] == HEIGHT * WIDTH + TEXT:  # SD3.5's attention of the image to itself is not meant
                whole = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)[..., self._image, self._text]
                self.seen.append((whole / whole.sum(-1, keepdim=True)).mean(1))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("make", [sd3, flux])
def test_maps_are_the_text_columns_of_the_whole_renormalised(make: Callable[[], Any]) -> None:
    denoiser, inputs = make()
    image_first = layout_of(denoiser).text_place == "after image"
    image = slice(0, HEIGHT * WIDTH) if image_first else slice(TEXT, None)
    text = slice(HEIGHT * WIDTH, None) if image_first else slice(0, TEXT)
    with ByHead(image, text) as whole:
        plain = denoiser(**inputs).sample
    with capture(denoiser) as record:
        assert denoiser(**inputs).sample.equal(plain)
    assert list(record) == [site.name for site in find_sites(denoiser)]
    assert len(whole.seen) == len(record)
    for maps, expected in zip(record.values(), whole.seen, strict=True):
        assert maps.shape == (2, TEXT, HEIGHT, WIDTH)
        torch.testing.assert_close(maps, expected.mT.unflatten(-1, (HEIGHT, WIDTH)))


@pytest.mark.parametrize("make", [sd3, flux])
def test_rows_of_the_text_are_where_each_token_looks_in_the_image(make: Callable[[], Any]) -> None:
    denoiser, inputs = make()
    image_first = layout_of(denoiser).text_place == "after image"
    image = slice(0, HEIGHT * WIDTH) if image_first else slice(TEXT, None)
    text = slice(HEIGHT * WIDTH, None) if image_first else slice(0, TEXT)
    with ByHead(text, image) as whole:
        plain = denoiser(**inputs).sample
    with capture(denoiser, SiteSelection(rows="text")) as record:
        assert denoiser(**inputs).sample.equal(plain)
    assert record.maps().rows == "text"
    for maps, expected in zip(record.values(), whole.seen, strict=True):
        assert maps.shape == (2, TEXT, HEIGHT, WIDTH)
        torch.testing.assert_close(maps, expected.unflatten(-1, (HEIGHT, WIDTH)) * HEIGHT * WIDTH / TEXT)
        torch.testing.assert_close(maps.mean((-1, -2)), torch.full((2, TEXT), 1 / TEXT, dtype=maps.dtype))


def test_a_boolean_mask_of_text_rows_reads_the_rows_and_columns_that_are_meant() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 7, 3, generator=generator) for _ in range(2))
    mask = torch.ones(1, 1, 7, 7, dtype=torch.bool)
    mask[..., 5, 1] = False  # the first token does not see the second position
    seen = word_attention(slice(0, 5), slice(5, 7))(query, key, mask, None)
    assert seen.shape == (1, 5, 2)
    assert seen[0, 1, 0] == 0
    assert seen[0, 1, 1] > 0


def test_cross_attention_has_no_rows_of_the_text() -> None:
    pipe = tiny_pipeline()
    with capture(pipe.unet, SiteSelection(rows="text")), pytest.raises(SettingsError, match="no token looks at the"):
        pipe("a cat", num_inference_steps=1, output_type="latent")


@pytest.mark.parametrize("make", [sd3, flux])
def test_gradients_reach_the_latents_and_a_pass_that_stops_shows_the_same(make: Callable[[], Any]) -> None:
    denoiser, inputs = make()
    gradients = []
    for stop in (False, True):
        latents = inputs["hidden_states"].clone().requires_grad_()
        with capture(denoiser, stop_after_last=stop) as record:
            denoiser(**(inputs | {"hidden_states": latents}))
            gradients += torch.autograd.grad(record.maps().tokens[:, 2].square().sum(), latents)
    assert gradients[0].abs().amax() > 0
    torch.testing.assert_close(gradients[0], gradients[1])


def test_latents_of_several_images_in_one_sequence_are_refused() -> None:
    denoiser, inputs = flux()
    inputs["hidden_states"] = torch.cat([inputs["hidden_states"]] * 2, dim=1)
    inputs["img_ids"] = torch.cat([inputs["img_ids"]] * 2)
    with capture(denoiser), pytest.raises(UnsupportedPipeline, match="3x5 cells, got 30"):
        denoiser(**inputs)
