"""`heedful cite`: whom to cite for what ran."""

from heedful.cli.console import say
from heedful.cli.options import AnyMethodName


def cite(*methods: AnyMethodName) -> None:
    """Print the BibTeX of methods, and of heedful itself.

    Parameters
    ----------
    methods
        Names of methods of steering or teaching, such as a-star or disendiff. Without one, heedful's own entry is
        printed.
    """
    from heedful import references
    from heedful.cli.choices import read_any_method

    say(references.cite(*(read_any_method(name) for name in methods)).rstrip())
