"""The tables of methods, in the README and in docs/teach.md, have every method of the catalogue."""

import re
from pathlib import Path

from heedful import catalogue

README = Path(__file__).parents[2] / "README.md"
TEACH = README.parent / "docs" / "teach.md"


def test_each_method_has_a_row_and_each_row_a_method() -> None:
    table = README.read_text(encoding="utf-8").partition("## Methods")[2].partition("\n\nDo they help")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([^`]+)`", " ".join(first_cells))) == sorted(catalogue.METHODS)


def test_each_teaching_method_has_a_cell_and_each_cell_a_method() -> None:
    table = TEACH.read_text(encoding="utf-8").partition("## Methods")[2].partition("\n\nEach method is")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `") and "--method" not in line]
    cells = " ".join(row[1] + row[-2] for row in rows)
    assert sorted(re.findall(r"`([^`]+)`", cells)) == sorted(catalogue.TEACHING_METHODS)
