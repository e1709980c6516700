import copy
import inspect
from collections.abc import Iterator
from functools import wraps

import pytest
from torch import nn

from heedful.attention.intercept import one_block, replaced
from heedful.errors import SettingsError


class Doubler(nn.Module):
    def forward(self, value: int, *, times: int = 2) -> int:
        return times * value


def test_replacement_is_called_and_shows_the_signature_of_what_it_replaces() -> None:
    module = Doubler()
    with replaced(module, "forward", lambda value: value + 1):
        assert module(3) == 4
        assert list(inspect.signature(module.forward).parameters) == ["value", "times"]
    assert module(3) == 6


def test_nothing_remains_after_an_error() -> None:
    module = Doubler()
    before = dict(vars(module))
    with pytest.raises(KeyError), replaced(module, "forward", lambda value: value):
        raise KeyError
    assert vars(module) == before


def test_what_somebody_else_put_on_the_instance_comes_back() -> None:
    module = Doubler()
    module.forward = offloaded = lambda value: -value  # type: ignore[method-assign]
    with replaced(module, "forward", lambda value: value):
        assert module(3) == 3
    assert module.forward is offloaded


def test_replacements_nest() -> None:
    module = Doubler()
    with replaced(module, "forward", lambda value: 1):
        with replaced(module, "forward", lambda value: 2):
            assert module(0) == 2
        assert module(0) == 1
    assert "forward" not in vars(module)


def test_replacement_that_was_overwritten_is_put_back_around_what_stands_there_now() -> None:
    module = Doubler()
    with replaced(module, "forward", lambda value: value + 1) as opened:
        module.forward = theirs = lambda value: -value  # type: ignore[method-assign]
        assert module(3) == -3
        opened.put_back()
        assert module(3) == 4
        assert opened.original(3) == -3
    assert module.forward is theirs


def test_what_somebody_puts_around_the_replacement_stays_and_finds_the_original_after_the_block() -> None:
    module = Doubler()
    with replaced(module, "forward", lambda value: value + 1) as opened:
        inner = module.forward
        module.forward = outer = wraps(inner)(lambda value: 10 * inner(value))  # type: ignore[method-assign]
        opened.put_back()
        assert module.forward is outer
        assert module(3) == 40
    assert module(3) == 60


def test_copy_that_is_made_while_a_method_is_replaced_has_the_method_of_its_class() -> None:
    module = Doubler()
    with replaced(module, "forward", lambda value: value + 1):
        other = copy.deepcopy(module)
        assert other(3) == 6
    assert other(3, times=3) == 9


def test_block_is_opened_once() -> None:
    @one_block
    def doubled(value: int) -> Iterator[int]:
        yield 2 * value

    once = doubled(3)
    with once as value:
        assert value == 6
    with pytest.raises(SettingsError, match=r"a new doubled\(...\) for each block"), once:
        pass
