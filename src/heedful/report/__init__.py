"""What a run looked like, for people: labelled grids, plots, pages. It reads images and values, and makes none."""

from heedful.report.arrange import arrange
from heedful.report.audit import agreement_lines, write_audit
from heedful.report.bench_page import bench_page, write_page
from heedful.report.bench_plots import check_plots
from heedful.report.curves import loss_curves
from heedful.report.grid import Grid, compose
from heedful.report.sight_sheet import Shown, concept_overlay, lesson_sheet, seed_sheet, step_sheet
from heedful.report.study_page import summary, with_study
from heedful.report.study_plots import plot
from heedful.report.world_card import pointing_table, with_figures
from heedful.report.world_sheet import sheet

__all__ = [
    "Grid",
    "Shown",
    "agreement_lines",
    "arrange",
    "bench_page",
    "check_plots",
    "compose",
    "concept_overlay",
    "lesson_sheet",
    "loss_curves",
    "plot",
    "pointing_table",
    "seed_sheet",
    "sheet",
    "step_sheet",
    "summary",
    "with_figures",
    "with_study",
    "write_audit",
    "write_page",
]
