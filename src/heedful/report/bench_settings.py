"""The end of a benchmark's page: what failed, how the runs were made, and whom to cite."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from heedful.bench import Results
from heedful.guidance import METHODS
from heedful.references import cite
from heedful.report.markdown import code, code_block, escape, table
from heedful.scores import find_figure

_NOTHING = "–"


def failures(results: Results) -> list[str]:
    """Return the section of failed cases: which errors, how often; nothing if none failed."""
    if not results.failed:
        return []
    reasons: dict[tuple[str, str], int] = {}
    for case in results.failed:
        reason = (case.method, str(case.error))
        reasons[reason] = reasons.get(reason, 0) + 1
    rows = [[escape(method), escape(error), str(count)] for (method, error), count in reasons.items()]
    return ["## Failed cases", "", *table(["method", "error", "cases"], rows, "left")]


def settings(results: Results) -> list[str]:
    """Return the section of settings: what all runs share, where they differ, then methods and scores."""
    if not results.runs:
        return []
    runs = [_flat(run) for run in results.runs]
    names = dict.fromkeys(name for run in runs for name in run)
    # what all runs share is said once
    is_shared = {name: len({run.get(name) for run in runs}) == 1 for name in names}
    heads = ["setting", "all runs"] if len(runs) > 1 else ["setting", "value"]
    lines = ["## Settings", "", *table(heads, [[name, runs[0][name]] for name in names if is_shared[name]], "left")]
    if not all(is_shared.values()):
        lines += table(
            ["run", *(name for name in names if not is_shared[name])],
            [
                [str(number), *(run.get(name, _NOTHING) for name in names if not is_shared[name])]
                for number, run in enumerate(runs, start=1)
            ],
            "left",
        )
    for heading, key in (("Methods", "methods"), ("Scores", "scores")):
        said = {
            name: json.dumps(text, ensure_ascii=False, indent=2)
            for run in results.runs
            for name, text in run.get(key, {}).items()
        }
        lines += [f"### {heading}", ""] if said else []
        for name, text in said.items():
            lines += [code(name), "", *code_block(text)]
    return lines


def references(results: Results) -> list[str]:
    """Return the section with BibTeX of every known method and score."""
    bases = (name.partition("@")[0] for name in results.methods)  # its own settings may follow a method's name
    methods = [METHODS[name] for name in dict.fromkeys(bases) if name in METHODS]
    scores = dict.fromkeys(found[0] for name in results.scores if (found := find_figure(name)) is not None)
    bibtex = cite(*methods, *scores)
    return ["## References", "", "BibTeX of the methods and scores on this page:", "", *code_block(bibtex, "bibtex")]


def settings_differ(results: Results) -> bool:
    """Return whether the runs differ in what has to be the same for methods to be comparable."""
    return len({repr(sorted(_comparable(run).items())) for run in results.runs}) > 1


def _comparable(run: Mapping[str, Any]) -> dict[str, str]:
    """Return what has to be the same for methods to be comparable."""
    settings: Mapping[str, Any] = run.get("settings", {})
    kept = {name: str(value) for name, value in settings.items() if name != "batch_size"}
    return kept | {name: str(run.get(name, _NOTHING)) for name in ("weights", "versions")}


def _flat(run: Mapping[str, Any]) -> dict[str, str]:
    """Return a run as names and values that fit into a table."""
    groups: Iterable[tuple[str, Mapping[str, Any]]] = (
        (
            "",
            {
                name: run[name]
                for name in ("suite", "model", "weights", "seeds", "same_noise", "started")
                if name in run
            },
        ),
        ("", run.get("settings", {})),
        ("", run.get("versions", {})),
        ("git ", run.get("git") or {}),
        ("", run.get("hardware", {})),
    )
    return {
        escape(f"{prefix}{name}".replace("_", " ")): escape(str(value))
        for prefix, group in groups
        for name, value in group.items()
    }
