import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heedful.errors import ModelNotFound
from heedful.report import curves
from heedful.report.curves import draw_panel, log_ticks, loss_curves, running_mean


def write(folder: Path, phase: str, losses: list[float], time: int) -> None:
    (folder / phase).mkdir()
    path = folder / phase / "losses.json"
    path.write_text(json.dumps(losses))
    os.utime(path, (time, time))


def line_rows(panel: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the bold curve's pixels."""
    rows, columns = np.nonzero((np.asarray(panel) == curves._LINE).all(axis=-1))
    return columns, rows


def test_each_phase_that_has_losses_gets_a_panel_in_the_order_of_training(tmp_path: Path) -> None:
    write(tmp_path, "denoiser", [1.0, 0.5, 0.25], 10)
    write(tmp_path, "autoencoder", [0.25, 0.5, 1.0], 20)
    write(tmp_path, "idle", [], 30)
    write(tmp_path, "broken", [float("nan")], 40)
    path = loss_curves(tmp_path)
    assert path == tmp_path / "losses.png"
    picture = Image.open(path).convert("RGB")
    assert picture.size == (760, 480)
    assert picture.crop((0, 0, 760, 240)) == draw_panel("denoiser", np.array([1.0, 0.5, 0.25]))
    assert picture.crop((0, 240, 760, 480)) == draw_panel("autoencoder", np.array([0.25, 0.5, 1.0]))


def test_no_losses_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="when a phase ends"):
        loss_curves(tmp_path)


def test_a_loss_that_falls_by_factors_is_a_straight_line() -> None:
    columns, rows = line_rows(draw_panel("phase", np.geomspace(1, 1e-4, 90)))
    assert np.abs(np.polyval(np.polyfit(columns, rows, 1), columns) - rows).max() < 3
    assert rows[columns.argmin()] < rows[columns.argmax()]


def test_what_is_no_positive_number_is_left_out() -> None:
    losses = np.array([1.0, np.nan, np.inf, 0.0, -1.0, 0.1])
    columns, _ = line_rows(draw_panel("phase", losses))
    assert columns.max() - columns.min() > 600
    assert len(line_rows(draw_panel("phase", np.array([np.nan, 1.0])))[0]) > 0
    assert len(line_rows(draw_panel("phase", np.array([np.nan])))[0]) == 0


def test_the_running_mean_looks_back_only() -> None:
    assert running_mean(np.array([4.0, 2.0, 0.0, 0.0]), 2).tolist() == [4.0, 3.0, 1.0, 0.0]
    assert running_mean(np.array([4.0, 2.0]), 0).tolist() == [4.0, 2.0]
    assert running_mean(np.array([4.0, 2.0]), 9).tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.3, 3.0, [0.5, 1.0, 2.0]), (1e-4, 1.0, [1e-4, 1e-3, 1e-2, 1e-1, 1.0]), (0.06, 0.07, [])],
)
def test_ticks_are_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)
