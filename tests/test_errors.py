import sys
from pathlib import Path

import pytest

from heedful import errors
from heedful.errors import HeedfulError, MissingExtra, require


def _family() -> list[type[HeedfulError]]:
    return [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, HeedfulError)]


@pytest.mark.parametrize("error", _family())
def test_every_error_stands_in_the_tree_and_says_what_it_means(error: type[HeedfulError]) -> None:
    assert errors.__doc__ is not None and error.__name__ in errors.__doc__
    assert error.__doc__


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (errors.PromptError, ValueError),
        (errors.ConceptNotFound, ValueError),
        (errors.SettingsError, ValueError),
        (errors.OutputError, OSError),
        (errors.MissingExtra, ImportError),
    ],
)
def test_errors_are_also_what_python_calls_them(error: type[HeedfulError], standard: type[Exception]) -> None:
    assert issubclass(error, standard)


def test_require_returns_the_module_even_inside_a_package() -> None:
    assert require("json", extra="dev") is sys.modules["json"]
    assert require("importlib.metadata", extra="dev").__name__ == "importlib.metadata"


def test_an_absent_extra_names_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'heedful\[syntax\]'"):
        require("no_such_package.parser", extra="syntax")


def test_a_broken_extra_is_not_called_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_extra.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as caught:
        require("broken_extra", extra="syntax")
    assert not isinstance(caught.value, MissingExtra)
