"""The command `heedful`: its list of commands, and the one point at which errors are caught.

Each command imports what is slow (torch, diffusers) only when it runs, so that `heedful --help` answers at once.
"""

import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter

from heedful.cli.app import app as page
from heedful.cli.bench import app as bench
from heedful.cli.cite import cite
from heedful.cli.console import INTERRUPTED, exit_code, quiet_libraries, say_error, tell, typed
from heedful.cli.doctor import doctor
from heedful.cli.generate import generate
from heedful.cli.options import OPTIONS
from heedful.cli.see import see
from heedful.cli.study import app as study
from heedful.cli.teach import teach
from heedful.cli.world import app as world
from heedful.errors import SettingsError

DEBUG = "--debug"


def _check(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Read ~ in paths, and refuse what cyclopts would round or let through; raises `SettingsError`."""
    for argument in arguments:
        for position, token in enumerate(argument.tokens):
            if "int" in str(argument.hint) and "." in token.value:
                raise SettingsError(f"Expected a whole number for {argument.name}, got {token.value}.")
            if any("\ud800" <= letter <= "\udfff" for letter in token.value):
                raise SettingsError(f"Expected text in UTF-8 for {argument.name}, got {token.value!r}.")
            if "Path" in str(argument.hint) and token.value.startswith("~"):
                argument.tokens[position] = token.evolve(value=str(Path(token.value).expanduser()))


def _default(value: Any) -> str | None:
    """Return how a help page shows a default, or None where there is nothing to show."""
    return None if value in (None, (), "") or value is False else str(value)


app = App(
    name="heedful",
    help="See, steer, teach and measure the cross-attention of text-to-image diffusion models, "
    "so that every concept in the prompt gets heeded.",
    help_epilogue=f"Everything runs on a small embedded model unless --model names another. {DEBUG}, anywhere, shows "
    "the traceback of an error.",
    version=lambda: f"heedful {version('heedful')}",
    default_parameter=Parameter(negative_bool=(), negative_iterable=(), show_default=_default),
    group_parameters=OPTIONS,
    config=_check,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for command in (generate, see, teach, page, doctor, cite, bench, study, world):
    app.command(command)
app.register_install_completion_command()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = given[: given.index("--")] if "--" in given else given
    words = [word for word in options if word != DEBUG] + given[len(options) :]
    quiet_libraries()
    typed.set(shlex.join(["heedful", *words]))
    try:
        app(words, print_error=False, exit_on_error=False)
    except KeyboardInterrupt:
        tell("Interrupted.")
        sys.exit(INTERRUPTED)
    except Exception as error:  # the one catch at the edge: whatever a command raises ends here
        say_error(error, _options(words), is_debugging=DEBUG in options)
        sys.exit(exit_code(error))
    sys.exit(0)


def _options(words: Sequence[str]) -> set[str]:
    """Return the options of the command that `words` call; none if they call none."""
    try:
        command = app.parse_commands(words)[1][-1]
    except CycloptsError:
        return set()
    if command.default_command is None:
        return set()
    return {name for argument in command.assemble_argument_collection() for name in argument.names}
