"""The command `heedful`: its list of commands, and what happens to errors.

Knows which commands there are. Each command's file imports what is slow (torch, diffusers) only when it runs, so that
`heedful --help` answers at once.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from heedful.cli.bench import app as bench
from heedful.cli.cite import cite
from heedful.cli.console import exit_code, quiet_libraries, say, say_error
from heedful.cli.doctor import doctor
from heedful.cli.generate import generate
from heedful.cli.see import see
from heedful.cli.study import app as study
from heedful.cli.teach import teach
from heedful.cli.world import app as world
from heedful.errors import HeedfulError

DEBUG = "--debug"

app = typer.Typer(
    name="heedful",
    help="See, steer, teach and measure the cross-attention of text-to-image diffusion models, "
    "so that every concept in the prompt gets heeded.",
    epilog="Everything runs on a small embedded model unless --model names another.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate)
app.command()(see)
app.command()(teach)
app.command()(doctor)
app.command()(cite)
app.add_typer(bench, name="bench")
app.add_typer(study, name="study")
app.add_typer(world, name="world")


def _show_version(wanted: bool) -> bool:
    if wanted:
        say(f"heedful {version('heedful')}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show the whole traceback of an error. May also follow the command.")
    ] = False,
) -> None:
    """Options before the command; `main` has taken --debug out already."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = given[: given.index("--")] if "--" in given else given
    is_debugging = DEBUG in options
    quiet_libraries()
    try:
        app([word for word in options if word != DEBUG] + given[len(options) :], prog_name="heedful")
    except HeedfulError as error:
        if is_debugging:
            raise
        say_error(error)
        sys.exit(exit_code(error))
