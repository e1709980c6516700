"""What a run looked like, for people: labelled grids. Reads images and values, makes none."""

from heedful.report.grid import Cell, Grid, compose

__all__ = ["Cell", "Grid", "compose"]
