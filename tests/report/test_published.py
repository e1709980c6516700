"""What papers say beside what was measured."""

from pathlib import Path

import pytest

from heedful.bench.results import Result, Results
from heedful.errors import SettingsError
from heedful.report.published import (
    KINDS,
    PUBLISHED,
    compare_published,
    find_published,
    is_measured,
    published_cells,
    published_heads,
    published_section,
)
from heedful.scores import find_figure

TEXT = "blip-caption.text"


def results(values: dict[tuple[str, str], list[float]], score: str = TEXT) -> Results:
    """Results with these values by method and kind, a prompt each, of the embedded model."""
    cases = tuple(
        Result(
            suite="attend-and-excite",
            prompt=f"{kind} {number}",
            kind=kind,
            method=method,
            seed=0,
            image=None,
            error=None,
            scores={score: value},
            cost=None,
            seconds=None,
        )
        for (method, kind), found in values.items()
        for number, value in enumerate(found)
    )
    return Results(Path(), cases, ({"model": "embedded world"},))


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_table_is_whole_and_of_a_score_that_there_is(name: str) -> None:
    table = PUBLISHED[name]
    assert find_figure(table.score) is not None and name in table.rows and table.kinds == KINDS
    assert all(len(row) == len(table.kinds) and all(0 < figure < 1 for figure in row) for row in table.rows.values())


def test_measured_figures_stand_in_the_columns_of_their_kind() -> None:
    values = {("a-star", "animal-object"): [0.5, 0.7, 0.6], ("heedful", "animal-animal"): [0.9, 0.8, 0.7]}
    rows = {row.method: row for row in compare_published(results(values), PUBLISHED["a-star"])}
    measured = [None if found is None else round(found.value, 3) for found in rows["a-star"].measured]
    assert measured == [None, 0.6, None] and rows["a-star"].published == (0.82, 0.84, 0.82)
    assert rows["heedful"].published == (None, None, None) and rows["heedful"].measured[0] is not None
    assert rows["none"].measured == (None, None, None)


def test_a_row_has_a_cell_for_each_head_and_both_columns_of_a_kind_are_neighbours() -> None:
    table = PUBLISHED["a-star"]
    cells = published_cells(compare_published(results({("a-star", "animal-animal"): [0.5, 0.7, 0.6]}), table))
    row = next(row for row in cells if row[0] == "a-star")
    assert {len(each) for each in cells} == {len(published_heads(table))}
    assert row[1] == "0.82" and row[2].startswith("0.600 [") and row[3:] == ["0.84", "–", "0.82", "–"]


def test_figures_of_another_score_are_not_put_beside_the_papers() -> None:
    found = results({("a-star", "animal-animal"): [1.0, 0.0]}, score="world.success")
    assert not is_measured(compare_published(found, PUBLISHED["a-star"]))
    section = "\n".join(published_section(found, PUBLISHED["a-star"]))
    assert "Nothing here was scored by" in section and "embedded world" in section


def test_a_paper_that_is_not_here_is_refused_with_the_list() -> None:
    with pytest.raises(SettingsError, match="a-star, attend-and-excite"):
        find_published("disendiff")
