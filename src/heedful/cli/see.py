"""`heedful see`: what the denoiser looks at for each concept, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.progress import Progress

from heedful.cli import options
from heedful.cli.console import err, say, say_json, say_table, tell_concepts, tell_notes
from heedful.cli.viewer import open_file
from heedful.errors import SettingsError

if TYPE_CHECKING:
    from heedful.guidance import Method
    from heedful.images import Plan, PromptLine, Sight
    from heedful.models import Model
    from heedful.prompts import Prompt

_FURTHER = "words "
"""How the files of words begin that the prompt lacks."""


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """What is looked at beside the concepts of a new image, and what is written of it."""

    image: Path | None = None
    """An image that is there. Noise is added to it and read, step by step; nothing is generated."""
    words: str | None = None
    """Words that are not in the prompt, with commas: "a sofa,a tree". The image is read once more, with these words
    behind the prompt."""
    animation: Literal["webp", "gif", "none"] = "webp"
    """How the maps over the steps are animated."""
    weights: options.PromptWeights = False


def see(
    prompt: str,
    /,
    *,
    seed: int = 0,
    method: options.MethodName = "none",
    concepts: options.Concepts = None,
    out: options.Out = Path("out/see"),
    as_json: options.Json = False,
    open_it: options.Open = False,
    looking: Annotated[LookOptions, options.group("What is looked at")] = LookOptions(),
    sampling: options.OneImage = options.OneImageOptions(),
    model: options.Model = options.ModelOptions(),
) -> None:
    """Make one image, or take one that is there, and show where the model looks for each concept.

    Writes to OUT/METHOD/PROMPT/SEED/: image.png, an overlay per concept, sheet.png (concepts by steps), steps.webp (the
    maps in motion), all maps in maps.safetensors, and figures in maps.json: peak, overlap of each pair of concepts,
    retention from step to step. The path of the sheet is the last line printed. Files of an earlier run are replaced.

    Example: `heedful see "a cat and a blue clock" --seed 3`

    Parameters
    ----------
    prompt
        What the image should show, or shows.
    seed
        Seed of the image, or of the noise that is added to one that is there.
    method
        How the image is steered; none only looks. The names are those of `heedful generate --help`.
    """
    from heedful.cli.choices import read_method, split_list
    from heedful.guidance import parse_prompt
    from heedful.image_files import read_image
    from heedful.images import (
        Gallery,
        Request,
        check_look,
        image_name,
        keeping_all,
        make_plan,
        parse_seeds,
        prompt_lines,
        with_words,
    )
    from heedful.models import open_model

    chosen, seeds = read_method(method), parse_seeds(str(seed))
    _check_image(looking, chosen)
    named = None if concepts is None else split_list(concepts, "concepts")
    words = [] if looking.words is None else split_list(looking.words, "words")
    image = None if looking.image is None else read_image(looking.image)
    gallery = Gallery(out)
    gallery.check()
    with err.status("Loading the model ..."):
        loaded = open_model(model)
    request = Request(
        prompts=prompt_lines([prompt], named),
        methods=[chosen],
        seeds=seeds,
        sampling=sampling,
        inpainting=None if image is None else keeping_all(image),
        weights=looking.weights,
    )
    plan = make_plan(loaded, request)
    tell_concepts(plan.prompts)
    tell_notes(plan.remarks)
    check_look(plan)
    line = with_words(plan.prompts[0], words) if words else None
    further_prompt = [] if line is None else [parse_prompt(loaded.pipe, line.prompt, line.concepts)]
    label = chosen.name if looking.image is None else looking.image.name
    with gallery.locked():
        where = image_name(label, plan.prompts[0].text).format(seeds[0]).removesuffix(".png")
        names = _names([plan.prompts[0], *further_prompt], looking.animation)
        gallery.claim(*(f"{where}/{name}" for name in names))  # before the work
        sight, further = _look(loaded, plan, line)
        files = _files(sight, further, looking.animation)
        gallery.write({f"{where}/{name}": content for name, content in files.items()})
    folder = out / where
    if as_json:
        further_figures = {} if further is None else {"words": further.figures()}
        say_json({"out": str(folder), "files": [*files]} | sight.figures() | further_figures)
    else:
        _say_figures(sight)
        say(str(folder / "sheet.png"))
    if open_it:
        open_file(folder / "sheet.png")


def _check_image(looking: LookOptions, method: "Method") -> None:
    """Refuse to steer an image that is there."""
    if looking.image is not None and method.name != "none":
        raise SettingsError(
            f"Expected the method none for an image that is there, got {method.name}: nothing is generated that could "
            "be steered."
        )


def _look(model: "Model", plan: "Plan", line: "PromptLine | None") -> "tuple[Sight, Sight | None]":
    """Return the image with its maps, and the same image read for the words of `line` that its prompt lacks."""
    from heedful.cli.choices import read_method
    from heedful.images import keeping_all, look, make_plan

    rounds = 1 if line is None else 2
    with Progress(console=err) as progress:
        task = progress.add_task("Steps", total=rounds * plan.sampling.steps)
        sight = look(plan, on_step=lambda: progress.advance(task))
        if line is None:
            return sight, None
        image = plan.sampling.inpainting or keeping_all(sight.image)
        again = replace(plan.request, prompts=[line], methods=[read_method("none")], inpainting=image, weights=False)
        return sight, look(make_plan(model, again), on_step=lambda: progress.advance(task))


def _names(prompts: "Sequence[Prompt]", animation: str) -> list[str]:
    """Return how the files of `_files` will be called, before there is an image."""
    from heedful.images import MAP_FILES, seen_names

    names = ["image.png", "sheet.png"]
    for prefix, prompt in zip(("", _FURTHER), prompts, strict=False):
        names += [_overlay(name) for name in seen_names(prompt)] + [f"{prefix}{file}" for file in MAP_FILES]
    return names if animation == "none" else [*names, f"steps.{animation}"]


def _overlay(concept: str) -> str:
    from heedful.images import folder_name

    return f"overlay {folder_name(concept)}.png"


def _files(sight: "Sight", further: "Sight | None", animation: str) -> dict[str, bytes]:
    """Return every file by its name."""
    from heedful.image_files import png_bytes
    from heedful.report import large_overlay, map_animation, step_sheet

    images = {"image.png": sight.image, "sheet.png": step_sheet(sight, further)}
    maps = {}
    files: dict[str, bytes] = {}
    for prefix, one in (("", sight), (_FURTHER, further)):
        if one is None:
            continue
        for position, name in enumerate(one.names):
            images[_overlay(name)] = large_overlay(one, position)
        maps |= dict(zip(one.names, one.maps, strict=True))
        files |= {f"{prefix}{name}": content for name, content in one.files().items()}
    files = {name: png_bytes(image) for name, image in images.items()} | files
    if animation != "none":
        files[f"steps.{animation}"] = map_animation(sight.image, maps, kind=animation.upper())
    return files


def _say_figures(sight: "Sight") -> None:
    """Print the figures of the last step, and the means over all steps."""
    steps = sight.figures()["steps"]
    rows = []
    for kind in ("overlap", "retention"):
        for name in steps[-1][kind]:
            values = [step[kind][name] for step in steps if name in step[kind]]
            rows.append((f"{kind} {name}", f"{sum(values) / len(values):.2f}", f"{values[-1]:.2f}"))
    if rows:
        say_table(("", "mean over the steps", "last step"), rows)
    peaks = [(name, f"{x:.2f}", f"{y:.2f}") for name, (x, y) in steps[-1]["peak"].items()]
    say_table(("peak at the last step", "x", "y"), peaks)
