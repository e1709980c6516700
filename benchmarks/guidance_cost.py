"""What guidance costs: operations, saved activations and seconds, relative to plain sampling, on the same weights.

    python benchmarks/guidance_cost.py                              # operations of both models, seconds of the world
    python benchmarks/guidance_cost.py --batch 8 --rounds 17 --varied  # a prompt per image, 136 of the report half
    python benchmarks/guidance_cost.py --seconds sd15 --steps 2     # Stable Diffusion 1.5, random weights; minutes
    python benchmarks/guidance_cost.py --seconds sd15 --steps 50 --device cuda --dtype bfloat16 --batch 8
    python benchmarks/guidance_cost.py --model all                  # large models at their real sizes, and cards

Operations and activations are counted on fake tensors, which have shapes and no values, for a CPU's fused attention.
Seconds are those of whole runs of the pipelines, half of whose steps are guided by Attend-and-Excite unrefined:
plain, diffusers' own pipeline, ours exact, ours one-pass, in turns; and of `heedful` as it is, and without restarts.
All images of a run have one prompt, and a row is the median of its rounds. How often `heedful` restarts depends on the
prompt, so with --varied each image of each round has another one, and a row is the mean; without diffusers' pipeline.
Writes OUT (JSON) and, with --page, the tables into a page.
"""

import json
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any

import torch
import typer
from cards import tables as card_tables
from guidance_operations import GUIDED, STEPS, count, count_world
from large_models import count_model
from published_models import MODELS
from rich.console import Console
from sd15 import SD15, sd15_pipeline

import heedful
from heedful.files import write_atomic
from heedful.guidance import PUBLISHED_SITES, Method, Settings, pipeline_shares
from heedful.guidance.methods import ATTEND_AND_EXCITE, HEEDFUL
from heedful.world.vocabulary import split_prompts

PROMPT, INDICES = "a cat and a blue clock", [2, 6]
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
LARGE_MARKS = ("<!-- large models -->", "<!-- end of large models -->")


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("out/guidance-cost.json"),
    page: Annotated[Path | None, typer.Option(help="A page with the marks between which the tables go.")] = None,
    seconds: Annotated[str, typer.Option(help="Whose seconds are measured: 'world', 'sd15' or 'none'.")] = "world",
    steps: Annotated[int, typer.Option(help="Steps of the measured runs; half of them are guided.")] = 20,
    batch: Annotated[int, typer.Option(help="Images made together in the measured runs.")] = 1,
    rounds: Annotated[int, typer.Option(help="How often each variant runs, in turns; the median counts.")] = 3,
    varied: Annotated[bool, typer.Option(help="Each image has another prompt; rows are means over rounds.")] = False,
    device: Annotated[str, typer.Option(help="Device of the measured runs.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="Precision of the measured runs.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="Threads of torch.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Large models to count instead, at their real sizes; 'all' for all.")
    ] = None,
) -> None:
    """Count, measure, write."""
    if threads:
        torch.set_num_threads(threads)
    figures: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    if model:
        large = figures.setdefault("large", {})
        for name in MODELS if model == ["all"] else model:
            large[name] = count_model(MODELS[name])
            write_atomic(out, json.dumps(figures, indent=1) + "\n")  # each takes a minute or more
        show(card_tables({name: large[name] for name in MODELS if name in large}), page, LARGE_MARKS)
        return
    figures["operations"] = {"Stable Diffusion 1.5": count(**SD15), "embedded world": count_world()}
    if seconds != "none":
        key = f"{seconds}, {steps} steps, batch {batch}{', varied prompts' * varied}, {device} {dtype}"
        pipe = world_pipeline() if seconds == "world" else sd15_pipeline()
        pipe.to(device, getattr(torch, dtype))
        texts = [*split_prompts()[1]] if varied else [PROMPT] * batch
        figures.setdefault("seconds", {})[key] = measure(pipe, steps, texts, batch, rounds, device) | {
            "machine": machine(device)
        }
    write_atomic(out, json.dumps(figures, indent=1) + "\n")
    show(tables(figures), page, MARKS)


def show(text: str, page: Path | None, marks: tuple[str, str]) -> None:
    """Print tables, and write them between two marks of a page."""
    if page is not None:
        before, rest = page.read_text(encoding="utf-8").split(marks[0])
        write_atomic(page, f"{before}{marks[0]}\n\n{text}\n\n{marks[1]}{rest.split(marks[1])[1]}")
    Console(width=200).print(text, markup=False)


# ---- seconds of whole runs


def world_pipeline() -> Any:
    """The embedded model."""
    return heedful.world.load()


def measure(pipe: Any, steps: int, texts: Sequence[str], batch: int, rounds: int, device: str) -> dict[str, Any]:
    """Run every variant in turns; return CPU and wall seconds, and on a GPU the peak of its memory.

    Medians of the rounds if they all have the same texts, else means; round n has the n-th `batch` of them, around.
    """
    from diffusers import StableDiffusionAttendAndExcitePipeline

    pipe.set_progress_bar_config(disable=True)
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    theirs: Any = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    prompts: list[str] = []
    sites = ATTEND_AND_EXCITE.settings_for(pipe.unet).sites
    exact = Settings(sites=sites, guided=0.5)
    side = pipe.unet.config.sample_size // (4 if sites == PUBLISHED_SITES else 2)
    common = {"num_inference_steps": steps, "output_type": "latent"}

    costs: dict[str, list[float]] = {}

    def ours(name: str, settings: Settings, method: Method = ATTEND_AND_EXCITE) -> None:
        seeds = range(batch)
        with heedful.guide(pipe, prompts, method, settings=settings, retry_seeds=seeds, keep_maps=False) as guided:
            pipe(prompts, generator=[torch.Generator().manual_seed(seed) for seed in seeds], **common)
        shares = pipeline_shares(pipe, settings.sites)
        assert shares is not None
        costs.setdefault(name, []).append(guided.trace.cost(*shares))

    whole = HEEDFUL.settings_for(pipe.unet)

    variants: dict[str, Callable[[], Any]] = {
        "plain": lambda: pipe(prompts, **common),
        "diffusers' pipeline": lambda: theirs(
            prompts, [INDICES] * batch, attn_res=(side, side), max_iter_to_alter=steps // 2, thresholds={}, **common
        ),
        "exact": lambda: ours("exact", exact),
        "one-pass": lambda: ours("one-pass", replace(exact, scheme="one-pass")),
        "heedful": lambda: ours("heedful", whole, HEEDFUL),
        "heedful, no restart": lambda: ours("heedful, no restart", replace(whole, restart=None), HEEDFUL),
    }
    is_varied = len({*texts}) > 1
    if is_varied:
        del variants["diffusers' pipeline"]
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe(texts[0], **(common | {"num_inference_steps": 1}))  # whoever runs first must not pay for the first touch
        for number in range(rounds + (device != "cpu")):  # a GPU's first round warms it up
            prompts[:] = [texts[(number * batch + index) % len(texts)] for index in range(batch)]
            for name, run in variants.items():
                found = _timed(run, device)
                if device == "cpu" or number > 0:
                    taken[name].append(found)
    middle = fmean if is_varied else median
    rows = {name: {key: middle(one[key] for one in each) for key in each[0]} for name, each in taken.items()}
    return {name: row | ({"operations": middle(costs[name])} if name in costs else {}) for name, row in rows.items()}


def _timed(run: Callable[[], Any], device: str) -> dict[str, float]:
    on_gpu = device != "cpu"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    wall, user = time.perf_counter(), time.process_time()
    run()
    if on_gpu:
        torch.cuda.synchronize()
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - user}
    return found | ({"peak_gib": torch.cuda.max_memory_allocated() / 2**30} if on_gpu else {})


def machine(device: str) -> str:
    """Say what the seconds were taken on."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"


# ---- tables


def tables(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines: list[str] = []
    for model, found in figures["operations"].items():
        lines += [
            f"**{model}**: one forward is {found['forward_flops'] / 1e9:.1f} GFLOP.", "",
            "| gradient pass | forward | backward | exact step / plain step | one-pass | saved GiB | peak GiB |",
            "|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, row in found["passes"].items():
            there, back = row["forward"], row["backward"]
            one_pass = "" if name.startswith("diffusers") else f"{1 + back / 2:.3f}"
            lines.append(
                f"| {name} | {there:.3f} | {back:.3f} | {1 + (there + back) / 2:.3f} | {one_pass} "
                f"| {row['saved_gib']:.3f} | {row['peak_gib']:.3f} |"
            )
        lines += ["", f"| run of {STEPS} steps, {GUIDED} guided | / plain run |", "|---|---|"]
        lines += [*(f"| {name} | {ratio:.3f} |" for name, ratio in found["runs"].items()), ""]
    for key, found in figures.get("seconds", {}).items():
        lines += [
            f"**Seconds: {key}** ({found['machine']})",
            "",
            "| run | CPU s | / plain | wall s | / plain | operations / plain |",
            "|---|---|---|---|---|---|",
        ]
        plain = found["plain"]
        for name, row in found.items():
            if name != "machine":
                ratios = f"{row['cpu'] / plain['cpu']:.2f}", f"{row['wall'] / plain['wall']:.2f}"
                cost = f"{row['operations']:.2f}" if "operations" in row else ""
                lines.append(f"| {name} | {row['cpu']:.2f} | {ratios[0]} | {row['wall']:.2f} | {ratios[1]} | {cost} |")
        lines.append("")
    return "\n".join(lines).strip()


if __name__ == "__main__":
    typer.run(main)
