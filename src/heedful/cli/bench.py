"""`heedful bench`: suites x methods x seeds, resumable, and what came of them."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from heedful.cli import options
from heedful.cli.bench_run import FOLDER, run
from heedful.cli.bench_scores import find_scores, say_lines
from heedful.cli.console import FAILED, err, say, say_json, say_table, tell, tell_concepts
from heedful.cli.progress import image_progress
from heedful.cli.reading import expecting
from heedful.cli.viewer import open_file

if TYPE_CHECKING:
    from heedful.report import Compared, Published

app = App(
    name="bench",
    group_parameters=options.OPTIONS,
    help="Benchmarks: suites x methods x seeds, resumable, on one machine or a cluster.",
)
app.command(run)
RECORDS = "records of heedful bench run"


@app.command(name="list")
def list_() -> None:
    """List the suites and the scores."""
    from heedful.bench import SUITES
    from heedful.scores import SCORES

    rows = [(name, str(len(origin.make())) if origin.make else "-", origin.says) for name, origin in SUITES.items()]
    file = ("FILE", "-", "Any text file with a prompt per line (.txt), or JSONL with prompt, concepts and kind.")
    say_table(("suite", "prompts", ""), [*rows, file], ends_in_text=True)
    say(f"\nScores: {', '.join(SCORES)}")


@app.command
def add_score(
    *,
    scores: str,
    out: options.Out = FOLDER,
    model: options.ModelName = None,
    as_json: options.Json = False,
) -> None:
    """Score images that a benchmark has made already, and add the figures to their records.

    --model is the model that made them; only its tokenizer is read. Images that have the scores are left alone. Exits
    with 1 if an image could not be read or scored; the same command tries it again.

    Parameters
    ----------
    scores
        Scores of `heedful bench list` that need no maps, with commas between them.
    """
    from heedful.bench import BenchFolder, add_scores, read_records
    from heedful.images import tally
    from heedful.models import load_tokenizer

    folder, found = BenchFolder(out), find_scores(scores)
    folder.check_there()
    with folder.locked():
        tokenizer = load_tokenizer(model)
        tell_concepts(folder.prompts(tokenizer))
        with image_progress(err) as progress, expecting(RECORDS, folder.folder):
            task = progress.add_task("Scoring", total=None)
            added = add_scores(
                folder,
                found,
                tokenizer,
                on_images=lambda done, total: progress.update(task, completed=done, total=total),
            )
        tell(f"{added.images} images scored, {added.there} had these scores.")
        for image, reason in added.failures:
            tell(f"Not scored: {image}: {reason}")
        with expecting(RECORDS, folder.folder):
            found_now = tally(read_records(folder.folder))
        say_lines(found_now, folder, as_json)
    if added.failures:
        raise SystemExit(FAILED)


@app.command
def report(
    folder: Path,
    /,
    *,
    score: str | None = None,
    baseline: options.MethodName | None = None,
    title: str = "",
    out: Path | None = None,
    against: str | None = None,
    as_json: options.Json = False,
    open_it: options.Open = False,
) -> None:
    """Write what a benchmark found: index.html, which holds everything, and report.md with its images.

    Reads records and images only, so it also works while a run goes on. The path of the page is the last line printed.

    Example: `heedful bench report out/bench --baseline attend-and-excite`

    Parameters
    ----------
    folder
        Folder that `heedful bench run` has written to.
    score
        Score that the page is about. Without it: world.success, else the first score.
    baseline
        Method that the others are compared with. Without it: none, else the first.
    title
        Title of the page.
    out
        Folder that the page is written to. Without it: FOLDER/report.
    against
        Method whose paper's figures are printed beside the measured ones: a-star or attend-and-excite.
    """
    from heedful.bench import read_results
    from heedful.report import bench_page, check_plots, compare_published, find_published, write_page

    published = None if against is None else find_published(against)
    check_plots()
    with expecting(RECORDS, folder):
        results = read_results(folder)
        page = bench_page(results, score=score, baseline=baseline, title=title, against=published)
        compared = [] if published is None else compare_published(results, published)
    html, markdown = write_page(page, folder / "report" if out is None else out)
    if as_json:
        rows = {} if published is None else {"against": against, "published": [asdict(row) for row in compared]}
        say_json({"html": str(html), "markdown": str(markdown), **rows})
    else:
        if published is not None:
            say_published(published, compared)
        say(f"Markdown: {markdown}")
        say(str(html))
    if open_it:
        open_file(html)


def say_published(published: "Published", compared: "list[Compared]") -> None:
    """Print what a paper says beside what was measured, and where both come from."""
    from heedful.report import how_to_measure, is_measured, published_cells, published_heads

    say_table(published_heads(published), published_cells(compared))
    tell(f"Published: {published.paper}: {published.says}.")
    if not is_measured(compared):
        tell(how_to_measure(published))
