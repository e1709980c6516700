import inspect

import pytest
from torch import nn

from heedful.attention.intercept import replaced


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
