"""What a help page says, and how: whole sentences, no more than ten parameters, and no option said below."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console

from heedful.catalogue import METHODS, TEACHING_METHODS
from heedful.cli.console import HINTS
from heedful.cli.main import app
from tests.cli.conftest import Call

SRC = Path(__file__).parents[2] / "src" / "heedful"
SHOWS_COMMANDS = ("teaching/card.py", "report/world_card.py")
"""Pages for people, which tell the command that made them."""
IS_NO_OPTION = ("report/html.py", "bench/provenance.py", "shapes.py", "steering/notebook.py")
"""Variables of CSS, options of git, and of pytest."""


def _commands(parent: App, name: str = "heedful") -> Iterator[tuple[str, App]]:
    for word in parent:
        if not word.startswith("-"):
            child = parent[word]
            if child.default_command is None:
                yield from _commands(child, f"{name} {word}")
            else:
                yield f"{name} {word}", child


COMMANDS = dict(_commands(app))


def _strings(file: Path) -> list[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_command_is_known() -> None:
    assert len(COMMANDS) == 22 and {"heedful generate", "heedful bench add-score", "heedful world train"} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_in_sentences(name: str) -> None:
    command = COMMANDS[name]
    for argument in command.assemble_argument_collection(parse_docstring=True):
        if argument.parameter.show is False or argument.name == "*":
            continue
        told = (argument.parameter.help or "").strip()
        assert re.match(r'[A-Z"]', told) and told.endswith("."), f"{name} {argument.name}: {told!r}"
        assert not re.match(r"Of |Without ", told), f"{name} {argument.name}: {told!r}"
    assert inspect.getdoc(command.default_command), name


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_has_more_than_ten_parameters(name: str) -> None:
    function = COMMANDS[name].default_command
    assert function is not None
    assert len(inspect.signature(function).parameters) <= 10


@pytest.fixture
def narrow(call: Call) -> Iterator[None]:
    """Pages of 80 columns: cyclopts keeps the width that a terminal had when it was first asked."""
    app.console = Console(width=80)
    yield
    app.console = None


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", COMMANDS)
def test_pages_fit_into_80_columns(call: Call, name: str) -> None:
    page = call(*name.split()[1:], "--help")
    assert page.code == 0 and max(map(len, page.out.splitlines())) <= 80


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("command", "names"), [("generate", METHODS), ("teach", TEACHING_METHODS)])
def test_no_name_of_a_method_is_cut(call: Call, command: str, names: dict[str, str]) -> None:
    words = set(re.split(r"[\s,.:]+", call(command, "--help").out))
    assert set(names) <= words


def test_no_message_below_the_command_line_names_an_option() -> None:
    for file in sorted(SRC.rglob("*.py")):
        path = file.relative_to(SRC).as_posix()
        if path.startswith("cli/") or path in (*SHOWS_COMMANDS, *IS_NO_OPTION):
            continue
        for text in _strings(file):
            assert not re.search(r"--[a-z]", text), f"{path}: {text!r}"


def test_every_hint_belongs_to_a_message_and_to_an_option() -> None:
    files = [file for file in SRC.rglob("*.py") if file.parent != SRC / "cli"]
    below = re.sub(r"\s+", " ", " ".join(text for file in files for text in _strings(file)))
    options = {name for one in COMMANDS.values() for each in one.assemble_argument_collection() for name in each.names}
    for words, option in HINTS.items():
        assert words in below, words
        assert option.split()[0] in options, option


def test_a_typing_error_gets_the_nearest_name(call: Call) -> None:
    for words, near in (
        (["generat"], '"generate"'),
        (["bench", "rnu"], '"run"'),
        (["generate", "a cat", "--metod", "none"], "--method"),
        (["generate", "a cat", "--method", "a-str"], "'a-star'"),
        (["teach", "a.png", "--prompt", "a <c> cat", "--out", "x", "--method", "disendif"], "'disendiff'"),
    ):
        result = call(*words)
        assert result.code == 2 and f"Did you mean {near}?" in result.err, result.err


def test_a_shell_completes_options_and_methods() -> None:
    script = app.generate_completion(shell="bash")
    assert not re.search(r"--negative(?!-prompt)", script) and "--guidance-scale" in script and "add-score" in script


def test_see_offers_no_batch_size_for_its_one_image(call: Call) -> None:
    result = call("see", "a cat", "--batch-size", 2)
    assert result.code == 2 and "Unknown option" in result.err
