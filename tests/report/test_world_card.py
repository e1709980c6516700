"""The card says what was measured: its section of figures is what the committed JSON gives."""

import json

import pytest
from PIL import Image

from heedful.report.world_card import HEADING, figures_section, with_figures, with_samples
from heedful.report.world_sheet import CARD_ROWS
from heedful.world import WEIGHTS, WORLDS, folder_of

CARD = (WEIGHTS / "README.md").read_text(encoding="utf-8")
FIGURES = json.loads((WEIGHTS / "figures.json").read_text(encoding="utf-8"))


def test_the_committed_card_holds_the_committed_figures() -> None:
    assert with_figures(CARD, FIGURES) == CARD


def test_single_concepts_have_a_row_for_each_number_of_steps() -> None:
    more = FIGURES["single"] | {"steps": 50, "success": {"value": 0.9871, "low": 0.9812, "high": 0.9923}}
    section = figures_section({"single-50": more} | {name: row for name, row in FIGURES.items() if name != "single-30"})
    assert "| 156 single concepts | 20 | 2496 | 0.966 [" in section
    assert "| 156 single concepts | 50 | 2496 | 0.987 [0.981, 0.992] |" in section
    assert section.index("| 20 | 2496 |") < section.index("| 50 | 2496 |")
    assert "--three-seeds 2 --single-steps 20,50 --threads" in section


def test_only_the_section_of_figures_is_replaced() -> None:
    other = FIGURES | {"autoencoder": {"psnr": 12.345, "renders": 7}}
    changed = with_figures(CARD, other)
    assert "12.3 dB" in changed
    assert changed.partition(HEADING)[0] == CARD.partition(HEADING)[0]
    assert changed.rpartition("\n## ")[2] == CARD.rpartition("\n## ")[2]
    assert figures_section(other) in changed


def test_samples_stand_before_all_other_sections_and_take_the_place_of_older_ones() -> None:
    card = "# A world\n\nIt is small.\n\n## Figures\n\nNone.\n"
    first = with_samples(card, "old.png", "heedful world sample old")
    assert first.index("It is small.") < first.index("## Samples") < first.index("## Figures")
    found = with_samples(first, "samples.png", "heedful world sample joint")
    assert "old" not in found and "](samples.png)" in found and "`heedful world sample joint`" in found
    assert "\n\n## Samples\n\n" in found and "\n\n## Figures\n\nNone.\n" in found
    assert all(f'"{prompt}"' in found.replace("\n", " ") for row in CARD_ROWS for prompt in row)


@pytest.mark.parametrize("name", WORLDS)
def test_a_card_that_shows_samples_has_them_beside_it_and_says_how_they_were_made(name: str) -> None:
    card, picture = (folder_of(name) / "README.md").read_text(encoding="utf-8"), folder_of(name) / "samples.png"
    command = f"heedful world sample {name} --on-card FOLDER --seed 0 --steps 20"
    assert (with_samples(card, picture.name, command) == card) is picture.is_file()
    if picture.is_file():
        assert picture.stat().st_size < 40_000
        with Image.open(picture) as image:
            assert image.size == (2 * (6 * 64 + 5 * 8), 2 * (2 * 64 + 8))


def test_cards_of_the_first_and_of_the_joint_model_show_samples() -> None:
    assert all((folder_of(name) / "samples.png").is_file() for name in ("sprites", "joint"))
