"""Figures of papers beside those of a benchmark: what was published, and what was measured by the same score.

The figures stand here as data, with their source. A cell that a paper leaves empty stays empty, and so does one that
the benchmark has not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heedful.bench import Results, summarize_score
from heedful.errors import SettingsError
from heedful.report.markdown import code, escape, table
from heedful.scores import Estimate, figure_range

KINDS = ("animal-animal", "animal-object", "object-object")
_NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A table of a paper."""

    paper: str
    says: str
    """What was measured, and on what."""
    score: str
    """The score of heedful that measures the same."""
    kinds: tuple[str, ...]
    """The columns: kinds of prompts."""
    rows: Mapping[str, tuple[float, ...]]
    """The figures by method; methods that heedful does not have keep their names of the paper."""


_BLIP = "blip-caption.text"
_PROMPTS = (
    "276 prompts of Attend-and-Excite, 64 seeds each, Stable Diffusion: similarity of BLIP's caption and the prompt"
)

PUBLISHED: dict[str, Published] = {
    "a-star": Published(
        paper="A-STAR (Agarwal et al. 2023, arXiv 2306.14544), table of text-text similarities",
        says=f"{_PROMPTS}; version, scheduler, steps and guidance scale are not stated",
        score=_BLIP,
        kinds=KINDS,
        rows={
            "none": (0.76, 0.78, 0.77),
            "Composable Diffusion": (0.69, 0.77, 0.76),
            "Structure Diffusion": (0.76, 0.78, 0.76),
            "attend-and-excite": (0.80, 0.82, 0.81),
            "a-star": (0.82, 0.84, 0.82),
        },
    ),
    "attend-and-excite": Published(
        paper="Attend-and-Excite (Chefer et al. 2023, arXiv 2301.13826), text-text similarities, read second-hand",
        says=f"{_PROMPTS} (1.4, 50 steps, guidance scale 7.5)",
        score=_BLIP,
        kinds=KINDS,
        rows={
            "none": (0.767, 0.793, 0.765),
            "Composable Diffusion": (0.692, 0.769, 0.759),
            "Structure Diffusion": (0.761, 0.781, 0.762),
            "attend-and-excite": (0.806, 0.830, 0.811),
        },
    ),
}
"""The tables by the method whose paper they are in."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One method: what the paper says and what was measured, a cell per kind of prompt; None where nothing is."""

    method: str
    published: tuple[float | None, ...]
    measured: tuple[Estimate | None, ...]


def find_published(name: str) -> Published:
    """Return the table of the paper of a method; raises `SettingsError` for one that is not here."""
    if name not in PUBLISHED:
        raise SettingsError(
            f"Expected a method whose paper has a table of figures here ({', '.join(PUBLISHED)}), got {name!r}. "
            "DisenDiff's paper has its figures in a plot alone."
        )
    return PUBLISHED[name]


def compare_published(results: Results, published: Published) -> list[Compared]:
    """Return a row for each method of the paper, then for each other method of the benchmark.

    Measured are means over prompts of the paper's score, with 95 % intervals; cases of all suites count.
    """
    by_kind = [results.of(kind=kind) for kind in published.kinds]
    within = figure_range(published.score)
    rows = []
    for method in dict.fromkeys([*published.rows, *results.methods]):
        values = [those.values(method, published.score) for those in by_kind]
        rows.append(
            Compared(
                method=method,
                published=published.rows.get(method, (None,) * len(published.kinds)),
                measured=tuple(summarize_score(found, within) if found else None for found in values),
            )
        )
    return rows


def published_cells(rows: Sequence[Compared]) -> list[list[str]]:
    """Return the cells of a table: the method, then for each kind what was published and what was measured."""
    return [
        [
            row.method,
            *(
                cell
                for figure, found in zip(row.published, row.measured, strict=True)
                for cell in (_figure(figure), _NOTHING if found is None else str(found))
            ),
        ]
        for row in rows
    ]


def published_heads(published: Published) -> list[str]:
    """Return the heads of these cells."""
    return ["method", *(f"{kind}, {which}" for kind in published.kinds for which in ("published", "measured"))]


def is_measured(rows: Sequence[Compared]) -> bool:
    """Whether there is a figure to put beside the paper's."""
    return any(found is not None for row in rows for found in row.measured)


def how_to_measure(published: Published) -> str:
    """Return a sentence for a benchmark that has none of the paper's figures."""
    score = published.score.partition(".")[0]
    return f"Nothing here was scored by {score}, the paper's score, on prompts of these kinds."


def published_section(results: Results, published: Published) -> list[str]:
    """Return the section of a page as lines of Markdown."""
    rows = compare_published(results, published)
    models = ", ".join(escape(name) for name in dict.fromkeys(str(run.get("model", "?")) for run in results.runs))
    cells = [
        [escape(cell) if column == 0 else cell for column, cell in enumerate(row)] for row in published_cells(rows)
    ]
    lines = [
        "## Published and measured",
        "",
        f"{escape(published.paper)}. Published: {escape(published.says)}. Measured: {code(published.score)} of this "
        f"benchmark [95 %], model {models}. Where model, prompts or seeds differ, the two columns do not compare.",
    ]
    if not is_measured(rows):
        lines += ["", escape(how_to_measure(published))]
    return [*lines, *table(published_heads(published), cells)]


def _figure(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}".removesuffix("0")
