import pytest
from quality import read_preferences

from heedful.errors import SettingsError

KEY = [
    {"prompt": "a cat and a dog", "seed": 1, "left": "none", "right": "heedful"},
    {"prompt": "a cat and a dog", "seed": 2, "left": "heedful", "right": "none"},
    {"prompt": "a lion and a bear", "seed": 3, "left": "heedful", "right": "none"},
    {"prompt": "a bear and a frog", "seed": 4, "left": "none", "right": "heedful"},
]


def test_preferences_are_counted_by_what_stood_on_the_side() -> None:
    said = read_preferences(KEY, ["right", "right", "equal", "right"])
    assert said.startswith("heedful 2, none 1, equal 1; heedful preferred in 0.62")


def test_every_pair_has_a_preference() -> None:
    with pytest.raises(SettingsError, match="Expected 4 preferences of left, right, equal, got 1"):
        read_preferences(KEY, ["left"])
