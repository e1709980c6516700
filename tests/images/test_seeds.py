"""Seeds as a person writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import SettingsError
from heedful.images.seeds import parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", (7,)),
        ("0-3", (0, 1, 2, 3)),
        ("0,5,7", (0, 5, 7)),
        ("0-3,8", (0, 1, 2, 3, 8)),
        (" 2 - 3 , 0 ", (2, 3, 0)),
        ("1,1,0-2", (1, 0, 2)),
        ("4-4", (4,)),
    ],
)
def test_seeds_are_numbers_and_ranges_that_hold_both_ends(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


def test_a_range_that_counts_down_is_refused_with_the_right_one() -> None:
    with pytest.raises(SettingsError) as error:
        parse_seeds("3-1")
    assert str(error.value) == (
        "Expected seeds such as 0-3 (from 0 to 3), 0,5,7 or 0-3,8, got '3-1': the range 3-1 counts down; write 1-3."
    )


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1-", "0--2", "1.5", "0-1-2", "0-99999999999", str(2**63)])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="Expected seeds such as 0-3"):
        parse_seeds(text)


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=9))
def test_a_list_is_read_as_it_was_written(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(dict.fromkeys(seeds))
