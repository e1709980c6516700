import json
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from heedful import catalogue
from heedful.attention import SiteSelection, find_sites, layout_of
from heedful.errors import SettingsError
from heedful.guidance import EMBEDDED_SITES, METHODS, Method, find_method, methods
from heedful.guidance.methods import (
    A_STAR,
    ATTEND_AND_EXCITE,
    ATTEND_AND_EXCITE_A_STAR,
    EBAMA,
    FOCUS,
    HEEDFUL,
    INITNO,
    NONE,
    RANDOM,
    WRONG_TOKENS,
    AttendAndExciteLoss,
    Elsewhere,
    Retention,
    Segregation,
    SelfConflict,
    Separability,
    WrongTokens,
)
from heedful.losses import PUBLISHED_SHARES
from heedful.references import cite
from heedful.steering import COARSEST_UP_SITES
from heedful.world.architecture import build_unet
from tests.pipelines import tiny_unet
from tests.transformer_pipelines import tiny_flux


def test_methods_hold_the_published_losses() -> None:
    assert ATTEND_AND_EXCITE.loss == AttendAndExciteLoss(shares=PUBLISHED_SHARES)
    retention = Retention(threshold="quantile", quantile=0.9)
    assert A_STAR.loss == Segregation() + retention
    assert ATTEND_AND_EXCITE_A_STAR.loss == AttendAndExciteLoss(shares=PUBLISHED_SHARES) + Segregation() + retention
    assert INITNO.loss == AttendAndExciteLoss(shares=PUBLISHED_SHARES) + SelfConflict(shares=PUBLISHED_SHARES)
    assert HEEDFUL.loss == Separability() + 3.0 * Elsewhere() + 0.4 * EBAMA.loss
    assert NONE.loss is None


def test_search_for_a_noise_has_its_published_numbers() -> None:
    search = INITNO.settings.initial_noise
    assert search is not None
    assert (search.noises, search.iterations, search.final_iterations) == (5, 10, 50)
    assert (search.cross_limit, search.conflict_limit, search.gate) == (0.2, 0.3, 0.5)
    assert (search.learning_rate, search.epsilon, search.divergence) == (1e-2, 1e-3, 1e-3)
    loss = AttendAndExciteLoss(shares=PUBLISHED_SHARES), SelfConflict(shares=PUBLISHED_SHARES)
    assert (search.cross, search.conflict) == loss


def test_controls_step_as_far_as_attend_and_excite_without_refinement() -> None:
    assert WRONG_TOKENS.loss == WrongTokens(Segregation())
    assert (RANDOM.loss, RANDOM.direction) == (ATTEND_AND_EXCITE.loss, "random")
    for control in (RANDOM, WRONG_TOKENS):
        assert control.settings == replace(ATTEND_AND_EXCITE.settings, targets=())
        assert control.embedded == ATTEND_AND_EXCITE.embedded


def test_embedded_world_gets_its_own_settings() -> None:
    world = build_unet()
    for method in METHODS.values():
        assert method.settings_for(tiny_unet()) is method.settings
        if method is HEEDFUL:  # which has one setting for all
            assert method.embedded is None and method.settings_for(world) is method.settings
            continue
        assert method.settings_for(world) is method.embedded
        assert method.settings_for(world).sites in (EMBEDDED_SITES, SiteSelection(scale=2))


def test_our_own_sites_are_those_of_the_embedded_models_and_the_published_ones_of_the_up_blocks() -> None:
    """By rule: the first up block that attends to the text."""
    for unet, blocks in ((build_unet(), EMBEDDED_SITES), (tiny_unet(), None)):
        sites = find_sites(unet)
        size = (unet.config.sample_size,) * 2
        chosen = HEEDFUL.settings_for(unet).sites.choose(sites, size)
        if blocks is not None:
            assert chosen == blocks.choose(sites, size)
        assert {site.block for site in chosen} == {"up"}
        assert {site.scale for site in chosen} == {max(site.scale for site in sites if site.block == "up")}


def test_transformers_are_read_at_their_usual_sites_with_the_published_numbers() -> None:
    transformer = tiny_flux().transformer
    for method in METHODS.values():
        settings = method.settings_for(transformer)
        if method is FOCUS:  # which was published for them
            assert settings is FOCUS.settings
            continue
        usual = layout_of(transformer).usual_sites(transformer)
        assert usual is not None
        reads_words = method.settings.sites == COARSEST_UP_SITES or method.loss is None
        assert settings.sites == (replace(usual, rows="text") if reads_words else usual)
        assert replace(settings, sites=method.settings.sites) == method.settings


def test_every_method_cites_its_papers() -> None:
    assert "heedful" in cite(NONE)
    for method in (A_STAR, ATTEND_AND_EXCITE_A_STAR, WRONG_TOKENS):
        assert "A-STAR" in cite(method)
    assert "InitNO" in cite(INITNO)
    assert "InitNO" in cite(replace(NONE, settings=INITNO.settings))


def test_methods_are_found_by_name_and_as_constants() -> None:
    assert find_method("a-star") is A_STAR is methods.A_STAR
    with pytest.raises(SettingsError, match=r"none, attend-and-excite, a-star, .*Did you mean 'a-star'"):
        find_method("a_star")
    with pytest.raises(AttributeError, match="it has: NONE, ATTEND_AND_EXCITE, A_STAR"):
        _ = methods.A_STARR


def test_identity_of_a_method_says_what_it_does_on_a_denoiser() -> None:
    world = build_unet()
    assert A_STAR.identity(world) == {
        "version": 1,
        "loss": {
            "class": "Total",
            "losses": [{"class": "Segregation"}, {"class": "Retention", "threshold": "quantile", "quantile": 0.9}],
        },
        "settings": {
            "class": "Settings",
            "sites": {"class": "SiteSelection", "blocks": ["up"], "scale": 2},
            "step_size": 12.0,
            "guided": 0.3,
        },
    }
    assert RANDOM.identity(world)["direction"] == "random"
    assert replace(A_STAR, name="other").identity(world) == A_STAR.identity(world)
    assert replace(A_STAR, embedded=None).identity(world) != A_STAR.identity(world) != A_STAR.identity(tiny_unet())
    found = [json.dumps(method.identity(world), allow_nan=False) for method in METHODS.values()]
    assert len(set(found)) == len(METHODS)


def test_no_file_but_that_of_a_method_and_the_catalogue_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("heedful.guidance.methods.of_my_own")
    vars(module)["OF_MY_OWN"] = own = Method(name="of-my-own", loss=A_STAR.loss)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    listed = catalogue.members("heedful.guidance.methods", {**catalogue.METHODS, "of-my-own": "of_my_own"})
    assert listed["of-my-own"] is own and list(listed)[:-1] == list(METHODS)
