import pytest

from heedful.cli.choices import read_any_method, read_method, read_teaching_method
from heedful.errors import SettingsError
from heedful.guidance.methods import ATTEND_AND_EXCITE, HEEDFUL
from heedful.losses import Total
from heedful.teaching.methods import Bind, SeparateAndStrengthen


def test_settings_may_follow_a_method_and_are_part_of_its_name() -> None:
    method = read_method("attend-and-excite@step_size=10@guided=0.3")
    assert method.name == "attend-and-excite@step_size=10@guided=0.3"
    assert method.loss == ATTEND_AND_EXCITE.loss
    for settings in (method.settings, method.embedded):
        assert settings is not None
        assert (settings.step_size, settings.guided) == (10, 0.3)
    assert ATTEND_AND_EXCITE.embedded is not None
    assert method.embedded is not None
    assert method.embedded.sites == ATTEND_AND_EXCITE.embedded.sites
    assert read_method("heedful") is HEEDFUL


def test_words_and_truths_are_settings_too() -> None:
    method = read_method("heedful@condition_alone=0.1@decay_law=linear")
    assert method.embedded is None
    assert (method.settings.condition_alone, method.settings.decay_law) == (0.1, "linear")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("", "Expected NAME=VALUE"),
        ("step_size", "Expected NAME=VALUE"),
        ("step_size=", "Expected NAME=VALUE"),
        ("step_size=1@step_size=2", "each name once"),
        ("size=3", r"Expected one of the settings after the @ of a method \(sites, step_size, .*got 'size'"),
        ("sites=8", "Expected sites to be a SiteSelection, got 8"),
        ("step_size=fast", "Expected step_size to be a finite number, got 'fast'"),
        ("step_size=True", "Expected step_size to be a finite number, got True"),
        ("step_size=1e999", "Expected step_size to be a finite number, got inf"),
        ("step_size=nan", "Expected step_size to be a finite number, got 'nan'"),
        ("max_refinements=1.5", "Expected max_refinements to be a whole number, got 1.5"),
        ("condition_alone=half", "Expected condition_alone to be a finite number or a whole number, got 'half'"),
        ("step_rule=rsm", "Expected step_rule to be one of raw, mean-square, root, rms, first, polyak, got 'rsm'"),
        ("step_rule=../../x", "Expected step_rule to be one of raw, mean-square, root, rms, first, polyak"),
    ],
)
def test_a_setting_is_read_as_the_type_of_its_field(told: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_method(f"heedful@{told}")


def test_whole_numbers_stay_whole_and_others_do_not_become_so() -> None:
    method = read_method("heedful@max_refinements=3@step_size=3")
    assert (type(method.settings.max_refinements), type(method.settings.step_size)) == (int, float)


def test_an_impossible_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="no negative step size"):
        read_method("a-star@step_size=-1")
    with pytest.raises(SettingsError, match=r"Expected a method, one of none, .* got 'magic'"):
        read_method("magic@step_size=1")


def test_options_of_losses_are_read_as_the_types_of_their_fields() -> None:
    loss = read_teaching_method("disendiff", loss_options=["suppressions=2", "sigma=None", "reduction=sum"]).loss
    assert loss == Total(
        (Bind(suppressions=2, sigma=None), SeparateAndStrengthen(suppressions=2, sigma=None, reduction="sum"))
    )


@pytest.mark.parametrize(
    "told",
    ["convention=false", "ratio=True", "normalisation=foo", "reduction=foo", "suppressions=-1", "suppressions=1.5",
     "sigma=none", "sigma=inf", "magic=1", "sigma"],
)  # fmt: skip
def test_options_of_losses_that_mean_nothing_are_refused(told: str) -> None:
    with pytest.raises(SettingsError, match="Expected "):
        read_teaching_method("disendiff", loss_options=[told])


def test_citations_are_found_for_methods_of_both_kinds() -> None:
    assert read_any_method("a-star").name == "a-star" and read_any_method("disendiff").name == "disendiff"
    assert read_any_method("a-star@guided=0.3").name == "a-star@guided=0.3"
    with pytest.raises(SettingsError, match="Did you mean 'disendiff'"):
        read_any_method("disendif")
