"""Each pipeline that the docs say is guided: maps of the right size, the loss falls, nothing else changes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch

from heedful.attention import find_denoiser, layout_of
from heedful.errors import SettingsError
from heedful.guidance import Method, Settings, guide
from heedful.guidance.methods import HEEDFUL, AttendAndExciteLoss
from tests.every_pipeline import PIPELINES, Run
from tests.family_pipelines import FAMILY_PIPELINES
from tests.more_pipelines import MORE_PIPELINES

# diffusers' schedulers hand tensors to numpy in a way that numpy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning"),
    pytest.mark.filterwarnings(
        "ignore:.*deprecated.*:FutureWarning"
    ),  # diffusers' own parts use each other's old names
]

EXCITE = Method(name="excite", loss=AttendAndExciteLoss())
ALL = PIPELINES | FAMILY_PIPELINES | MORE_PIPELINES


def settings_of(run: Run, step_size: float, scheme: str = "exact") -> Settings:
    """Scale 2 of U-Nets; the usual sites of transformers."""
    usual = EXCITE.settings_for(find_denoiser(run.pipe))
    sites = replace(usual.sites, scale=2) if usual.sites.scale == 4 else usual.sites
    return Settings(sites=sites, step_size=step_size, step_rule="rms", guided=1.0, scheme=scheme)  # pyright: ignore


def each(names: Iterable[str], *values: Any, fast: bool) -> list[Any]:
    """Each of some pipelines with `values`."""
    return [pytest.param(name, *values, marks=() if fast else pytest.mark.slow) for name in names]


SECOND = ("Img2Img", "Inpaint", "with a", "Modular", "PAG", "ControlNet", "Edit", "Kontext")
"""Pipelines whose denoiser another row has too: they differ in how they call it."""
BOTH_SCALES = [name for name in PIPELINES if not any(part in name for part in SECOND)]


@pytest.mark.parametrize(
    ("name", "guidance_scale"),
    each(ALL, 5.0, fast=True)
    + each(BOTH_SCALES, 1.0, fast=True)
    + each([name for name in ALL if name not in BOTH_SCALES], 1.0, fast=False),
)
def test_loss_falls_and_all_else_stays(name: str, guidance_scale: float) -> None:
    run = ALL[name]()
    plain = run(guidance_scale)
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.0)) as still:
        assert run(guidance_scale).equal(plain)
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.3)) as guided:
        images = run(guidance_scale)
    assert len(guided.trace) == 3
    assert guided.maps["cat"].shape == (len(images), 3, 4 * run.frames, 6)
    assert guided.maps["cat"].isnan().flatten(1).any(1).tolist() == run.without_cat
    assert (images - plain).abs().flatten(1).amax(1).min() > 1e-3
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    assert run(guidance_scale).equal(plain)


@pytest.mark.parametrize(
    ("name", "scheme"),
    each(BOTH_SCALES, "one-pass", fast=True)
    + each([name for name in ALL if name not in BOTH_SCALES], "one-pass", fast=False)
    + each(ALL, "prediction", fast=False),
)
def test_schemes_that_update_in_the_pass_that_predicts(name: str, scheme: str) -> None:
    run = ALL[name]()
    plain = run()
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.0)) as still:
        run()
    # the conditional rows run apart, so sums may be added in another order
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.0, scheme)):
        torch.testing.assert_close(run(), plain, rtol=1e-3, atol=1e-3)
    with guide(run.pipe, run.prompts, EXCITE, settings=settings_of(run, 0.3, scheme)) as guided:
        run()
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    assert run().equal(plain)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_scheme_without_gradients(name: str) -> None:
    run = ALL[name]()
    plain = run()
    settings = settings_of(run, 0.0, "select")
    if run.arguments.get("strength", 1.0) < 1 or "ControlNet" in name:
        why = "residuals of a ControlNet" if "ControlNet" in name else "begins with noise"
        with pytest.raises(SettingsError, match=why), guide(run.pipe, run.prompts, EXCITE, settings=settings):
            run()
        assert run().equal(plain)
        return
    with guide(run.pipe, run.prompts, EXCITE, settings=settings) as guided:
        images = run()
    kept = [restart.chosen == 0 for restart in guided.trace.restarts]
    assert not all(kept)
    assert [bool((one - other).abs().max() < 1e-3) for one, other in zip(images, plain, strict=True)] == kept
    assert run().equal(plain)


@pytest.mark.parametrize(
    "name", each(BOTH_SCALES[::3], fast=True) + each([name for name in ALL if name not in BOTH_SCALES[::3]], fast=False)
)
def test_the_default_method_reads_where_words_look_wherever_that_can_be_read(name: str) -> None:
    run = ALL[name]()
    plain = run()
    denoiser = find_denoiser(run.pipe)
    settings = HEEDFUL.settings_for(denoiser)
    assert (settings.sites.rows == "text") == layout_of(denoiser).shows_words
    with guide(run.pipe, run.prompts, HEEDFUL, settings=replace(settings, guided=1.0, restart=None)) as guided:
        images = run()
    assert images.isfinite().all()
    assert torch.tensor([step.loss for step in guided.trace]).isfinite().all()
    assert not images.equal(plain)
    assert run().equal(plain)
