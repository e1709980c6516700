"""Values against the types of a dataclass's fields."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from heedful.errors import SettingsError
from heedful.fields import check_fields


@dataclass
class Options:
    reduction: Literal["mean", "sum"] = "mean"
    squares: Literal[0, 1, 2] = 1
    sigma: float | None = 0.5
    count: int = 1
    words: tuple[str, ...] = ()
    on: bool = True


@pytest.mark.parametrize(
    "values",
    [{"reduction": "sum"}, {"squares": 2}, {"sigma": None}, {"sigma": 1}, {"words": ("a", "b")}, {"on": False}],
)
def test_values_of_the_right_type_pass(values: dict[str, Any]) -> None:
    check_fields(Options, values, "options")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reduction": "rms"}, "reduction to be one of mean, sum, got 'rms'"),
        ({"squares": True}, "squares to be one of 0, 1, 2, got True"),
        ({"squares": 1.5}, "squares to be one of 0, 1, 2, got 1.5"),
        ({"sigma": "none"}, "sigma to be a finite number or None, got 'none'"),
        ({"sigma": float("inf")}, "sigma to be a finite number or None, got inf"),
        ({"count": 1.5}, "count to be a whole number, got 1.5"),
        ({"count": True}, "count to be a whole number, got True"),
        ({"words": ("a", 1)}, "words to be a tuple, got"),
        ({"on": 1}, "on to be True or False, got 1"),
        ({"typo": 1}, r"one of the options \(reduction, .*\), got 'typo'"),
    ],
)
def test_others_are_refused_with_the_choices(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_fields(Options, values, "options")
