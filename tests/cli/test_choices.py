import pytest

from heedful.cli.choices import find_method, read_values
from heedful.errors import SettingsError
from heedful.guidance.methods import ATTEND_AND_EXCITE, HEEDFUL


def test_settings_may_follow_a_method_and_are_part_of_its_name() -> None:
    method = find_method("attend-and-excite@step_size=10@guided=0.3")
    assert method.name == "attend-and-excite@step_size=10@guided=0.3"
    assert method.loss == ATTEND_AND_EXCITE.loss
    for settings in (method.settings, method.embedded):
        assert settings is not None
        assert (settings.step_size, settings.guided) == (10, 0.3)
    assert ATTEND_AND_EXCITE.embedded is not None
    assert method.embedded is not None
    assert method.embedded.sites == ATTEND_AND_EXCITE.embedded.sites
    assert find_method("heedful") is HEEDFUL


def test_words_and_truths_are_settings_too() -> None:
    method = find_method("heedful@condition_alone=False@decay_law=linear")
    assert method.embedded is not None
    assert (method.embedded.condition_alone, method.embedded.decay_law) == (False, "linear")


@pytest.mark.parametrize(
    "told",
    ["", "step_size", "step_size=", "sites=8", "size=3", "step_size=fast", "step_size=True", "condition_alone=1"],
)
def test_settings_that_are_none_are_refused_with_those_that_are(told: str) -> None:
    with pytest.raises(SettingsError, match=r"NAME=VALUE after the @ .* step_size, .*Write attend-and-excite@"):
        find_method(f"heedful@{told}")


def test_an_impossible_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="no negative step size"):
        find_method("a-star@step_size=-1")
    with pytest.raises(SettingsError, match=r"Expected one of the methods none, .* got 'magic'"):
        find_method("magic@step_size=1")


def test_values_are_read_as_python_writes_them_or_as_words() -> None:
    assert read_values(["a=2", "b=None", "c=true", "d=0.5"]) == {"a": 2, "b": None, "c": "true", "d": 0.5}
    for text in ("a", "a=", "=3"):
        with pytest.raises(SettingsError, match="Expected NAME=VALUE"):
            read_values([text])
