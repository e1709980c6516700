"""The table of figures in docs/scores.md says what the scores say."""

from pathlib import Path

from heedful.scores import SCORES, Original

PAGE = Path(__file__).parents[2] / "docs" / "scores.md"


def test_the_page_has_every_figure_with_its_range_and_direction() -> None:
    expected = []
    for name, make in SCORES.items():
        needs = getattr(make, "func", make).needs_originals  # pyright: ignore[reportFunctionMemberAccess]
        score = make(originals=(Original(image=Path("photo.png")),)) if needs else make()
        for place, (column, figure) in enumerate(zip(score.columns, score.figures, strict=True)):
            first = "" if place else f"`{name}`"
            better = "↑" if figure.higher_is_better else "↓"
            expected.append([first, f"`{column}`", f"{figure.low:.0f} to {figure.high:.0f}", better, figure.says])
    table = PAGE.read_text(encoding="utf-8").partition("## All of them")[2].partition("## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines] == expected


def test_the_page_has_the_settings_of_every_score() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Settings and sources")[2].partition("## ")[0]
    rows = {line.split("|")[1].strip(" `"): line for line in table.splitlines() if line.startswith("| `")}
    assert list(rows) == list(SCORES)
    for name in ("clip-b16", "dino", "blip-vqa", "blip-caption", "owl"):
        score = SCORES[name](**({"originals": (Original(image=Path("photo.png")),)} if name == "dino" else {}))
        models = [getattr(score, field, "") for field in ("captioner", "colour_model")]
        models.append("" if name == "blip-caption" else getattr(getattr(score, "boxes", None) or score, "model", ""))
        assert all(f"`{model}`" in rows[name] for model in models if model)
