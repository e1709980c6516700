"""`heedful bench report`: what a benchmark found, as one page.

Knows the options. What is slow is imported when the command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from heedful.cli.console import say, say_json
from heedful.cli.options import JsonOption


def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The folder that `heedful bench run` has written to.", show_default=False),
    ],
    score: Annotated[
        str | None,
        typer.Option(
            "--score",
            metavar="NAME",
            help="What the page is about. Without it: world.success, else the first score.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="METHOD",
            help="What methods are compared with. Without it: none, else the first.",
            show_default=False,
        ),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Of the page.", show_default=False)] = "",
    as_json: JsonOption = False,
) -> None:
    """Write what a benchmark found to OUT/report/: index.html, which holds everything, and report.md with its pictures.

    Reads records and images only, so it also works while a run goes on. The path of the page is the last line printed.

    Example: `heedful bench report out/bench --baseline attend-and-excite`
    """
    from heedful.bench import read_results
    from heedful.report import bench_page, check_plots, write_page

    check_plots()
    page = bench_page(read_results(folder), score=score, baseline=baseline, title=title)
    html, markdown = write_page(page, folder / "report")
    if as_json:
        say_json({"html": str(html), "markdown": str(markdown)})
        return
    say(f"Markdown: {markdown}")
    say(str(html))
