"""`heedful bench run`: a suite x methods x seeds, made, judged and recorded, so that no kill loses anything."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from heedful.cli import options
from heedful.cli.bench_scores import find_scores, say_lines
from heedful.cli.console import FAILED, INTERRUPTED, err, tell, tell_concepts, tell_notes
from heedful.cli.progress import image_progress
from heedful.cli.reading import expecting
from heedful.errors import OutputError, SettingsError

if TYPE_CHECKING:
    from heedful.bench import BenchFolder
    from heedful.images import Engine, Load, Plan
    from heedful.models import Processes

FOLDER = Path("out/bench")


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """Which prompts a benchmark is made of."""

    suite: str
    """A suite of `heedful bench list`, or a file of prompts (.txt or .jsonl)."""
    prompts: Path | None = None
    """File or folder with your copy of the prompts of geneval or t2i-compbench."""
    limit: int | None = None
    """How many prompts of the suite are taken, from the first on. Without it, all."""
    same_noise: bool = False
    """Let all prompts start from the same noises, as Attend-and-Excite's protocol does. Without it, the seeds of each
    prompt are moved by 1000, so that no two prompts share noise."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What makes the images of a benchmark."""

    engine: Literal["serial", "ray"] = "serial"
    """One device of this machine, or every device of a Ray cluster."""
    address: str | None = None
    """Address of the Ray cluster, HOST:PORT. Without it, Ray takes the devices of this machine."""


def run(
    *,
    suite: Annotated[SuiteOptions, Parameter(name="*")],
    methods: str = "none,heedful",
    seeds: options.Seeds = "0-3",
    scores: str | None = None,
    masks: options.Masks = False,
    out: options.Out = FOLDER,
    as_json: options.Json = False,
    sampling: options.Sampling = options.SamplingOptions(),
    model: options.Model = options.ModelOptions(),
    engine: Annotated[EngineOptions, options.group("Where it runs")] = EngineOptions(),
) -> None:
    """Make and score every image that is missing, and record each.

    Images go to OUT/METHOD/PROMPT/SEED.png, records to OUT/records. The same command again goes on where it was
    stopped, by whatever, and makes nothing twice; more methods, seeds or prompts only add what is missing. Exits with 1
    if a case failed; its record says why, and the same command tries it again.

    Example: `heedful bench run --suite world-two-development --limit 10 --methods none,attend-and-excite,heedful`

    Parameters
    ----------
    methods
        How the images are steered, with commas between the methods; `heedful generate --help` names them.
    scores
        How images are scored, with commas between the scores; `heedful bench list` names them. Without it: what needs
        no download and can judge this model's images.
    """
    from heedful.bench import BenchFolder, describe_run, find_suite, read_records
    from heedful.cli.choices import read_methods
    from heedful.images import Gallery, Painter, PainterLoader, Request, at_least, parse_seeds, tally, write_coco
    from heedful.models import find_device, find_processes, open_model
    from heedful.scores import default_scores

    if engine.address is not None and engine.engine != "ray":
        raise SettingsError("Expected --address only with --engine ray, whose cluster it names.")
    at_least(1, sampling.batch_size, 1, "a batch size")
    chosen, numbers = read_methods(methods), parse_seeds(seeds)
    lines = find_suite(suite.suite, suite.prompts).first(suite.limit)
    named = None if scores is None else find_scores(scores)
    folder, processes = BenchFolder(out), find_processes(find_device(model.device))
    with processes.first_alone(folder.locked()):
        with err.status("Loading the model ..."):
            maker, about = _find_engine(engine, processes)
            # where others make the images, the processor will do here, but at their precision
            usual = "float16" if about.get("gpus") and model.model is not None else None
            loaded = open_model(
                replace(
                    model,
                    device="cpu" if engine.engine == "ray" else model.device,
                    dtype=model.dtype or usual,
                    offload="none" if engine.engine == "ray" else model.offload,
                )
            )
        request = Request(
            suite=lines.name,
            prompts=lines.lines,
            methods=chosen,
            seeds=numbers,
            sampling=sampling,
            scores=default_scores(loaded) if named is None else named,
            masks=masks,
            same_noise=suite.same_noise,
            seeds_first=True,
        )
        plan = folder.plan(loaded, request)
        run = describe_run(plan)
        processes.wait()  # nobody writes before all have read what is there
        if processes.is_first:
            _tell_plan(plan)
            folder.write_prompts(plan.request.prompts)  # also where they were removed and nothing is left to do
            if plan.todo:
                folder.write_run({**run, "engine": about}, plan.request.prompts)
        loader = None
        if engine.engine == "ray":
            loader = PainterLoader(
                options=replace(loaded.options, device=model.device, dtype=loaded.dtype, offload=model.offload),
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
            with expecting("records of heedful bench run", folder.folder):
                found = tally(read_records(folder.folder))
            say_lines(found, folder, as_json)
            failed += sum(line.failed for line in found if line.method in plan.settings)
    if failed:
        raise SystemExit(FAILED)


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
            tell(
                f"Interrupted: {latest.images} of {plan.todo} images were made and recorded. "
                "The same command makes the rest."
            )
            raise SystemExit(INTERRUPTED) from None
    return latest.failed


def _find_engine(wanted: EngineOptions, processes: "Processes") -> "tuple[Engine, dict[str, Any]]":
    """Return the engine, and what the run says of it."""
    from heedful.bench import RayEngine
    from heedful.images import run_serially

    if wanted.engine == "serial":
        return run_serially, {"name": "serial", "processes": processes.count}
    engine = RayEngine(wanted.address)
    devices = engine.devices()
    return engine, {"name": "ray", "devices": len(devices), "gpus": sum(device.gpus for device in devices)}


def _tell_plan(plan: "Plan") -> None:
    tell_concepts(plan.prompts)
    tell_notes(plan.remarks)
    done = len(plan) - plan.todo
    if done:
        tell(f"{done} of {len(plan)} images are done already.")
