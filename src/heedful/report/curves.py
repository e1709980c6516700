"""Draws the losses of a training run: one panel per phase, every step faint, the running mean bold, on a log axis.

Pillow draws them, so no extra is needed.
"""

import json
from math import ceil, floor, log10
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from heedful.errors import ModelNotFound
from heedful.files import write_atomic
from heedful.image_files import png_bytes

LOSSES = "losses.json"
CURVES = "losses.png"
_WIDTH, _HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BELOW = 70, 20, 34, 30  # margins of a panel, for its labels
_INK, _FAINT, _GRID, _LINE, _PAPER = (20, 20, 24), (178, 200, 236), (226, 226, 230), (24, 80, 190), (255, 255, 255)


def loss_curves(folder: Path) -> Path:
    """Draw `FOLDER/PHASE/losses.json` of every phase, the latest written last, to `FOLDER/losses.png`; return its path.

    A file holds one loss per step. The mean runs over the last hundredth of the phase; values that are not finite or
    not above zero are skipped. Raises `ModelNotFound` if no phase has losses yet.
    """
    files = sorted(folder.glob(f"*/{LOSSES}"), key=lambda path: (path.stat().st_mtime_ns, path))
    phases = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}
    drawn = {phase: losses for phase, losses in phases.items() if np.isfinite(losses).any()}
    if not drawn:
        raise ModelNotFound(
            f"Expected losses of a phase in {folder}, found none. They are written when a phase ends: "
            "heedful world train"
        )
    drawing = Image.new("RGB", (_WIDTH, _HEIGHT * len(drawn)), _PAPER)
    for number, (phase, losses) in enumerate(drawn.items()):
        drawing.paste(draw_panel(phase, np.array(losses, dtype=float)), (0, number * _HEIGHT))
    return write_atomic(folder / CURVES, png_bytes(drawing))


def draw_panel(title: str, losses: np.ndarray) -> Image.Image:
    """Draw the losses of one phase, one value per step."""
    steps = np.flatnonzero(np.isfinite(losses) & (losses > 0))
    values = losses[steps]
    panel = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(12)
    pen.text((_LEFT, 8), f"{title}: loss by step", font=ImageFont.load_default(15), fill=_INK)
    if len(values) == 0:
        return panel
    low, high = log10(values.min()), log10(values.max())
    if high - low < 0.1:  # a flat curve lies in the middle
        low, high = low - 0.1, high + 0.1

    def columns(at: np.ndarray) -> np.ndarray:
        return _LEFT + at / max(1, len(losses) - 1) * (_WIDTH - _LEFT - _RIGHT)

    def rows(at: np.ndarray) -> np.ndarray:
        return _HEIGHT - _BELOW - (np.log10(at) - low) / (high - low) * (_HEIGHT - _TOP - _BELOW)

    ticks = np.array(log_ticks(10**low, 10**high))
    for value, y in zip(ticks, rows(ticks), strict=True):
        pen.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=_GRID)
        pen.text((_LEFT - 8, y), f"{value:g}", font=font, fill=_INK, anchor="rm")
    marks = np.linspace(0, len(losses) - 1, 6).round()
    for step, x in zip(marks, columns(marks), strict=True):
        pen.text((x, _HEIGHT - _BELOW + 6), f"{step:.0f}", font=font, fill=_INK, anchor="ma")
    for curve, ink, width in ((values, _FAINT, 1), (running_mean(values, len(losses) // 100), _LINE, 2)):
        points = list(zip(columns(steps).tolist(), rows(curve).tolist(), strict=True))
        # a line of one point is not drawn
        pen.line(points if len(points) > 1 else points * 2, fill=ink, width=width)
    return panel


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of the last `window` values up to each; fewer at the start."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - max(1, window))
    return (sums[ends] - sums[starts]) / (ends - starts)


def log_ticks(low: float, high: float) -> list[float]:
    """Return the values 1, 2, 5 x 10^k between `low` and `high`; only powers of ten if there are four or more."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    tens = [10.0**k for k in decades if low <= 10.0**k <= high]
    if len(tens) >= 4:
        return tens
    return [digit * 10.0**k for k in decades for digit in (1, 2, 5) if low <= digit * 10.0**k <= high]
