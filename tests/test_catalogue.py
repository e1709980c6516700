import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from heedful import catalogue, guidance, teaching
from heedful.errors import SettingsError


def test_catalogue_lists_the_methods_that_there_are() -> None:
    assert list(guidance.METHODS) == list(catalogue.METHODS)
    assert {name: method.name for name, method in guidance.METHODS.items()} == {
        name: name for name in catalogue.METHODS
    }
    assert set(teaching.METHODS) == set(catalogue.TEACHING_METHODS)
    assert catalogue.DEFAULT_METHOD in guidance.METHODS and catalogue.DEFAULT_METHOD in teaching.METHODS


def test_names_are_listed_without_torch() -> None:
    code = "import sys, heedful.catalogue; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_names_of_constants_follow_those_of_methods() -> None:
    assert catalogue.constant("attend-and-excite+a-star") == "ATTEND_AND_EXCITE_A_STAR"


def test_unknown_name_is_refused_with_the_list_and_the_nearest() -> None:
    assert catalogue.check_name("a-star", catalogue.METHODS, "a method") == "a-star"
    with pytest.raises(SettingsError, match=r"one of none, .*wrong-tokens, got 'astar'. Did you mean 'a-star'\?"):
        catalogue.check_name("astar", catalogue.METHODS, "a method")
    with pytest.raises(SettingsError, match=r"got 'xyz'\.$"):
        catalogue.check_name("xyz", catalogue.METHODS, "a method")


@pytest.mark.parametrize("room", [guidance, teaching])
def test_methods_of_both_kinds_are_found_in_the_same_way(room: Any) -> None:
    for name, method in room.METHODS.items():
        assert room.find_method(name) is room.find_method(method) is method
    changed = replace(room.METHODS["heedful"], name="mine")
    assert room.find_method(changed) is changed
    with pytest.raises(SettingsError, match=r"one of .*heedful.* Did you mean 'heedful'"):
        room.find_method("heedfull")


def test_what_is_neither_a_method_nor_a_name_is_refused_with_the_list() -> None:
    with pytest.raises(SettingsError, match="Expected a number, one of one, two, got 3"):
        catalogue.check_name(3, {"one": 1, "two": 2}, "a number")
