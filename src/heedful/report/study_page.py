"""The section of a study's page that holds figures, written from what `heedful study` measured.

What the figures mean is written by people, around it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.report.markdown import with_interval

HEADING = "## Figures"
_NOTHING = "-"


def with_study(page: str, found: Mapping[str, Any], image: str) -> str:
    """Return the page with its section of figures made again from `found`; `image` is a path relative to the page."""
    before, heading, rest = page.partition(f"{HEADING}\n")
    _, next_heading, after = rest.partition("\n## ")
    gap = "" if heading or before.endswith("\n\n") else "\n"
    return f"{before}{gap}{study_section(found, image)}{next_heading}{after}"


def study_section(found: Mapping[str, Any], image: str) -> str:
    """Return the figures as Markdown, heading included."""
    lines = [HEADING, "", f"![{found['study']}]({image})", "", _preamble(found), ""]
    lines += _evenness_tables(found) if found["study"] == "evenness" else _step_tables(found)
    return "\n".join(lines).rstrip() + "\n"


def summary(found: Mapping[str, Any]) -> str:
    """Return the tables alone, for a terminal."""
    return "\n".join(_evenness_tables(found) if found["study"] == "evenness" else _step_tables(found))


def _preamble(found: Mapping[str, Any]) -> str:
    seeds = found["seeds"]
    return (
        f"{found['prompts']} prompts with {len(seeds)} seeds each (from {seeds[0]}, moved by 1000 per prompt): "
        f"{found['images']} images per method; {found['steps']} steps,\nguidance scale {found['guidance_scale']:g}; "
        f"fingerprint of weights and detector `{found['weights']}`. Intervals are 95 %, over prompts."
    )


def _step_tables(found: Mapping[str, Any]) -> list[str]:
    shares, pairs = found["shares"], found["pairs"]
    lines = [
        "| images | share [95 %] | count | pairs with successes | of one prompt | prompts that have such pairs |",
        "|---|---|---|---|---|---|",
        f"| success | {_interval(shares['success'])} | | | | |",
    ]
    for outcome, row in pairs.items():
        lines.append(
            f"| {outcome} | {_interval(shares[outcome])} | {row['images']} | {row['pairs']} | {row['within']} "
            f"| {row['prompts']} |"
        )
    steps = _some_steps(found["steps"])
    tables = [("within", outcome, "within prompts") for outcome in pairs] + [("all", "failure", "over all images")]
    for kind, outcome, words in tables:
        lines += ["", f"AUC {words}, {outcome} against success:", ""]
        lines += _auc_table(found["measures"], kind, outcome, steps)
    for name, row in found.get("advantage", {}).items():
        course = row["within"]["failure"]
        cells = " | ".join(_signed(course[step]) for step in steps)
        if name == next(iter(found["advantage"])):
            lines += ["", f"AUC within prompts for failure, less that of {row['over']}:", ""]
            lines += [f"| measure | {_heads(steps)} |", f"|{'---|' * (len(steps) + 1)}"]
        lines.append(f"| {name} | {cells} |")
    missing = found.get("missing")
    if missing and missing["images"]:
        lines += [
            "",
            f"{missing['images']} images lack exactly one of their two concepts. Share of them in which the measure is "
            "larger for the missing one:",
            "",
        ]
        lines += [f"| measure | {_heads(steps)} | onset |", f"|{'---|' * (len(steps) + 2)}"]
        for name, row in missing["measures"].items():
            cells = " | ".join(_interval(row["share"][step]) for step in steps)
            lines.append(f"| {name} | {cells} | {_step(row['onset'])} |")
    return lines


def _auc_table(measures: Mapping[str, Any], kind: str, outcome: str, steps: Sequence[int]) -> list[str]:
    lines = [f"| measure | {_heads(steps)} | onset |", f"|{'---|' * (len(steps) + 2)}"]
    for name, measure in measures.items():
        row = measure[kind][outcome]
        cells = " | ".join(_interval(row["by_step"][step]) for step in steps)
        lines.append(f"| {name} | {cells} | {_step(row['onset'])} |")
    return lines


def _evenness_tables(found: Mapping[str, Any]) -> list[str]:
    controls, primary = list(found["controls"]), found["primary"]
    lines: list[str] = []
    for method, observed in found["observed"].items():
        lines += [
            f"Rank correlation of evenness ({primary['third']} third of the steps) with quality, images by `{method}`, "
            f"{observed['objects']} objects:",
            "",
            f"| area | evenness by | quality | {' | '.join(controls)} |",
            f"|{'---|' * (3 + len(controls))}",
        ]
        rows = [row for row in observed["correlations"] if row["third"] == primary["third"]]
        for area, measure, quality in dict.fromkeys((r["area"], r["measure"], r["quality"]) for r in rows):
            by_control = {
                row["control"]: row
                for row in rows
                if (row["area"], row["measure"], row["quality"]) == (area, measure, quality)
            }
            cells = " | ".join(_signed(by_control.get(control)) for control in controls)
            lines.append(f"| {area} | {measure} | {quality} | {cells} |")
        alike = "; ".join(
            f"{area}: " + ", ".join(f"{pair} {_number(value)}" for pair, value in pairs.items())
            for area, pairs in observed["alike"].items()
            if pairs
        )
        lines += ["", f"The measures among themselves (rank correlation): {alike or _NOTHING}.", ""]
        lines += ["By third of the steps, entropy, within concepts:", "", "| area | quality | early | middle | late |"]
        lines.append("|---|---|---|---|---|")
        chosen = [
            row
            for row in observed["correlations"]
            if row["measure"] == primary["measure"] and row["control"] == primary["control"]
        ]
        for area, quality in dict.fromkeys((row["area"], row["quality"]) for row in chosen):
            cells = " | ".join(_signed(row) for row in chosen if (row["area"], row["quality"]) == (area, quality))
            lines.append(f"| {area} | {quality} | {cells} |")
        lines.append("")
    return (
        lines
        + _effect_table(found["causal"], "plain sampling")
        + [""]
        + _effect_table(found["against_random"], "random steps of the same length")
    )


def _effect_table(effects: Mapping[str, Any], against: str) -> list[str]:
    rows = list(dict.fromkeys(what for effect in effects.values() for what in effect))
    lines = [
        f"Guided by evenness alone, paired differences from {against}:",
        "",
        f"| what | before | {' | '.join(f'`{method}`' for method in effects)} |",
        f"|{'---|' * (2 + len(effects))}",
    ]
    for what in rows:
        cells: list[str] = []
        for effect in effects.values():
            row = effect.get(what, {})
            p_value = f", p {row['p_value']:.4f}" if "p_value" in row else ""
            cells.append(f"{_signed(row.get('difference'))}{p_value}")
        before = next((effect[what].get("before") for effect in effects.values() if what in effect), None)
        lines.append(f"| {what} | {_number(before)} | {' | '.join(cells)} |")
    return lines


def _some_steps(steps: int) -> list[int]:
    """Return a handful of steps for a table: close together at first, then apart; the plot has all."""
    return sorted({step for step in (0, 1, 2, 3, 5, 7, 10) if step < steps} | {steps - 1})


def _heads(steps: Sequence[int]) -> str:
    return " | ".join(f"step {step}" for step in steps)


def _interval(row: Mapping[str, Any] | None) -> str:
    return _NOTHING if row is None else with_interval(row, ".2f")


def _signed(row: Mapping[str, Any] | None) -> str:
    return _NOTHING if row is None or row["value"] is None else with_interval(row, "+.3f")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _step(onset: int | None) -> str:
    return "never" if onset is None else str(onset)
