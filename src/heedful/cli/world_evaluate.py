"""`heedful world evaluate`: the figures of an embedded model's card."""

import json
from pathlib import Path
from typing import Any

from heedful.cli import options
from heedful.cli.console import err, say_json, tell, tell_concepts
from heedful.cli.progress import counting
from heedful.errors import SettingsError


def evaluate(
    name: options.WorldName = None,
    /,
    *,
    out: options.Out = Path("out/world"),
    single_seeds: int = 16,
    single_steps: str = "20",
    two_seeds: int = 8,
    three_seeds: int = 4,
    pointing_seeds: int = 2,
    miniature: bool = False,
    model: options.WorldFolder = None,
    threads: options.Threads = None,
) -> None:
    """Measure the figures of the card, as JSON: images, maps, speed, detector, autoencoder, CLIP.

    A killed run goes on.

    Parameters
    ----------
    single_seeds
        Seeds of the 156 single-concept prompts.
    single_steps
        Denoising steps of the single concepts, with commas: a row for each number.
    two_seeds
        Seeds of the 276 two-concept prompts.
    three_seeds
        Seeds of the 60 three-concept prompts.
    pointing_seeds
        Seeds of the 276 two-concept prompts whose maps are read.
    miniature
        Make a few images and renders of each kind, to try the machinery.
    """
    from heedful.files import write_atomic
    from heedful.images import at_least
    from heedful.lab import Trial, play, pointing_figures, retrieval_figures
    from heedful.lab import world_figures as figures
    from heedful.prompts import Prompt
    from heedful.report import pointing_table
    from heedful.world import (
        APART,
        folder_of,
        font_is_installed,
        load,
        load_clip,
        load_detector,
        two_concept_prompts,
    )
    from heedful.world.training import RECIPES

    options.use_threads(threads)
    steps = _numbers(single_steps)
    seeds = {"single": single_seeds, "two": two_seeds, "three": three_seeds}
    for suite, count in {**seeds, "pointing": pointing_seeds}.items():
        at_least(0, count, 0, f"seeds for {suite}")
    if not any(seeds.values()):
        raise SettingsError("Expected seeds for one kind of prompt or more, got 0 for all of them.")
    chosen = options.chosen_world(name, model)
    style = RECIPES[chosen].style if isinstance(chosen, str) else APART
    pipe, detector = load(chosen), load_detector(chosen)
    pipe.set_progress_bar_config(disable=True)
    every, part = (92, 64) if miniature else (1, 1)
    with counting(err) as on_images:
        measured: dict[str, Any] = figures.painting_figures(
            pipe, detector, out, seeds, on_images, single_steps=steps, every=every
        )
        if pointing_seeds > 0:
            trial = Trial(prompts=two_concept_prompts()[::every], seeds=tuple(range(pointing_seeds)))
            tell_concepts(Prompt.parse(text, pipe.tokenizer) for text in trial.prompts)
            objects = play(
                pipe, detector, trial, out / "pointing.jsonl", lambda done, total: on_images("pointing", done, total)
            )
            measured["pointing"] = pointing_figures(objects)
            tell(pointing_table(measured["pointing"]))
    measured["speed"] = figures.speed_figures(pipe, 32 // min(part, 16))
    if not miniature:
        measured["loading"] = figures.loading_figures(folder_of(chosen))
    if font_is_installed():
        measured["detector"] = figures.detector_figures(detector, 2048 // part, style)
        measured["autoencoder"] = figures.autoencoder_figures(pipe, 256 // part, style)
        measured["clip"] = retrieval_figures(*load_clip(chosen), sets=1 if miniature else 10)
    if name is not None:
        measured |= {"world": name, "sampler": type(pipe.scheduler).__name__}
    write_atomic(out / "figures.json", json.dumps(measured, indent=1))
    say_json(measured)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise SettingsError(
            f"Expected numbers of denoising steps with commas, such as 20,30,50, got {text!r}."
        ) from error
