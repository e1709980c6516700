from dataclasses import replace

import pytest

from heedful.errors import SettingsError
from heedful.references import BIBTEX
from heedful.teaching import METHODS
from heedful.teaching.methods import Bind, SeparateAndStrengthen
from heedful.teaching.methods.custom_diffusion import CUSTOM_DIFFUSION
from heedful.teaching.methods.disendiff import DISENDIFF
from heedful.world import load


def test_fields_of_the_losses_are_options() -> None:
    method = DISENDIFF.with_loss(suppressions=2, sigma=None, reduction="sum")
    assert method.loss == Bind(suppressions=2, sigma=None) + SeparateAndStrengthen(
        suppressions=2, sigma=None, reduction="sum"
    )
    alone = replace(DISENDIFF, loss=Bind()).with_loss(ratio="true")
    assert alone.loss == Bind(ratio="true")


def test_a_field_that_no_loss_has_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"a field of the losses of 'disendiff' \(.*suppressions\), got 'squares'"):
        DISENDIFF.with_loss(squares=2)
    with pytest.raises(SettingsError, match="got 'custom-diffusion', which has none"):
        CUSTOM_DIFFUSION.with_loss(sigma=None)


def test_disendiff_is_custom_diffusion_with_losses_at_the_published_numbers() -> None:
    assert replace(DISENDIFF, name="custom-diffusion", loss=None, citation="kumari2023custom") == CUSTOM_DIFFUSION
    settings = DISENDIFF.settings
    assert (settings.learning_rate, settings.max_train_steps, settings.loss_weight) == (8e-5, 250, 0.01)
    assert 2 * settings.train_batch_size == 8


def test_the_embedded_world_has_settings_of_its_own() -> None:
    unet = load().unet
    for method in METHODS.values():
        assert method.settings_for(unet) == method.embedded
        assert method.embedded is not None
        assert not method.embedded.say_scale


def test_every_method_says_whom_to_cite() -> None:
    for method in METHODS.values():
        assert method.citations
        assert set(method.citations) <= set(BIBTEX)
    assert "hu2022lora" in METHODS["disendiff-lora"].citations
