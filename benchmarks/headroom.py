"""Is there room for a published loss? It against plain sampling and both its controls, paired over prompt and noise.

    python benchmarks/headroom.py --bfloat16 --suite world-three-development --seeds 2     # choose a setting
    python benchmarks/headroom.py --bfloat16 --suite world-three-report --seeds 19 --methods ebama --settings 10@0.3

The controls: a random direction with steps of the same size, and the same loss on the wrong tokens. Choose settings on
a development half, report on the other. Writes OUT/MODEL/SUITE/*.jsonl (records; a killed run goes on) and
headroom.json there, and prints the tables.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from headroom_rules import LOSS, OUTCOMES, PLAIN, Headroom, controls_of, headroom, parse_setting

import heedful
from heedful.bench.suites import find_suite
from heedful.files import write_atomic
from heedful.guidance import METHODS, NONE, Method, Settings
from heedful.lab.trial import Trial, TrialRecord, run_trial
from heedful.report.markdown import table


def main(
    out: Annotated[Path, typer.Option(help="Folder of the records and the results.")] = Path("out/headroom"),
    suite: Annotated[str, typer.Option(help="A suite of the embedded world.")] = "world-three-development",
    methods: Annotated[str, typer.Option(help="Published losses, comma-separated.")] = "attend-and-excite,ebama",
    settings: Annotated[
        str, typer.Option(help="STEPSIZE@GUIDED[,...], for every method; its own numbers unless given.")
    ] = "",
    prompts: Annotated[
        int | None, typer.Option(help="How many prompts of the suite; all of them unless given.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0 .. N-1 of each prompt.")] = 2,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    bfloat16: Annotated[bool, typer.Option(help="Products in bfloat16: 1.6 times as fast.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    model: Annotated[str, typer.Option(help="An embedded model by name, or a folder with one.")] = "sprites",
) -> None:
    """Generate, judge, compare."""
    torch.set_num_threads(threads)
    pipe, detector = heedful.world.load(model), heedful.world.load_detector(model)
    pipe.set_progress_bar_config(disable=True)
    chosen = find_suite(suite).first(prompts)
    trial = Trial(
        prompts=tuple(line.prompt for line in chosen.lines), seeds=tuple(range(seeds)), steps=steps, bfloat16=bfloat16
    )
    folder = out / Path(model).name / suite

    def painted(method: Method, used: Settings | None = None, numbers: str = "") -> list[TrialRecord]:
        name = method.name + (f"-{numbers}" if numbers else "")
        path = folder / f"{name}-{steps}-steps.jsonl"

        def on_images(done: int, total: int) -> None:
            typer.echo(f"\r{name}: {done} of {total}", err=True, nl=done == total)

        return run_trial(pipe, detector, trial, method, path, settings=used, on_images=on_images)

    plain = painted(NONE)
    found: dict[str, Headroom] = {}
    for name in methods.split(","):
        own = METHODS[name].settings_for(pipe.unet)
        for used in [parse_setting(word).of(own) for word in settings.split(",")] if settings else [own]:
            numbers = f"{used.step_size:g}@{float(used.guided):g}"
            records = {
                arm: painted(method, used, numbers)
                for arm, method in {LOSS: METHODS[name], **controls_of(METHODS[name])}.items()
            }
            found[f"{name} {numbers}"] = headroom({PLAIN: plain, **records}, trial)
            typer.echo("\n".join(_tables({f"{name} {numbers}": found[f"{name} {numbers}"]})))
    write_atomic(folder / "headroom.json", json.dumps({name: asdict(each) for name, each in found.items()}, indent=1))


def _tables(found: dict[str, Headroom]) -> list[str]:
    shares = [
        [name, arm, str(each.pairs), *(f"{row[outcome]:.3f}" for outcome in OUTCOMES)]
        for name, each in found.items()
        for arm, row in each.shares.items()
    ]
    changes = [
        [
            f"{name}{', headroom' if each.is_shown else ''}",
            baseline,
            *(row[outcome].difference.format("+.3f") for outcome in OUTCOMES),
        ]
        for name, each in found.items()
        for baseline, row in each.differences.items()
    ]
    return table(["loss", "arm", "pairs", *OUTCOMES], shares) + table(["loss", "against", *OUTCOMES], changes)


if __name__ == "__main__":
    typer.run(main)
