"""`heedful cite`: whom to cite for what ran."""

from typing import Annotated

import typer

from heedful.cli.console import say


def cite(
    methods: Annotated[
        list[str] | None,
        typer.Argument(metavar="METHOD...", help="Names of methods, such as a-star.", show_default=False),
    ] = None,
) -> None:
    """Print the BibTeX of methods, and of heedful itself.

    Without a METHOD it prints heedful's own entry.
    """
    from heedful import references
    from heedful.cli.choices import find_method

    say(references.cite(*(find_method(name) for name in methods or ())).rstrip())
