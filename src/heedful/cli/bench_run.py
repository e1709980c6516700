"""`heedful bench run`: a suite x methods x seeds, made, judged and recorded, so that no kill loses anything.

Knows the options and the order of things. What is slow is imported when the command runs.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.bench_table import ScoresOption, find_scores, say_lines
from heedful.cli.console import FAILED, INTERRUPTED, err, tell
from heedful.cli.options import (
    BatchOption,
    ConceptsFromOption,
    DeviceOption,
    DtypeOption,
    HeightOption,
    JsonOption,
    LoraOption,
    MasksOption,
    ModelOption,
    OutOption,
    ScaleOption,
    SchedulerOption,
    StepsOption,
    WidthOption,
)
from heedful.cli.progress import image_progress
from heedful.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from heedful.bench import BenchFolder
    from heedful.images import Engine, Load, Plan
    from heedful.models import Model, Processes
    from heedful.scores import Score

FOLDER = Path("out/bench")
_GOES_ON = "The same command makes the rest."
_ENGINES = ("serial", "ray")
_WHERE = "Where it runs"


def run(
    suite: Annotated[
        str, typer.Option("--suite", metavar="NAME|FILE", help="A suite of `heedful bench list`, or a file of prompts.")
    ],
    methods: Annotated[
        str, typer.Option("--methods", metavar="NAME,NAME...", help="How the images are steered.")
    ] = "none,heedful",
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="0-3", help="Images of each prompt: 0-3 (both ends), 0,5,7 or 0-3,8.")
    ] = "0-3",
    scores: ScoresOption = None,
    prompts_file: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            metavar="FILE|FOLDER",
            help="Your copy of the prompts of geneval or t2i-compbench.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Only the first so many prompts of the suite.", show_default=False)
    ] = None,
    same_noise: Annotated[
        bool,
        typer.Option(
            "--same-noise",
            help="Let all prompts start from the same noises, as Attend-and-Excite's protocol does. Without it, the "
            "seeds of each prompt are moved by 1000, so that no two prompts share noise.",
        ),
    ] = False,
    masks: MasksOption = False,
    out_folder: OutOption = FOLDER,
    as_json: JsonOption = False,
    steps: StepsOption = None,
    guidance_scale: ScaleOption = None,
    width: WidthOption = None,
    height: HeightOption = None,
    batch_size: BatchOption = None,
    model: ModelOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    concepts_from: ConceptsFromOption = None,
    lora: LoraOption = None,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="serial|ray",
            help="One device of this machine, or every device of a Ray cluster.",
            rich_help_panel=_WHERE,
        ),
    ] = "serial",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Of the Ray cluster. Without it, Ray takes the devices of this machine.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
) -> None:
    """Make and score every image that is missing, and record each.

    Images go to OUT/METHOD/PROMPT/SEED.png, records to OUT/records. The same command again goes on where it was
    stopped, by whatever, and makes nothing twice; more methods, seeds or prompts only add what is missing. Exits with 1
    if a case failed; its record says why, and the same command tries it again.

    Example: `heedful bench run --suite world-two-development --limit 10 --methods none,attend-and-excite,heedful`
    """
    from heedful.bench import BenchFolder, describe_run, find_suite, read_records
    from heedful.cli.choices import find_method, split_list
    from heedful.images import (
        Gallery,
        Painter,
        PainterLoader,
        Request,
        SamplingOptions,
        at_least,
        parse_seeds,
        tally,
        write_coco,
    )
    from heedful.models import ModelOptions, find_device, find_processes, open_model

    if engine not in _ENGINES:
        raise SettingsError(f"Expected one of the engines {', '.join(_ENGINES)}, got {engine!r}.")
    if address is not None and engine != "ray":
        raise SettingsError("Expected --address only with --engine ray, whose cluster it names.")
    at_least(1, batch_size, 1, "a batch size")
    chosen = [find_method(name) for name in dict.fromkeys(split_list(methods, "methods") or [])]
    numbers = parse_seeds(seeds)
    prompts = find_suite(suite, prompts_file).first(limit)
    named = find_scores(scores)
    folder, processes = BenchFolder(out_folder), find_processes(find_device(device))
    with processes.first_alone(folder.locked()):
        with err.status("Loading the model ..."):
            maker, about = _find_engine(engine, address, processes)
            # where others make the images, the processor will do here, but at their precision
            usual = "float16" if about.get("gpus") and model is not None else None
            loaded = open_model(
                ModelOptions(
                    model=model,
                    device="cpu" if engine == "ray" else device,
                    dtype=dtype or usual,
                    scheduler=scheduler,
                    concepts_from=tuple(concepts_from or ()),
                    lora=tuple(lora or ()),
                )
            )
            request = Request(
                suite=prompts.name,
                prompts=prompts.lines,
                methods=chosen,
                seeds=numbers,
                scores=_default_scores(loaded) if named is None else named,
                masks=masks,
                same_noise=same_noise,
                seeds_first=True,
                sampling=SamplingOptions(
                    steps=steps, guidance_scale=guidance_scale, width=width, height=height, batch_size=batch_size
                ),
            )
            plan = folder.plan(loaded, request)
        run = describe_run(plan)
        processes.wait()  # nobody writes before all have read what is there
        if processes.is_first:
            _say_plan(plan)
            if plan.todo:
                folder.write_run({**run, "engine": about}, plan.request.prompts)
        loader = None
        if engine == "ray":
            loader = PainterLoader(
                options=replace(loaded.options, device=device, dtype=loaded.dtype),
                weights=loaded.weights,
                on_top=loaded.on_top,
                sampling=plan.sampling,
                scores=tuple(request.scores),
                masks=masks,
            )
        painter = Painter(plan.model, plan.sampling, request.scores, masks)
        failed = _make(plan, folder, processes, processes.agree(run["run"]), maker, loader or (lambda: painter))
        processes.wait()
        if processes.is_first:
            if masks:
                tell(f"Masks: {write_coco(Gallery(folder.folder))}")
            lines = tally(read_records(folder.folder))
            say_lines(lines, folder, as_json)
            failed += sum(line.failed for line in lines if line.method in plan.settings)
    if failed:
        raise typer.Exit(FAILED)


def _make(
    plan: "Plan", folder: "BenchFolder", processes: "Processes", name: str, engine: "Engine", load: "Load"
) -> int:
    """Make what is left behind a progress bar, and return how many cases failed; after Ctrl-C say so, and exit."""
    from heedful.bench import Progress, run_bench

    with image_progress(err, disable=not (plan.todo and processes.is_first)) as bar:
        task = bar.add_task("Images", total=processes.share_of(plan.todo))
        latest = Progress(0, 0, None)

        def show(progress: Progress) -> None:
            nonlocal latest
            if progress.failed > latest.failed:
                bar.console.print(f"A case failed: {progress.error}", markup=False)
            latest = progress
            bar.update(task, completed=progress.images)

        try:
            run_bench(
                folder,
                plan.request.suite,
                name,
                load,
                processes.share(plan.batches()),
                engine,
                process=processes.rank,
                on_progress=show,
            )
        except OutputError:
            tell(f"{latest.images} images were made and recorded before this; the same command makes the rest.")
            raise
        except KeyboardInterrupt:
            bar.stop()
            tell(f"Interrupted: {latest.images} of {plan.todo} images were made and recorded. {_GOES_ON}")
            raise typer.Exit(INTERRUPTED) from None
    return latest.failed


def _find_engine(name: str, address: str | None, processes: "Processes") -> "tuple[Engine, dict[str, Any]]":
    """Return the engine, and what the run says of it."""
    from heedful.bench import RayEngine
    from heedful.images import run_serially

    if name == "serial":
        return run_serially, {"name": name, "processes": processes.count}
    engine = RayEngine(address)
    devices = engine.devices()
    return engine, {"name": name, "devices": len(devices), "gpus": sum(device.gpus for device in devices)}


def _default_scores(model: "Model") -> "tuple[Score, ...]":
    from heedful.scores import default_scores

    return default_scores(model)


def _say_plan(plan: "Plan") -> None:
    for remark in plan.remarks:
        tell(f"Note: {remark}")
    done = len(plan) - plan.todo
    if done:
        tell(f"{done} of {len(plan)} images are done already.")
