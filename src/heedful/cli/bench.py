"""`heedful bench`: its commands, and those of them that need no file of their own.

Knows which there are. What is slow is imported when a command runs.
"""

from typing import Annotated

import typer
from rich.table import Table

from heedful.cli.bench_report import report
from heedful.cli.bench_run import FOLDER, run
from heedful.cli.bench_table import find_scores, say_lines
from heedful.cli.console import FAILED, err, out, say, tell
from heedful.cli.options import JsonOption, ModelOption, OutOption
from heedful.cli.progress import image_progress

app = typer.Typer(help="Benchmarks: suites x methods x seeds, resumable, on one machine or a cluster.")
app.command()(run)
app.command()(report)


@app.command("list")
def list_() -> None:
    """List the suites and the scores."""
    from heedful.bench import SUITES
    from heedful.scores import SCORES

    table = Table(box=None, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("suite", no_wrap=True)
    table.add_column("prompts", justify="right")
    table.add_column("")
    for name, origin in SUITES.items():
        table.add_row(name, str(len(origin.make())) if origin.make else "-", origin.says)
    table.add_row("FILE", "-", "Any text file with a prompt a line (.txt), or JSONL with prompt, concepts and kind.")
    out.print(table, soft_wrap=False)
    say(f"\nScores: {', '.join(SCORES)}")


@app.command("add-score")
def add_score(
    scores: Annotated[
        str, typer.Option("--scores", metavar="NAME,NAME...", help="Scores of `heedful bench list` that need no maps.")
    ],
    out_folder: OutOption = FOLDER,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score images that a benchmark has made already, and add the figures to their records.

    --model is the model that made them; only its tokenizer is read. Images that have the scores are left alone. Exits
    with 1 if an image could not be read or scored; the same command tries it again.
    """
    from heedful.bench import BenchFolder, add_scores, read_records
    from heedful.images import tally
    from heedful.models import load_tokenizer

    folder, found = BenchFolder(out_folder), find_scores(scores)
    folder.check_there()
    with folder.locked():
        tokenizer = load_tokenizer(model)
        with image_progress(err) as progress:
            task = progress.add_task("Scoring", total=None)
            added = add_scores(
                folder,
                found or (),
                tokenizer,
                on_images=lambda done, total: progress.update(task, completed=done, total=total),
            )
        tell(f"{added.images} images scored, {added.there} had these scores.")
        for image, reason in added.failures:
            tell(f"Not scored: {image}: {reason}")
        say_lines(tally(read_records(folder.folder)), folder, as_json)
    if added.failures:
        raise typer.Exit(FAILED)
