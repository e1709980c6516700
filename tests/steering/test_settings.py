import numpy as np
import pytest

from heedful import guidance
from heedful.attention import SiteSelection
from heedful.errors import SettingsError
from heedful.guidance import PUBLISHED_SITES, Settings
from heedful.guidance.methods import ATTEND_AND_EXCITE


def test_published_step_sizes_of_attend_and_excite() -> None:
    sizes = ATTEND_AND_EXCITE.settings.step_sizes(50)
    np.testing.assert_allclose(sizes, 20 * np.sqrt(np.linspace(1, 0.5, 50)), rtol=1e-12)
    assert (sizes[0], round(sizes[24], 1), round(sizes[49], 1)) == (20.0, 17.4, 14.1)


def test_published_schedule_of_attend_and_excite_at_50_steps() -> None:
    settings = ATTEND_AND_EXCITE.settings
    assert settings.guided_steps(50) == 25
    assert settings.target_steps(50) == pytest.approx({0: 0.95, 10: 0.5, 20: 0.2})


def test_schedule_follows_the_number_of_steps() -> None:
    settings = ATTEND_AND_EXCITE.settings
    assert settings.guided_steps(20) == 10
    assert sorted(settings.target_steps(20)) == [0, 4, 8]
    assert settings.guided_steps(5) == 3


def test_the_first_half_cannot_be_taken_for_a_number_of_steps() -> None:
    assert Settings(guided=1).guided_steps(50) == Settings(guided=1.0).guided_steps(50) == 50
    assert Settings(guided=25 / 50).guided_steps(50) == 25
    with pytest.raises(SettingsError, match=r"share of the run in \[0, 1\], got 25.*25 / 50"):
        Settings(guided=25)
    with pytest.raises(SettingsError, match="got 3"):
        Settings(targets=((3, 0.5),))


def test_linear_decay_reaches_its_end() -> None:
    sizes = Settings(step_size=0.06, decay=(1.0, 0.5), decay_law="linear").step_sizes(11)
    assert (sizes[0], sizes[5], sizes[10]) == pytest.approx((0.06, 0.045, 0.03))


@pytest.mark.parametrize("wrong", [{"guided": 1.5}, {"guided": -1}, {"step_size": -1.0}, {"targets": ((25.0, 0.5),)}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Settings(**wrong)  # type: ignore[arg-type]


def test_repr_round_trips() -> None:
    settings = Settings(guided=0.25, step_rule="rms")
    names = vars(guidance) | {"SiteSelection": SiteSelection}
    assert eval(repr(settings), names) == settings
    assert settings.sites == PUBLISHED_SITES


@pytest.mark.parametrize(
    ("steps", "a_third", "half", "targets", "selection"),
    [
        (1, 1, 1, [0], 0),
        (2, 1, 1, [0, 1], 1),
        (4, 1, 2, [0, 1, 2], 1),
        (8, 2, 4, [0, 2, 3], 2),
        (50, 15, 25, [0, 10, 20], 10),
    ],
)
def test_shares_of_a_run_of_few_steps(steps: int, a_third: int, half: int, targets: list[int], selection: int) -> None:
    """The table of docs/guidance.md."""
    assert Settings(guided=0.3).guided_steps(steps) == a_third
    assert Settings(guided=0.5).guided_steps(steps) == half
    assert Settings(guided=0).guided_steps(steps) == 0
    assert sorted(ATTEND_AND_EXCITE.settings.target_steps(steps)) == targets
    assert Settings(scheme="select").restart_step(steps) == selection


def test_last_of_several_targets_on_one_step_is_asked_for() -> None:
    assert Settings(targets=((0.0, 0.9), (0.2, 0.5), (0.4, 0.2))).target_steps(1) == {0: 0.2}


def test_scheme_without_gradients_has_no_guided_step() -> None:
    settings = Settings(scheme="select", targets=((0.0, 0.5),))
    assert (settings.guided_steps(50), settings.target_steps(50)) == (0, {})
    assert not settings.needs_gradient
