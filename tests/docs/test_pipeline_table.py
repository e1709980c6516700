"""The table of pipelines in docs/pipelines.md lists what the tests run, no more and no less."""

from pathlib import Path

from heedful.steering.batching import REFUSED
from tests.every_pipeline import PIPELINES
from tests.family_pipelines import FAMILY_PIPELINES
from tests.more_pipelines import MORE_PIPELINES

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"


def test_each_pipeline_that_is_tested_has_a_row_and_each_row_a_test() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Which sites")[0]
    rows = [line.split("|")[1].strip().replace("`", "") for line in table.splitlines() if line.startswith("| `")]
    assert rows == [*PIPELINES, *FAMILY_PIPELINES, *MORE_PIPELINES]


def test_each_pipeline_that_is_refused_has_a_row_with_the_reason() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## What cannot work")[2]
    for name in REFUSED:
        own = name.removesuffix("XL").replace("Modular", "")  # refused for the reason of the one that is named
        assert any(f"`{own}`" in line for line in table.splitlines() if line.startswith("| ")), name
