"""Does guidance help on the embedded model? Methods and controls on the same prompts and noise, with intervals.

    python benchmarks/first_results.py --out out/first-results            # the reported run
    python benchmarks/first_results.py --half development --out out/dev   # for tuning

Writes OUT/HALF/METHOD.jsonl (records; a killed run goes on), OUT/HALF/results.json and prints the table.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

import heedful
from heedful.evaluation.statistics import compare, estimate
from heedful.evaluation.trial import FAULTS, Record, Trial, run_trial, split_prompts, success_table
from heedful.files import write_atomic

BASELINES = ("none", "random", "wrong-tokens")
METHODS = ("none", "random", "wrong-tokens", "attend-and-excite", "a-star", "attend-and-excite+a-star", "heedful")


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/first-results"),
    half: Annotated[str, typer.Option(help="'report' or 'development' half of the 276 prompts.")] = "report",
    prompts: Annotated[int, typer.Option(help="How many prompts of the half.")] = 64,
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each prompt.")] = 8,
    methods: Annotated[str, typer.Option(help="Comma-separated; 'none' is the baseline.")] = ",".join(METHODS),
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
) -> None:
    """Paint, judge, compare."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(), heedful.world.load_detector()
    pipe.set_progress_bar_config(disable=True)
    development, report = split_prompts()
    chosen = {"development": development, "report": report}[half][:prompts]
    trial = Trial(prompts=chosen, seeds=tuple(range(seeds)))
    records: dict[str, list[Record]] = {}
    with Progress(*Progress.get_default_columns()[:1], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        for name in methods.split(","):
            task = bar.add_task(name, total=len(chosen) * seeds)
            records[name] = run_trial(
                pipe,
                detector,
                trial,
                heedful.methods.METHODS[name],
                out / half / f"{name}.jsonl",
                on_images=lambda done, total, task=task: bar.update(task, completed=done),
            )
    results = {name: _row(name, records, trial) for name in records}
    write_atomic(out / half / "results.json", json.dumps(results, indent=1))
    Console(width=160).print(_markdown(results))


def _row(name: str, records: dict[str, list[Record]], trial: Trial) -> dict[str, Any]:
    table = success_table(records[name], trial)
    row: dict[str, Any] = {"success": vars(estimate(table)), "images": table.size}
    row |= {fault: float(success_table(records[name], trial, fault).mean()) for fault in FAULTS}
    row["relative_cost"] = sum(r.relative_cost for r in records[name]) / len(records[name])
    row["seconds"] = sum(r.seconds for r in records[name]) / len(records[name])
    # controls are compared with what stands before them, methods with all three
    before = BASELINES[: BASELINES.index(name)] if name in BASELINES else BASELINES
    for baseline in (baseline for baseline in before if baseline in records):
        result = compare(success_table(records[baseline], trial), table)
        row[baseline] = vars(result) | {"difference": vars(result.difference)}
    return row


def _markdown(results: dict[str, dict[str, Any]]) -> str:
    shares = _rows(["method", "success [95 %]", *FAULTS, "cost", "seconds"])
    for name, row in results.items():
        faults = [f"{row[fault]:.3f}" for fault in FAULTS]
        shares += _rows(
            [name, _interval(row["success"]), *faults, f"{row['relative_cost']:.2f}", f"{row['seconds']:.2f}"]
        )
    pairs = _rows(["method", "against", "difference [95 %]", "p", "gained / lost"])
    for name, row in results.items():
        for baseline in (baseline for baseline in BASELINES if baseline in row):
            found = row[baseline]
            counts = f"{found['gained']} / {found['lost']}"
            pairs += _rows([name, baseline, _interval(found["difference"], "+"), f"{found['p_value']:.4f}", counts])
    return "\n".join([*_with_rule(shares), "", *_with_rule(pairs)])


def _rows(cells: list[str]) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


def _with_rule(rows: list[str]) -> list[str]:
    return [rows[0], "|" + "---|" * (rows[0].count("|") - 1), *rows[1:]]


def _interval(value: dict[str, float], sign: str = "") -> str:
    return f"{value['value']:{sign}.3f} [{value['low']:{sign}.3f}, {value['high']:{sign}.3f}]"


if __name__ == "__main__":
    typer.run(main)
