"""What guidance costs: operations, saved activations and seconds, relative to plain sampling, on the same weights.

    python benchmarks/guidance_cost.py                              # operations of both models, seconds of the world
    python benchmarks/guidance_cost.py --seconds sd15 --steps 2     # Stable Diffusion 1.5, random weights; minutes
    python benchmarks/guidance_cost.py --seconds sd15 --steps 50 --device cuda --dtype bfloat16 --batch 8

Operations and activations are counted on fake tensors, which have shapes and no values, for a CPU's fused attention.
Seconds are those of whole runs of the pipelines, half of whose steps are guided by Attend-and-Excite unrefined;
plain, diffusers' own pipeline, ours exact, ours one-pass, in turns. Writes OUT (JSON) and, with --page, the tables into
a page.
"""

import json
import platform
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from rich.console import Console
from sd15 import SD15, sd15_pipeline
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import heedful
from heedful.attention import Reader, Record, SiteSelection, find_sites
from heedful.attention.gradients import frozen, recomputing
from heedful.evaluation.cost import operations
from heedful.files import write_atomic
from heedful.guidance import ATTEND_AND_EXCITE, Settings
from heedful.guidance.presets import PUBLISHED_SITES, WORLD_SITES

PROMPT, INDICES = "a cat and a blue clock", [2, 6]
STEPS, GUIDED = 50, 25
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
DOWN = SiteSelection(scale=4, blocks=("down",))


def main(
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("out/guidance-cost.json"),
    page: Annotated[Path | None, typer.Option(help="A page with the marks between which the tables go.")] = None,
    seconds: Annotated[str, typer.Option(help="Whose seconds are measured: 'world', 'sd15' or 'none'.")] = "world",
    steps: Annotated[int, typer.Option(help="Steps of the measured runs; half of them are guided.")] = 20,
    batch: Annotated[int, typer.Option(help="Images made together in the measured runs.")] = 1,
    rounds: Annotated[int, typer.Option(help="How often each variant runs, in turns; the median counts.")] = 3,
    device: Annotated[str, typer.Option(help="Of the measured runs.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="Of the measured runs.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="Threads of torch.")] = None,
) -> None:
    """Count, measure, write."""
    if threads:
        torch.set_num_threads(threads)
    figures: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    figures["operations"] = {"Stable Diffusion 1.5": count(**SD15), "embedded world": count_world()}
    if seconds != "none":
        key = f"{seconds}, {steps} steps, batch {batch}, {device} {dtype}"
        pipe = world_pipeline() if seconds == "world" else sd15_pipeline()
        pipe.to(device, getattr(torch, dtype))
        figures.setdefault("seconds", {})[key] = measure(pipe, steps, batch, rounds, device) | {
            "machine": machine(device)
        }
    write_atomic(out, json.dumps(figures, indent=1) + "\n")
    text = tables(figures)
    if page is not None:
        before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
        write_atomic(page, f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}")
    Console(width=160).print(text, markup=False)


# ---- operations and activations, on fake tensors


def count(**config: Any) -> dict[str, Any]:
    """Count one guided step, and a run of 50 steps with 25 guided, of Stable Diffusion 1.5's architecture."""
    with FakeTensorMode():
        unet = UNet2DConditionModel(**config)
        return _count(unet, {"all 16x16 sites": PUBLISHED_SITES, "those of the down blocks": DOWN}, 77)


def count_world() -> dict[str, Any]:
    """Count the same of the embedded model at its own sites."""
    config = heedful.world.load().unet.config
    with FakeTensorMode():
        return _count(UNet2DConditionModel.from_config(config), {"8x8 sites, up": WORLD_SITES}, 16)


def _count(unet: Any, sites: dict[str, SiteSelection], tokens: int) -> dict[str, Any]:
    config = unet.config
    arguments = {
        "sample": torch.zeros(1, config.in_channels, config.sample_size, config.sample_size),
        "timestep": torch.tensor(1),
        "encoder_hidden_states": torch.zeros(1, tokens, config.cross_attention_dim),
    }
    with torch.no_grad():
        whole = operations(lambda: unet(**arguments))[0]
    first = next(iter(sites.values()))
    rows = {}
    processors = unet.attn_processors
    unet.set_attn_processor(AttnProcessor())  # what diffusers' pipeline has: every attention in the open
    rows["diffusers' pipeline"] = _pass(unet, whole, arguments, _in_the_open(unet, first))
    unet.set_attn_processor(dict(processors))
    for name, chosen in sites.items():
        with frozen(unet), recomputing(unet, wanted=False):
            rows[name] = _pass(unet, whole, arguments, _tapped(unet, chosen))
    with frozen(unet), recomputing(unet):
        rows[f"{next(iter(sites))}, checkpoint"] = _pass(unet, whole, arguments, _tapped(unet, first))
    return {"forward_flops": whole, "passes": rows, "runs": _runs(rows)}


OpenPass = Callable[[dict[str, Any]], AbstractContextManager[Callable[[], Tensor]]]
"""The denoiser's arguments -> a pass, open until its way back is done: a function whose result depends on the maps."""


def _tapped(unet: Any, sites: SiteSelection) -> OpenPass:
    """Our gradient pass: fused attention, ends at the last site."""

    @contextmanager
    def open_pass(arguments: dict[str, Any]) -> Iterator[Callable[[], Tensor]]:
        record = Record()

        def forward() -> Tensor:
            once(unet.forward)
            return record.maps().tokens.square().sum()

        with Reader(unet, sites).reading(arguments, record, stop_after_last=True) as once:
            yield forward

    return open_pass


def _in_the_open(unet: Any, sites: SiteSelection) -> OpenPass:
    """That of diffusers' pipeline: the whole forward, and the probabilities that its processors have at hand."""
    size = (unet.config.sample_size,) * 2
    chosen = [unet.get_submodule(site.name) for site in sites.choose(find_sites(unet), size)]

    @contextmanager
    def open_pass(arguments: dict[str, Any]) -> Iterator[Callable[[], Tensor]]:
        seen: list[Tensor] = []

        def forward() -> Tensor:
            unet(**arguments)
            return torch.stack([probabilities.square().sum() for probabilities in seen]).sum()

        for module in chosen:
            scores = type(module).get_attention_scores.__get__(module)
            module.get_attention_scores = lambda *given, scores=scores: seen.append(scores(*given)) or seen[-1]
        yield forward
        for module in chosen:
            del module.get_attention_scores

    return open_pass


def _pass(unet: Any, whole: int, arguments: dict[str, Any], open_pass: OpenPass) -> dict[str, float]:
    """Count a gradient pass, what it keeps for the way back besides the parameters, and the most that lives at once."""
    latents = torch.zeros_like(arguments["sample"]).requires_grad_()
    own = {parameter.untyped_storage()._cdata for parameter in unet.parameters()}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage.nbytes()
        return tensor

    with Living() as living, open_pass(arguments | {"sample": latents}) as forward:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            there, value = operations(forward)
        back, _ = operations(lambda: torch.autograd.grad(value, latents))
    return {
        "forward": there / whole,
        "backward": back / whole,
        "saved_gib": sum(saved.values()) / 2**30,
        "peak_gib": living.peak / 2**30,
    }


class Living(TorchDispatchMode):
    """Counts the bytes of the tensors that are made while it is open, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {one.untyped_storage()._cdata for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)}
        for storage in (one.untyped_storage() for one in tree_leaves(made) if isinstance(one, Tensor)):
            if storage._cdata not in self._known | given:  # views of parameters are no tensors of their own
                self._known.add(storage._cdata)
                self._now += storage.nbytes()
                weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return made

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _runs(rows: dict[str, dict[str, float]]) -> dict[str, float]:
    """Ratios of a run of 50 steps with 25 guided to a plain one, from the counts of one pass."""
    plain = 2 * STEPS
    ratios = {}
    for name, row in rows.items():
        if name.startswith("diffusers"):  # it looks at every step, and goes back in the guided ones
            ratios[name] = 1 + (STEPS * row["forward"] + GUIDED * row["backward"]) / plain
        else:
            ratios[f"exact, {name}"] = 1 + GUIDED * (row["forward"] + row["backward"]) / plain
            ratios[f"one-pass, {name}"] = (
                1 + GUIDED * row["backward"] / plain
            )  # with checkpoint, what runs again is in it
    return ratios


# ---- seconds of whole runs


def world_pipeline() -> Any:
    """The embedded model."""
    return heedful.world.load()


def measure(pipe: Any, steps: int, batch: int, rounds: int, device: str) -> dict[str, Any]:
    """Run every variant in turns; return medians of user CPU and wall seconds, and on a GPU the peak of its memory."""
    from diffusers import StableDiffusionAttendAndExcitePipeline

    pipe.set_progress_bar_config(disable=True)
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    theirs: Any = StableDiffusionAttendAndExcitePipeline(**parts, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    prompts = [PROMPT] * batch
    sites = ATTEND_AND_EXCITE.settings_for(pipe.unet).sites
    exact = Settings(sites=sites, guided=steps // 2)
    side = pipe.unet.config.sample_size // (4 if sites == PUBLISHED_SITES else 2)
    common = {"num_inference_steps": steps, "output_type": "latent"}

    def ours(settings: Settings) -> None:
        with heedful.guide(pipe, prompts, ATTEND_AND_EXCITE, settings=settings, keep_maps=False):
            pipe(prompts, **common)

    variants: dict[str, Callable[[], Any]] = {
        "plain": lambda: pipe(prompts, **common),
        "diffusers' pipeline": lambda: theirs(
            prompts, [INDICES] * batch, attn_res=(side, side), max_iter_to_alter=steps // 2, thresholds={}, **common
        ),
        "exact": lambda: ours(exact),
        "one-pass": lambda: ours(replace(exact, scheme="one-pass")),
    }
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe(prompts, **(common | {"num_inference_steps": 1}))  # whoever runs first must not pay for the first touch
        for number in range(rounds + (device != "cpu")):  # a GPU's first round warms it up
            for name, run in variants.items():
                found = _timed(run, device)
                if device == "cpu" or number > 0:
                    taken[name].append(found)
    return {name: {key: median(one[key] for one in each) for key in each[0]} for name, each in taken.items()}


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
            "| run | CPU s | / plain | wall s | / plain |",
            "|---|---|---|---|---|",
        ]
        plain = found["plain"]
        for name, row in found.items():
            if name != "machine":
                ratios = f"{row['cpu'] / plain['cpu']:.2f}", f"{row['wall'] / plain['wall']:.2f}"
                lines.append(f"| {name} | {row['cpu']:.2f} | {ratios[0]} | {row['wall']:.2f} | {ratios[1]} |")
        lines.append("")
    return "\n".join(lines).strip()


if __name__ == "__main__":
    typer.run(main)
