"""What a run looked like, for people: labelled grids, plots, pages. It reads images and values, and makes none."""

from heedful.report.animation import map_animation
from heedful.report.arrange import arrange
from heedful.report.audit import agreement_lines, write_audit
from heedful.report.bench_figures import SuiteFigures, is_lower_better, suite_figures
from heedful.report.bench_images import map_overlays
from heedful.report.bench_page import bench_page, write_page
from heedful.report.bench_plots import check_plots
from heedful.report.curves import loss_curves
from heedful.report.grid import Grid, compose
from heedful.report.published import (
    PUBLISHED,
    Compared,
    Published,
    compare_published,
    find_published,
    how_to_measure,
    is_measured,
    published_cells,
    published_heads,
)
from heedful.report.sight_sheet import Shown, concept_overlay, large_overlay, lesson_sheet, seed_sheet, step_sheet
from heedful.report.study_page import summary, with_study
from heedful.report.study_plots import plot
from heedful.report.world_card import pointing_table, with_figures, with_samples
from heedful.report.world_sheet import card_sheet, sheet

__all__ = [
    "PUBLISHED",
    "Compared",
    "Grid",
    "Published",
    "Shown",
    "SuiteFigures",
    "agreement_lines",
    "arrange",
    "bench_page",
    "card_sheet",
    "check_plots",
    "compare_published",
    "compose",
    "concept_overlay",
    "find_published",
    "how_to_measure",
    "is_lower_better",
    "is_measured",
    "large_overlay",
    "lesson_sheet",
    "loss_curves",
    "map_animation",
    "map_overlays",
    "plot",
    "pointing_table",
    "published_cells",
    "published_heads",
    "seed_sheet",
    "sheet",
    "step_sheet",
    "suite_figures",
    "summary",
    "with_figures",
    "with_samples",
    "with_study",
    "write_audit",
    "write_page",
]
