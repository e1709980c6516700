"""Does guidance help on the embedded model? Every method and control on the same prompts and noise, with intervals.

    python benchmarks/results.py --bfloat16                                          # the reported run
    python benchmarks/results.py --bfloat16 --half development --out out/dev         # for tuning
    python benchmarks/results.py --bfloat16 --half single --seeds 8 --methods none,heedful   # single concepts
    python benchmarks/results.py --bfloat16 --half three --methods none,heedful      # three concepts
    python benchmarks/results.py --bfloat16 --methods none,heedful,ablations         # its parts
    python benchmarks/results.py --bfloat16 --model crowded --tuned a-star=12@0.3    # one tuned elsewhere

Writes OUT/HALF/METHOD.jsonl (records; a killed run goes on), OUT/HALF/results.json and prints the tables.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from headroom_rules import controls_of, parse_settings, read_by_words
from key_heads import read_heads, with_heads
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

import heedful
from heedful.attention import find_denoiser
from heedful.files import write_atomic
from heedful.guidance import METHODS, Head, Method, Settings
from heedful.guidance.methods import EBAMA, HEEDFUL, OSI, EbamaLoss, Elsewhere, PhrasesAlone, Separability
from heedful.lab.records import FAULTS
from heedful.lab.trial import Trial, TrialRecord, run_trial, success_table
from heedful.losses import PUBLISHED_SHARES
from heedful.scores.statistics import Estimate, compare, estimate, interval, jackknife_error
from heedful.world.vocabulary import single_concept_prompts, split_prompts, three_concept_prompts

BASELINES = ("none", "random", "wrong-tokens")
CONTROLS = {method.name: method for method in controls_of(EBAMA).values()}
"""Controls of the best published method: steps as long in random directions; the same loss on the wrong tokens."""

BINDING = 0.4 * EbamaLoss(shares=PUBLISHED_SHARES)


def _part(name: str, loss: Any = HEEDFUL.loss, **changes: Any) -> Method:
    return replace(HEEDFUL, name=name, loss=loss, settings=replace(HEEDFUL.settings, **changes))


ABLATIONS = {
    method.name: method
    for method in (
        _part("without-restart", restart=None),
        _part("without-elsewhere", Separability() + BINDING),
        _part("without-separability", 3.0 * Elsewhere() + BINDING),
        _part("without-ebama", Separability() + 3.0 * Elsewhere()),
        _part("without-edit", text_edit=None),
        _part("without-one-pass", scheme="exact", condition_alone=0.0),
        _part("without-keeping", difference_kept=0.0),
        _part("without-condition-alone", condition_alone=0.0),
        _part("without-root", step_rule="mean-square", step_size=25 / 2048),
        _part("restart-alone", None),
    )
}
"""`heedful` without one part, and a part alone. A restart predicts by `Elsewhere` in all of them."""

_EDIT = PhrasesAlone()
EBAMA_EDITED = replace(
    EBAMA,
    name="ebama-with-edit",
    settings=replace(EBAMA.settings, text_edit=_EDIT),
    embedded=EBAMA.embedded and replace(EBAMA.embedded, text_edit=_EDIT),
)
"""EBAMA with the whole edit of the text of which `heedful` takes half."""

OSI_RANDOM = replace(OSI, name="osi-random")
"""The control of OSI: the same keys moved as far, in random directions."""


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/results"),
    half: Annotated[
        str, typer.Option(help="'report' or 'development' half of the 276 prompts, 'single' or 'three' concepts.")
    ] = "report",
    prompts: Annotated[int | None, typer.Option(help="How many prompts; all of them unless given.")] = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each prompt.")] = 8,
    methods: Annotated[
        str, typer.Option(help="Comma-separated; 'ablations' stands for the parts of heedful.")
    ] = ",".join([*BASELINES, *CONTROLS, *(name for name in METHODS if name not in BASELINES)]),
    steps: Annotated[int, typer.Option(help="Steps of the sampler.")] = 20,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16: 1.6 times as fast.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    model: Annotated[str, typer.Option(help="An embedded model by name, or a folder with one.")] = "sprites",
    tuned: Annotated[
        str, typer.Option(help="Settings chosen for this model: METHOD=STEP_SIZE@GUIDED, with commas.")
    ] = "",
    words: Annotated[
        bool, typer.Option("--by-words", help="The tuned ones read the rows of the text (joint attention).")
    ] = False,
    heads: Annotated[
        Path | None, typer.Option(help="Heads for osi and osi-random, by benchmarks/key_heads.py.")
    ] = None,
    head_share: Annotated[float, typer.Option(help="Share of those heads whose keys are moved.")] = 0.2,
) -> None:
    """Generate, judge, compare."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    development, report = split_prompts()
    suites = {"single": single_concept_prompts(), "three": three_concept_prompts()}
    suite = (suites | {"development": development, "report": report})[half][:prompts]
    trial = Trial(prompts=suite, seeds=tuple(range(seeds)), steps=steps, bfloat16=bfloat16)
    records: dict[str, list[TrialRecord]] = {}
    with Progress(*Progress.get_default_columns()[:1], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        moved = () if heads is None else read_heads(heads, head_share)
        for name, method, settings in _chosen(methods, tuned, words, find_denoiser(pipe), moved):
            task = bar.add_task(name, total=len(suite) * seeds)
            records[name] = run_trial(
                pipe,
                detector,
                trial,
                method,
                out / half / f"{name}.jsonl",
                settings=settings,
                on_images=lambda done, total, task=task: bar.update(task, completed=done),
            )
    results = {name: _row(name, records, trial) for name in records}
    write_atomic(out / half / "results.json", json.dumps(results, indent=1))
    Console(width=160).print(_markdown(results))


def _chosen(
    names: str, tuned: str, words: bool, denoiser: Any, heads: tuple[Head, ...] = ()
) -> Iterator[tuple[str, Method, Settings | None]]:
    """Yield each method by its name, with the settings that replace its own on this denoiser, if any do."""
    numbers = dict(parse_settings(tuned))
    everything = METHODS | CONTROLS | ABLATIONS | {method.name: method for method in (EBAMA_EDITED, OSI_RANDOM)}
    for name in names.split(","):
        for each in ABLATIONS if name == "ablations" else (name,):
            method, settings = everything[each], None
            own = OSI.name if each == OSI_RANDOM.name else each  # a control that moves keys as far
            if own in numbers:
                settings = numbers[own].of(method.settings_for(denoiser))
                if words:
                    settings = read_by_words(denoiser, settings)
            if heads and each in (OSI.name, OSI_RANDOM.name):
                given = settings or method.settings_for(denoiser)
                settings = with_heads(given, heads, is_random=each == OSI_RANDOM.name)
            yield each, method, settings


def failure_ratio(baseline: np.ndarray, treated: np.ndarray) -> Estimate:
    """Return the failures that `treated` leaves, over those of `baseline`: below 1 if it helps.

    Both are (prompt, seed), success as 0 or 1, on the same prompts and seeds; `baseline` has failures in two prompts or
    more.
    """
    before, after = (1 - values.mean(axis=1) for values in (baseline, treated))
    ratio = float(after.sum() / before.sum())
    left_out = (after.sum() - after) / (before.sum() - before)
    ends = interval(ratio, jackknife_error(left_out), len(before), (0.0, np.inf))
    return Estimate(ratio, *ends, treated.size, len(before))


def _row(name: str, records: dict[str, list[TrialRecord]], trial: Trial) -> dict[str, Any]:
    table = success_table(records[name], trial)
    row: dict[str, Any] = {"success": vars(estimate(table)), "images": table.size}
    row |= {fault: float(success_table(records[name], trial, fault).mean()) for fault in FAULTS}
    for field in ("confidence", "relative_cost", "seconds"):
        row[field] = sum(getattr(record, field) for record in records[name]) / len(records[name])
    # controls are compared with what stands before them, methods with all three, EBAMA with its own controls too
    before = BASELINES[: BASELINES.index(name)] if name in BASELINES else BASELINES
    before = (*before, *CONTROLS) if name == EBAMA.name else before
    for baseline in (baseline for baseline in before if baseline in records):
        result = compare(success_table(records[baseline], trial), table)
        row[baseline] = vars(result) | {"difference": vars(result.difference)}
    if name not in (*BASELINES, *CONTROLS) and "heedful" in records:
        ratio = failure_ratio(table, success_table(records["heedful"], trial))
        row["failures_left_by_heedful"] = vars(ratio)
    return row


def _markdown(results: dict[str, dict[str, Any]]) -> str:
    shares = _rows(["method", "success [95 %]", *FAULTS, "confidence", "cost", "seconds"])
    for name, row in results.items():
        faults = [f"{row[fault]:.3f}" for fault in FAULTS]
        numbers = [f"{row['confidence']:.3f}", f"{row['relative_cost']:.2f}", f"{row['seconds']:.2f}"]
        shares += _rows([name, _interval(row["success"]), *faults, *numbers])
    pairs = _rows(["method", "against", "difference [95 %]", "p", "gained / lost"])
    for name, row in results.items():
        for baseline in (baseline for baseline in (*BASELINES, *CONTROLS) if baseline in row):
            found = row[baseline]
            counts = f"{found['gained']} / {found['lost']}"
            pairs += _rows([name, baseline, _interval(found["difference"], "+"), f"{found['p_value']:.4f}", counts])
    ratios = _rows(["method", "failures that heedful leaves of its failures [95 %]"])
    for name, row in results.items():
        if "failures_left_by_heedful" in row and name != "heedful":
            ratios += _rows([name, _interval(row["failures_left_by_heedful"])])
    return "\n".join([*_with_rule(shares), "", *_with_rule(pairs), "", *_with_rule(ratios)])


def _rows(cells: list[str]) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


def _with_rule(rows: list[str]) -> list[str]:
    return [rows[0], "|" + "---|" * (rows[0].count("|") - 1), *rows[1:]]


def _interval(value: dict[str, float], sign: str = "") -> str:
    return f"{value['value']:{sign}.3f} [{value['low']:{sign}.3f}, {value['high']:{sign}.3f}]"


if __name__ == "__main__":
    typer.run(main)
