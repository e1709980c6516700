"""Puts the images of a plan into rows and columns: which of prompts, seeds and methods is a row, which a column."""

from collections.abc import Sequence

from heedful.images import Plan
from heedful.report.grid import Cell, Grid

MOST_ROWS = 24
"""More rows are left out: nobody looks at a taller grid, and the files are all there."""
MOST_COLUMNS = 8
"""More seeds of one method continue in the next row."""


def arrange(plan: Plan, *, note: str = "") -> Grid:
    """Return the grid of all images of `plan` that are there.

    Several methods are columns, with a row per prompt and seed. A single method leaves the columns to the seeds, eight
    in a row.
    """
    methods = list(dict.fromkeys(case.method.name for case in plan.cases))
    texts = list(dict.fromkeys(case.prompt.text for case in plan.cases))
    seeds = list(dict.fromkeys(case.seed for case in plan.cases))
    images: dict[tuple[str, str, int], Cell] = {
        (case.method.name, case.prompt.text, case.seed): case.path for case in plan.cases if case.path.exists()
    }
    if len(methods) > 1:
        pairs = [(text, seed) for text in texts for seed in seeds]
        rows = [f"seed {seed}" if len(texts) == 1 else f"{text}, seed {seed}" for text, seed in pairs]
        columns = methods
        cells = [[images.get((method, text, seed)) for method in methods] for text, seed in pairs]
    else:
        parts = [seeds[start : start + MOST_COLUMNS] for start in range(0, len(seeds), MOST_COLUMNS)]
        is_cut = len(parts) > 1
        columns = [""] * MOST_COLUMNS if is_cut else [f"seed {seed}" for seed in seeds]
        rows = [_row_name(text if len(texts) > 1 else "", part if is_cut else []) for text in texts for part in parts]
        cells = [[images.get((methods[0], text, seed)) for seed in part] for text in texts for part in parts]
        note = f"{methods[0]} · {note}" if note else methods[0]
    if len(rows) > MOST_ROWS:
        note = f"{note} · the first {MOST_ROWS} of {len(rows)} rows"
    title = texts[0] if len(texts) == 1 else f"{len(texts)} prompts"
    return Grid(title=title, columns=columns, rows=rows[:MOST_ROWS], cells=cells[:MOST_ROWS], note=note)


def _row_name(text: str, seeds: Sequence[int]) -> str:
    """Return what names a row: its prompt if there are several, its seeds if the columns cannot name them."""
    numbers = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}" if seeds else ""
    return ", ".join(part for part in (text, numbers) if part)
