"""Compare: what the folder of a benchmark says, method by method and prompt by prompt."""

from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from heedful.app.state import State
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.bench import Result, Results
    from heedful.report import SuiteFigures
    from heedful.scores import Estimate

SHOWN_SEEDS = 8
"""Seeds of a prompt whose images are shown."""


def compare(state: State) -> dict[str, Any]:
    """Return the tables of a folder; raises `SettingsError` for one that holds no records."""
    from heedful.report import is_lower_better, suite_figures

    results = _results(state)
    suites = []
    for suite in results.suites:
        score = state.score if state.score in results.of(suite=suite).scores else None
        figures = suite_figures(results, suite, score=score)
        suites.append(
            {
                "suite": suite,
                "score": figures.score,
                "is_lower_better": is_lower_better(figures.score),
                "baseline": figures.baseline,
                "prompts": figures.prompts,
                "images": figures.images,
                "rows": [_row(row) for row in figures.rows],
                "by_prompt": _prompts(results.of(suite=suite), figures),
            }
        )
    return {
        "folder": state.folder,
        "scores": list(results.scores),
        "suites": suites,
        "failed": len(results.failed),
        "model": _model(results),
    }


def prompt_images(state: State, suite: str, prompt: str) -> dict[str, Any]:
    """Return the images of one prompt, and what it takes to make them again; raises `SettingsError`."""
    results = _results(state).of(suite=suite, prompt=prompt)
    if not results.cases:
        raise SettingsError(f"Expected a prompt of this benchmark, got {prompt!r}. Open the folder again.")
    seeds = sorted({case.seed for case in results.cases})[:SHOWN_SEEDS]
    settings: dict[str, Any] = dict(results.runs[-1].get("settings", {})) if results.runs else {}
    model = _model(results)
    return {
        "images": [_image(results, case) for case in results.cases if case.seed in seeds],
        "state": {
            "prompt": prompt,
            "model": model,
            "steps": settings.get("steps"),
            "guidance_scale": settings.get("guidance_scale"),
            "seeds": ",".join(map(str, seeds)),
        },
    }


def _results(state: State) -> "Results":
    from heedful.bench import read_results

    if not state.folder:
        raise SettingsError("Expected the folder of a benchmark, got none. Name one that `heedful bench run` has made.")
    folder = Path(state.folder).expanduser()
    if not folder.is_dir():
        raise SettingsError(f"Expected a folder at {folder}, but there is none. Name one that is there.")
    return read_results(folder)


def _model(results: "Results") -> str | None:
    """Return the model of a benchmark as the page names it; None for the first embedded one."""
    from heedful.models import EMBEDDED

    name = results.runs[-1].get("model") if results.runs else None
    return None if name in (None, EMBEDDED) else str(name)


def _row(row: Any) -> dict[str, Any]:
    change = row.change
    return {
        "method": row.method,
        "images": row.images,
        "failed": row.failed,
        "value": _estimate(row.value),
        "change": None if change is None else _estimate(change.difference),
        "gained": None if change is None else change.gained,
        "lost": None if change is None else change.lost,
        "p": row.p_corrected,
        "cost": row.cost,
        "seconds": row.seconds,
    }


def _estimate(found: "Estimate") -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "has_interval": found.has_interval}


def _prompts(results: "Results", figures: "SuiteFigures") -> list[dict[str, Any]]:
    """Return each prompt with the mean of each method, and how far methods lie apart."""
    methods = [row.method for row in figures.rows]
    values: dict[str, dict[str, list[float]]] = {}
    for method in methods:
        for (prompt, _), value in results.values(method, figures.score).items():
            values.setdefault(prompt, {}).setdefault(method, []).append(value)
    kinds = {case.prompt: case.kind for case in results.cases}
    rows = []
    for prompt, by_method in values.items():
        means = {method: fmean(found) for method, found in by_method.items()}
        spread = max(means.values()) - min(means.values())
        rows.append({"prompt": prompt, "kind": kinds.get(prompt, ""), "means": means, "spread": spread})
    return sorted(rows, key=lambda row: (-row["spread"], row["prompt"]))


def _image(results: "Results", case: "Result") -> dict[str, Any]:
    """Return one image with its scores, and the maps that `heedful see` has left beside it."""
    from heedful.guidance import data_url
    from heedful.image_files import read_image
    from heedful.report import map_overlays

    path = results.path(case)
    image, maps = None, list[dict[str, str]]()
    if path is not None:
        try:
            opened = read_image(path)
        except SettingsError:
            opened = None  # one that cannot be read is shown as missing
        if opened is not None:
            image = data_url(opened)
            maps = [{"name": name, "image": data_url(shown)} for name, shown in map_overlays(path, opened)]
    return {
        "method": case.method,
        "seed": case.seed,
        "image": image,
        "maps": maps,
        "error": case.error,
        "scores": dict(case.scores),
    }
