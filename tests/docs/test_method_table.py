"""The table of methods in the README has every method of the catalogue."""

import re
from pathlib import Path

from heedful import catalogue

README = Path(__file__).parents[2] / "README.md"


def test_each_method_has_a_row_and_each_row_a_method() -> None:
    table = README.read_text(encoding="utf-8").partition("## Methods")[2].partition("\n\nDo they help")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([^`]+)`", " ".join(first_cells))) == sorted(catalogue.METHODS)
