"""The page of a benchmark, from the records of a real little run on the embedded model."""

import json
import re
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from heedful.bench.results import Result, Results, read_results
from heedful.errors import SettingsError
from heedful.guidance import METHODS
from heedful.images.gallery import folder_name
from heedful.report.bench_figures import suite_figures
from heedful.report.bench_images import map_grid, prompt_grid, rank_prompts
from heedful.report.bench_page import bench_page, write_page
from heedful.report.bench_plots import change_plot, cost_plot, kind_plot, value_plot
from heedful.scores.statistics import compare, estimate
from tests.report.little_run import little_run, write_records, write_run

pytest.importorskip("matplotlib")
pytest.importorskip("markdown_it")

PROMPTS = ("a cat and a lion", "a dog and a blue clock", "a red car and a green ball", "a bear")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 prompts x 2 seeds x 2 methods, painted in 3 steps."""
    return little_run(tmp_path_factory.mktemp("bench"), PROMPTS, range(2), ("none", "attend-and-excite"), steps=3)


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(run, tmp_path / "out"))


def rewrite(folder: Path, change: object) -> None:
    path = folder / "records" / "cases-0.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    write_records(folder, [change(number, line) for number, line in enumerate(lines)])  # type: ignore[operator]


def made_up(values: dict[str, list[list[float]]], costs: dict[str, float] | None = None) -> Results:
    """Results with these values by method, prompt and seed."""
    cases = tuple(
        Result(
            suite="s",
            prompt=f"prompt {row}",
            kind="even" if row % 2 == 0 else "odd",
            method=method,
            seed=seed,
            image=None,
            error=None,
            scores={"world.success": value},
            cost=(costs or {}).get(method),
            seconds=None,
        )
        for method, table in values.items()
        for row, line in enumerate(table)
        for seed, value in enumerate(line)
    )
    return Results(Path("nowhere"), cases, ())


def test_figures_are_those_of_the_statistics() -> None:
    rng = np.random.default_rng(4)
    tables = {name: rng.integers(0, 2, (12, 3)).astype(float) for name in ("other", "none", "third")}
    figures = suite_figures(made_up({name: table.tolist() for name, table in tables.items()}), "s")
    assert figures.baseline == "none" and figures.kinds == ("even", "odd")
    assert [row.value.value for row in figures.rows] == sorted((row.value.value for row in figures.rows), reverse=True)
    for row in figures.rows:
        assert vars(row.value) == pytest.approx(vars(estimate(tables[row.method])))
        assert row.by_kind["even"].value == pytest.approx(tables[row.method][::2].mean())
        if row.method == "none":
            assert row.change is None
            continue
        expected = compare(tables["none"], tables[row.method])
        assert row.change is not None
        assert vars(row.change.difference) == pytest.approx(vars(expected.difference))
        assert (row.change.gained, row.change.lost) == (expected.gained, expected.lost)
        assert row.p_corrected is not None and expected.p_value <= row.p_corrected <= min(1, 2 * expected.p_value)


def test_one_prompt_of_a_kind_gives_no_interval_and_the_page_says_so() -> None:
    results = made_up({"none": [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "mine": [[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]})
    text = bench_page(results).markdown
    rows = text.partition("By kind of prompt")[2].splitlines()
    assert next(row for row in rows if row.startswith("| mine")) == (
        "| mine | 1.000 [0.012, 1.000] | 0.500 (one prompt: no interval) |"
    )
    alone = bench_page(made_up({"none": [[1.0, 0.0]], "mine": [[1.0, 1.0]]})).markdown
    assert "| mine | +0.500 (one prompt: no interval) |" in alone and "[" not in alone.partition("| mine |")[2][:60]


def test_of_a_fault_less_is_better() -> None:
    results = made_up({"none": [[1.0], [1.0]], "good": [[0.0], [1.0]]})
    faults = tuple(replace(case, scores={"world.neglect": case.scores["world.success"]}) for case in results.cases)
    figures = suite_figures(replace(results, cases=faults), "s")
    assert figures.score == "world.neglect" and figures.best.method == "good" == figures.rows[0].method
    assert [each.prompt for each in rank_prompts(replace(results, cases=faults), figures)] == ["prompt 1", "prompt 0"]


def test_scores_are_cited_and_marked_as_the_catalogue_says() -> None:
    scores = {"world.success": 1.0, "clip.text": 0.3, "attention.overlap": 0.2, "attention.evenness": 0.9, "own.x": 1.0}
    results = made_up({"none": [[1.0]]})
    text = bench_page(replace(results, cases=tuple(replace(case, scores=scores) for case in results.cases))).markdown
    assert "radford2021clip" in text and "zhang2018excitation" in text and "minderer2023owlv2" not in text
    # more scores than methods: a row for each score
    assert "| `attention.overlap` ↓ | 0.200 |" in text.splitlines()
    assert all(f"| `{name}` | " in text for name in ("clip.text", "attention.evenness", "own.x"))


def test_an_unknown_score_or_baseline_says_what_there_is() -> None:
    results = made_up({"none": [[1.0]], "other": [[0.0]]})
    with pytest.raises(SettingsError, match=r"scores world\.success, got 'clip'"):
        suite_figures(results, "s", score="clip")
    with pytest.raises(SettingsError, match="baselines none, other, got 'mine'"):
        suite_figures(results, "s", baseline="mine")
    with pytest.raises(SettingsError, match="Expected a score, found none"):
        suite_figures(made_up({}), "s")


def test_the_worst_prompts_come_first_and_of_equals_those_that_lost_most() -> None:
    results = made_up({"none": [[1.0], [0.0], [1.0]], "mine": [[0.0], [0.0], [1.0]]})
    ranked = rank_prompts(results, suite_figures(results, "s"))
    assert [each.prompt for each in ranked] == ["prompt 0", "prompt 1", "prompt 2"]


@pytest.mark.parametrize("plot", [value_plot, change_plot, kind_plot, cost_plot])
def test_plots_are_small_drawings_that_come_out_the_same_again(plot: object) -> None:
    rng = np.random.default_rng(1)
    names = ["none", *METHODS][:8]
    values = {name: rng.integers(0, 2, (10, 2)).astype(float).tolist() for name in dict.fromkeys(names)}
    figures = suite_figures(made_up(values, {name: 1 + place / 7 for place, name in enumerate(values)}), "s")
    drawn, again = plot(figures), plot(figures)  # type: ignore[operator]
    assert drawn == again and len(drawn) < 100_000
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg") and not re.search(rb"https?://(?!www\.w3\.org|purl\.org|creativecommons)", drawn)


def test_the_whole_page_from_a_real_run(run: Path) -> None:
    page = bench_page(read_results(run))
    text = page.markdown
    assert text.startswith("# Benchmark: world-two\n")
    for heading in ("By method", "Differences from none", "By kind of prompt", "Cost", "Worst and best prompts"):
        assert f"## {heading}\n" in text
    named = set(re.findall(r"\]\((figures/[^)]+)\)", text))
    assert named == set(page.images)
    images = [data for name, data in page.images.items() if name.endswith(".jpg")]
    assert len(images) == len(PROMPTS) * 2 * 2
    for data in images:
        with Image.open(BytesIO(data)) as image:
            assert image.size == (64, 64)
    assert "radford2021clip" not in text and "chefer2023attend" in text and "@software{heedful" in text
    assert "DDIMScheduler" in text and "torch" in text and '  "class": "WorldScore"\n}' in text


def test_html_and_markdown_say_the_same_and_the_html_holds_its_pictures(run: Path, tmp_path: Path) -> None:
    html, markdown = write_page(bench_page(read_results(run), title="Cats & <dogs>"), tmp_path)
    written = html.read_text(encoding="utf-8")
    pictures = re.findall(r"\]\((figures/[^)]+)\)", markdown.read_text(encoding="utf-8"))
    assert all((tmp_path / name).is_file() for name in pictures)
    assert written.count('src="data:') == len(pictures) == written.count("<img ")
    assert "<title>Cats &amp; &lt;dogs&gt;</title>" in written
    assert re.findall(r"<h2 id=[^>]*>(.*?)</h2>", written) == [
        line.removeprefix("## ") for line in markdown.read_text(encoding="utf-8").splitlines() if line.startswith("## ")
    ]


def test_failed_cases_and_unreadable_images_are_named_not_fatal(folder: Path) -> None:
    def fail(number: int, line: dict[str, object]) -> dict[str, object]:
        if number:
            return line
        return line | {"status": "failed", "error": "ValueError: <b>no | cat</b>", "image": None, "scores": {}}

    rewrite(folder, fail)
    (folder / "none" / PROMPTS[1] / "1000.png").write_bytes(b"no image")
    next((folder / "none").glob("*/*.png")).unlink()
    page = bench_page(read_results(folder))
    assert "## Failed cases" in page.markdown and "no \\| cat" in page.markdown and "· 1 failed\n" in page.markdown


def test_prompts_that_look_like_markup_are_shown_as_they_are(folder: Path, tmp_path: Path) -> None:
    nasty = "a | <img src=x onerror=alert(1)> `cat` **and** [a dog](javascript:x)"
    rewrite(folder, lambda _, line: line | {"prompt": nasty if line["prompt"] == PROMPTS[0] else line["prompt"]})
    html, _ = write_page(bench_page(read_results(folder)), tmp_path / "page")
    written = html.read_text(encoding="utf-8")
    assert "<img src=x" not in written and '<a href="' not in written.replace('<a href="#section-', "")
    assert "a | &lt;img src=x onerror=alert(1)&gt; `cat` **and** [a dog](javascript:x)" in written


def test_maps_are_shown_where_they_exist(folder: Path) -> None:
    results = read_results(folder)
    figures = suite_figures(results, "world-two")
    ranked = rank_prompts(results, figures)
    assert map_grid(results, figures, ranked, "m") == ([], {})
    place = folder / "none" / folder_name(PROMPTS[0]) / "0"
    place.mkdir()
    save_file({"0.cat": torch.rand(3, 8, 8), "1.lion": torch.rand(3, 8, 8)}, place / "maps.safetensors")
    lines, pictures = map_grid(results, figures, ranked, "m")
    assert len(pictures) == 3 and any(" cat |" in line and " lion |" in line for line in lines)
    assert any("maps" in name for name in bench_page(results).images)


def test_large_images_become_thumbnails(folder: Path) -> None:
    path = folder / "none" / PROMPTS[0] / "0.png"
    Image.open(path).resize((1024, 512)).save(path)
    results = read_results(folder)
    figures = suite_figures(results, "world-two")
    sizes = set()
    for data in prompt_grid(results, figures, rank_prompts(results, figures), "p")[1].values():
        with Image.open(BytesIO(data)) as image:
            sizes.add(image.size)
    assert sizes == {(64, 64), (192, 96)}


def test_runs_with_other_settings_are_pointed_out(folder: Path) -> None:
    assert "different settings" not in bench_page(read_results(folder)).markdown
    first = json.loads(next((folder / "runs").glob("*.json")).read_text(encoding="utf-8"))
    write_run(folder, first | {"run": "later", "settings": first["settings"] | {"steps": 50}})
    text = bench_page(read_results(folder)).markdown
    assert "different settings" in text and "| run | steps |" in text


def test_several_suites_have_a_section_each(folder: Path) -> None:
    rewrite(folder, lambda number, line: line | {"suite": "first" if number % 2 else "second"})
    text = bench_page(read_results(folder)).markdown
    assert "## Suite second\n" in text and "## Suite first\n" in text and text.count("### By method") == 2


def test_a_single_method_has_no_differences(folder: Path) -> None:
    results = read_results(folder)
    text = bench_page(results.of(method="none")).markdown
    assert "Differences" not in text and "**none:" in text
