"""The card says what was measured: its section of figures is what the committed JSON gives."""

import json

from heedful.report.world_card import HEADING, figures_section, with_figures
from heedful.world import WEIGHTS

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
