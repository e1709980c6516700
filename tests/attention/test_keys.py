"""Keys of the text, seen and changed while a denoiser runs."""

from typing import Any

import pytest
import torch

from heedful.attention import SiteSelection, capture, find_denoiser, layout_of, text_keys
from tests.pipelines import latents_of, tiny_pipeline
from tests.transformer_pipelines import tiny_flux, tiny_sd3


@pytest.mark.parametrize("make", [tiny_pipeline, tiny_sd3, tiny_flux])
def test_keys_that_are_only_seen_change_nothing_and_leave_no_trace(make: Any) -> None:
    pipe = make()
    denoiser: Any = find_denoiser(pipe)
    plain, before = latents_of(pipe, "a cat"), {name: sorted(vars(it)) for name, it in denoiser.named_modules()}
    seen: dict[str, set[tuple[int, ...]]] = {}

    def see(site: str, keys: torch.Tensor) -> torch.Tensor:
        seen.setdefault(site, set()).add(tuple(keys.shape))
        return keys

    arguments: dict[str, Any] = {}
    layout = layout_of(denoiser)
    handle = denoiser.register_forward_pre_hook(
        lambda module, args, kwargs: arguments.update(layout.arguments(module, *args, **kwargs)), with_kwargs=True
    )
    latents_of(pipe, "a cat")
    handle.remove()
    with text_keys(denoiser, arguments, see):
        assert latents_of(pipe, "a cat").equal(plain)
    assert {name: sorted(vars(it)) for name, it in denoiser.named_modules()} == before
    assert list(seen) == [site.name for site in layout.find_sites(denoiser)]
    assert {shape[2] for shapes in seen.values() for shape in shapes} == {layout.text_length(arguments)}


def test_changed_keys_are_those_that_the_maps_show() -> None:
    """With keys of zero, every token is attended to alike."""
    pipe: Any = tiny_pipeline()
    text = torch.randn(1, 77, pipe.unet.config.cross_attention_dim)
    latents = torch.randn(1, 4, 8, 8)
    arguments = {"sample": latents, "encoder_hidden_states": text}
    with (
        torch.no_grad(),
        text_keys(pipe.unet, arguments, lambda site, keys: torch.zeros_like(keys)),
        capture(pipe.unet, SiteSelection(scale=2)) as record,
    ):
        pipe.unet(latents, torch.tensor(1), encoder_hidden_states=text)
    torch.testing.assert_close(record.maps().tokens, torch.full((1, 77, 4, 4), 1 / 77))
