"""Puts the images of a plan into rows and columns: which of prompts, seeds and methods is a row, which a column."""

from collections.abc import Callable, Iterable, Sequence

from heedful.images import Case
from heedful.report.grid import Cell, Grid

MOST_ROWS = 24
"""More rows are skipped: nobody looks at a taller grid, and the files are all there."""
MOST_COLUMNS = 8
"""More seeds of one method continue in the next row."""


def arrange(cases: Iterable[Case], find: Callable[[Case], Cell], *, note: str = "") -> Grid:
    """Return the grid of all images of `cases` that `find` finds.

    Several methods are columns, with a row per prompt and seed. A single method leaves the columns to the seeds, eight
    in a row.
    """
    there = {(case.method.name, case.prompt.text, case.seed): case for case in cases}
    methods = list(dict.fromkeys(method for method, _, _ in there))
    texts = list(dict.fromkeys(text for _, text, _ in there))
    seeds = list(dict.fromkeys(seed for _, _, seed in there))

    def cell(method: str, text: str, seed: int) -> Cell:
        return find(there[method, text, seed])

    if len(methods) > 1:
        pairs = [(text, seed) for text in texts for seed in seeds]
        rows = [f"seed {seed}" if len(texts) == 1 else f"{text}, seed {seed}" for text, seed in pairs]
        columns = methods
        cells = [[cell(method, text, seed) for method in methods] for text, seed in pairs]
    else:
        parts = [seeds[start : start + MOST_COLUMNS] for start in range(0, len(seeds), MOST_COLUMNS)]
        is_cut = len(parts) > 1
        columns = [""] * MOST_COLUMNS if is_cut else [f"seed {seed}" for seed in seeds]
        rows = [_row_name(text if len(texts) > 1 else "", part if is_cut else []) for text in texts for part in parts]
        cells = [[cell(methods[0], text, seed) for seed in part] for text in texts for part in parts]
        note = f"{methods[0]} · {note}" if note else methods[0]
    if len(rows) > MOST_ROWS:
        note = f"{note} · the first {MOST_ROWS} of {len(rows)} rows"
    title = texts[0] if len(texts) == 1 else f"{len(texts)} prompts"
    return Grid(title=title, columns=columns, rows=rows[:MOST_ROWS], cells=cells[:MOST_ROWS], note=note)


def _row_name(text: str, seeds: Sequence[int]) -> str:
    """Return what names a row: its prompt if there are several, its seeds if the columns cannot name them."""
    numbers = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}" if seeds else ""
    return ", ".join(part for part in (text, numbers) if part)
