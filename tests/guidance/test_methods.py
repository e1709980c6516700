from dataclasses import replace

from heedful.guidance import (
    A_STAR,
    ATTEND_AND_EXCITE,
    ATTEND_AND_EXCITE_A_STAR,
    HEEDFUL,
    INITNO,
    METHODS,
    NONE,
    RANDOM,
    WRONG_TOKENS,
    InitialNoise,
    Settings,
    presets,
)
from heedful.losses import AttendAndExcite, Elsewhere, Retention, Segregation, SelfConflict, Separability, WrongTokens
from heedful.references import cite
from heedful.world.architecture import build_unet
from tests.pipelines import tiny_unet
from tests.transformer_pipelines import tiny_flux


def test_methods_stand_under_their_own_names() -> None:
    assert all(METHODS[name].name == name for name in METHODS)
    assert list(METHODS) == [
        "none",
        "attend-and-excite",
        "a-star",
        "attend-and-excite+a-star",
        "initno",
        "divide-and-bind",
        "syngen",
        "ebama",
        "conform",
        "focus",
        "heedful",
        "random",
        "wrong-tokens",
    ]


def test_methods_hold_the_published_losses() -> None:
    assert ATTEND_AND_EXCITE.loss == AttendAndExcite(reference_tokens=77)
    retention = Retention(threshold="quantile", quantile=0.9)
    assert A_STAR.loss == Segregation() + retention
    assert ATTEND_AND_EXCITE_A_STAR.loss == AttendAndExcite(reference_tokens=77) + Segregation() + retention
    assert INITNO.loss == AttendAndExcite(reference_tokens=77) + SelfConflict(reference_tokens=77)
    assert HEEDFUL.loss == Separability() + 3.0 * Elsewhere()
    assert NONE.loss is None


def test_search_for_a_noise_has_its_published_numbers() -> None:
    search = INITNO.settings.initial_noise
    assert search is not None
    assert (search.noises, search.iterations, search.final_iterations) == (5, 10, 50)
    assert (search.cross_limit, search.conflict_limit, search.gate) == (0.2, 0.3, 0.5)
    assert (search.learning_rate, search.epsilon, search.divergence) == (1e-2, 1e-3, 1e-3)
    assert Settings(initial_noise=InitialNoise()).initial_noise == search


def test_controls_step_as_far_as_attend_and_excite_without_refinement() -> None:
    assert WRONG_TOKENS.loss == WrongTokens(Segregation())
    assert (RANDOM.loss, RANDOM.direction) == (ATTEND_AND_EXCITE.loss, "random")
    for control in (RANDOM, WRONG_TOKENS):
        assert control.settings == replace(ATTEND_AND_EXCITE.settings, thresholds=())
        assert control.world == ATTEND_AND_EXCITE.world


def test_embedded_world_gets_its_own_settings() -> None:
    world = build_unet()
    for method in METHODS.values():
        assert method.settings_for(tiny_unet()) is method.settings
        assert method.settings_for(world) is method.world
        assert method.settings_for(world).sites in (presets.WORLD_SITES, presets.ALL_WORLD_SITES)
    assert HEEDFUL.settings_for(world).sites == presets.WORLD_SITES


def test_transformers_are_read_at_their_usual_sites_with_the_published_numbers() -> None:
    transformer = tiny_flux().transformer
    for method in METHODS.values():
        settings = method.settings_for(transformer)
        assert settings.sites.depth == (0.0, 0.5)
        assert replace(settings, sites=method.settings.sites) == method.settings


def test_every_method_cites_its_papers() -> None:
    assert "heedful" in cite(NONE)
    for method in (A_STAR, ATTEND_AND_EXCITE_A_STAR, WRONG_TOKENS):
        assert "A-STAR" in cite(method)
    assert "InitNO" in cite(INITNO)
    assert "InitNO" in cite(replace(NONE, settings=INITNO.settings))
