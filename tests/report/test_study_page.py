import sys
from pathlib import Path

import pytest
from PIL import Image

from heedful.errors import MissingExtra
from heedful.report import check_plots
from heedful.report.study_page import summary, with_study
from heedful.report.study_plots import plot

INTERVAL = {"value": 0.7, "low": 0.6, "high": 0.8, "count": 40}
OUTCOMES = ("failure", "neglect", "duplicate")
AUC = {"by_step": [None, INTERVAL, INTERVAL], "onset": 1}
MEASURE = {
    "meaning": "a measure",
    "courses": {group: [None, INTERVAL, INTERVAL] for group in ("success", "neglect", "duplicate")},
    **{kind: dict.fromkeys(OUTCOMES, AUC) for kind in ("all", "within")},
}
STEPS = {
    "study": "retention",
    "images": 16,
    "prompts": 4,
    "seeds": [0, 1, 2, 3],
    "steps": 3,
    "guidance_scale": 3.0,
    "weights": "abc",
    "shares": dict.fromkeys(("success", *OUTCOMES), INTERVAL),
    "pairs": {outcome: {"images": 9, "pairs": 63, "within": 12, "prompts": 4} for outcome in OUTCOMES},
    "measures": dict.fromkeys(("lost", "forgotten", "drift", "faintness"), MEASURE),
    "advantage": {"drift": {"over": "lost", "within": {"failure": [None, INTERVAL, None]}}},
    "missing": {
        "images": 5,
        "measures": {
            name: {"share": [None, INTERVAL, INTERVAL], "difference": [None] * 3, "onset": None}
            for name in ("lost", "forgotten", "drift", "faintness")
        },
    },
}
CORRELATION = {"area": "box", "third": "middle", "measure": "entropy", "quality": "confidence", "control": "size"}
EFFECT = {
    "success": {"before": 0.4, "difference": INTERVAL, "p_value": 0.03},
    **{name: {"difference": INTERVAL} for name in ("neglect", "duplicate", "hybrid", "confidence")},
}
EVENNESS = STEPS | {
    "study": "evenness",
    "primary": {"measure": "entropy", "third": "middle", "control": "size"},
    "controls": {"none": "", "size": ""},
    "observed": {
        "none": {
            "objects": 20,
            "correlations": [CORRELATION | INTERVAL, CORRELATION | {"control": "none", "value": None}],
            "alike": {"box": {"entropy and cv": 0.91}, "map": {}},
            "fifths": {"box": {"evenness": [0.1] * 5, "confidence": [INTERVAL] * 5}, "map": {}},
        }
    },
    "causal": dict.fromkeys(("more-even", "less-even", "random-steps"), EFFECT),
    "against_random": {"more-even": EFFECT},
}


def test_only_the_section_of_figures_is_replaced() -> None:
    page = "# Study\n\nBefore.\n\n## Figures\n\nold\n\n### Older\n\n## After\n\nKept.\n"
    written = with_study(page, STEPS, "images/retention.png")
    assert written.startswith("# Study\n\nBefore.\n\n## Figures\n\n![retention](images/retention.png)\n")
    assert written.endswith("\n## After\n\nKept.\n")
    assert "old" not in written.lower()
    assert with_study(written, STEPS, "images/retention.png") == written
    assert with_study("# Study\n", STEPS, "a.png").startswith("# Study\n\n## Figures\n")


def test_tables_hold_the_figures_of_the_steps() -> None:
    lines = summary(STEPS).splitlines()
    assert "| measure | step 0 | step 1 | step 2 | onset |" in lines
    assert "| drift | - | 0.70 [0.60, 0.80] | 0.70 [0.60, 0.80] | 1 |" in lines
    assert "| drift | - | +0.700 [+0.600, +0.800] | - |" in lines
    assert "| lost | - | 0.70 [0.60, 0.80] | 0.70 [0.60, 0.80] | never |" in lines
    assert "| failure | 0.70 [0.60, 0.80] | 9 | 63 | 12 | 4 |" in lines


def test_tables_hold_correlations_and_effects() -> None:
    lines = summary(EVENNESS).splitlines()
    assert "| box | entropy | confidence | - | +0.700 [+0.600, +0.800] |" in lines
    assert "| success | 0.400 | +0.700 [+0.600, +0.800], p 0.0300 |" in lines
    assert any("entropy and cv 0.910" in line for line in lines)


@pytest.mark.parametrize("found", [STEPS, {name: STEPS[name] for name in STEPS if name != "missing"}, EVENNESS])
def test_a_plot_is_a_small_picture(found: dict, tmp_path: Path) -> None:
    path = plot(found, tmp_path / "plots" / "study.png")
    with Image.open(path) as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 10
    assert path.stat().st_size < 150_000


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "matplotlib":
                raise ModuleNotFoundError("No module named 'matplotlib'", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(MissingExtra, match=r"heedful\[report\]"):
        check_plots()
    with pytest.raises(MissingExtra, match=r"heedful\[report\]"):
        plot(STEPS, tmp_path / "study.png")
