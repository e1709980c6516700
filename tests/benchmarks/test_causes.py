"""Every row of the table of causes switches off its own cause and nothing else."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from heedful.world.training.recipes import CROWDED

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from causes import CAUSES, LEARNS_TOO


def changed(name: str) -> set[str]:
    before, after = (flat(asdict(recipe)) for recipe in (CROWDED, CAUSES[name](CROWDED)))
    return {field for field in before if before[field] != after[field]}


def flat(fields: dict[str, Any]) -> dict[str, Any]:
    inner = {f"{part}.{name}": value for part in ("style", "captions") for name, value in fields.pop(part).items()}
    return fields | inner


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("all causes on", set()),
        (LEARNS_TOO, set()),  # what learns is no field of the recipe's stages
        (
            "captions are true",
            {f"captions.{n}" for n in ("absent", "unnamed", "swapped", "colourless", "largest_first")},
        ),
        ("no absent object is named", {"captions.absent"}),
        ("no colours are swapped", {"captions.swapped"}),
        ("objects are small and apart", {"style.sizes", "style.spacing", "style.visible"}),
        (
            "classes, pairs and colours are even",
            {"style.class_skew", "style.rare_pairs", "style.usual_colour", "style.painted_animals"},
        ),
        ("backgrounds belong to no class", {"style.own_background"}),
        ("the left one of two is named first", {"captions.left_first"}),
    ],
)
def test_a_row_switches_off_its_own_cause_alone(name: str, fields: set[str]) -> None:
    assert changed(name) == fields


def test_every_row_is_checked_here_and_every_noise_of_captions_has_a_field() -> None:
    assert len(CAUSES) == 9
