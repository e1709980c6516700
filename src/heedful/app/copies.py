"""Every state as a command and as Python, which make the very same images as the page."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from heedful.app.state import State

IMAGE = "photo.png"
"""What the command calls the image that was dropped on the page, where it lies nowhere else."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What a model takes where a person says nothing; the numbers of `heedful.models.Model`."""

    steps: int = 20
    guidance_scale: float = 3.0
    batch_size: int = 8


def as_command(state: State, image: str = IMAGE) -> str:
    """Return the command that does what the state's view shows; `image` is the file that is taught."""
    if state.view == "compare":
        return _line("heedful bench report", state.folder or "FOLDER", ("score", state.score or None))
    if state.view == "teach":
        model = (("model", state.model), ("device", _unless(state.device, "auto")), ("dtype", state.dtype))
        return _line(
            "heedful teach",
            image,
            ("prompt", state.lesson),
            ("method", state.teacher),
            ("out", state.out or "out/taught"),
            ("max-train-steps", state.max_train_steps),
            *model,
        )
    if state.view == "see":
        chosen = (("seed", state.seed), ("method", state.seen_method))
        return _line("heedful see", state.prompt, *chosen, *_making(state, batch=False))
    how = ("compare" if len(state.methods) > 1 else "method", ",".join(state.methods))
    return _line("heedful generate", state.prompt, how, ("seeds", state.seeds), *_making(state, batch=True))


def as_python(state: State, usual: Usual, text: str, seeds: Sequence[int], image: str = IMAGE) -> str:
    """Return the program that does what the state's view shows.

    `usual` are the numbers of its model, `text` is the prompt without marks, and `seeds` are those of the state.
    """
    if state.view == "compare":
        return _compare(state)
    if state.view == "teach":
        return _teach(state, image)
    return _see(state, usual, text) if state.view == "see" else _steer(state, usual, text, seeds)


def _steer(state: State, usual: Usual, text: str, seeds: Sequence[int]) -> str:
    size = state.batch_size or usual.batch_size
    return "\n".join(
        [
            "import torch",
            "import heedful",
            *_opened(state),
            f"prompt, seeds = {text!r}, {_numbers(seeds)}",
            *([] if state.prompt == text else [f"marked = {state.prompt!r}  # what the image must show"]),
            "images = {}",
            f"for method in {list(state.methods)!r}:",
            f"    for start in range(0, len(seeds), {size}):  # {size} at a time",
            f"        some = seeds[start : start + {size}]",
            '        noises = [torch.Generator("cpu").manual_seed(seed) for seed in some]',
            f"        said = [{'prompt' if state.prompt == text else 'marked'}] * len(some)",
            "        with heedful.guide(pipe, said, method, retry_seeds=some):",
            f"            made = pipe([prompt] * len(some), generator=noises, {_numbers_of(state, usual)}).images",
            "        images |= {(method, seed): image for seed, image in zip(some, made)}",
            "",
        ]
    )


def _see(state: State, usual: Usual, text: str) -> str:
    return "\n".join(
        [
            "import torch",
            "import heedful",
            *_opened(state),
            f"prompt, seed = {text!r}, {state.seed}",
            *([] if state.prompt == text else [f"marked = {state.prompt!r}  # what the image must show"]),
            'noise = [torch.Generator("cpu").manual_seed(seed)]',
            f"said = [{'prompt' if state.prompt == text else 'marked'}]",
            f"with heedful.guide(pipe, said, {state.seen_method!r}, retry_seeds=[seed]) as guided:",
            f"    images = pipe([prompt], generator=noise, {_numbers_of(state, usual)}).images",
            "guided.maps.show(images)  # in a notebook: a slider over the steps",
            "",
        ]
    )


def _teach(state: State, image: str) -> str:
    steps = "" if state.max_train_steps is None else f"max_train_steps={state.max_train_steps}"
    return "\n".join(
        [
            "from pathlib import Path",
            "import heedful",
            "from heedful.image_files import read_image",
            *_opened(state),
            f"image = read_image(Path({image!r}))",
            "taught = heedful.teach(",
            f"    pipe, image, {state.lesson!r}, {state.teacher!r}, out={state.out or 'out/taught'!r},",
            f"    settings=heedful.TeachingOptions({steps}),",
            ")",
            "",
        ]
    )


def _compare(state: State) -> str:
    return "\n".join(
        [
            "from pathlib import Path",
            "from heedful.bench import read_results, summarize_score",
            "from heedful.scores import figure_range",
            "",
            f"results = read_results(Path({state.folder or 'FOLDER'!r}))",
            "for score in results.scores:",
            "    for method in results.methods:",
            "        values = results.values(method, score)",
            "        if values:",
            "            print(score, method, summarize_score(values, figure_range(score)))",
            "",
        ]
    )


def _opened(state: State) -> list[str]:
    """Return the lines that open the pipeline of a state."""
    loads = {
        "model": state.model,
        "device": _unless(state.device, "auto"),
        "dtype": state.dtype,
        "scheduler": state.scheduler,
        "concepts_from": [f"Path({folder!r})" for folder in state.concepts_from],
        "lora": state.lora,
    }
    given = {name: value for name, value in loads.items() if value}
    if not given:
        return ["", "pipe = heedful.world.load()"]
    said = [
        f"{name}=({', '.join(value)},)" if name == "concepts_from" and isinstance(value, list) else f"{name}={value!r}"
        for name, value in given.items()
    ]
    needs = ["from pathlib import Path"] if state.concepts_from else []
    opened = f"pipe = open_model(ModelOptions({', '.join(said)})).pipe"
    return [*needs, "from heedful.models import ModelOptions, open_model", "", opened]


def _numbers_of(state: State, usual: Usual) -> str:
    """Return the numbers of a call of the pipeline."""
    scale = usual.guidance_scale if state.guidance_scale is None else state.guidance_scale
    said = [f"num_inference_steps={state.steps or usual.steps}", f"guidance_scale={scale!r}"]
    sizes = (("width", state.width), ("height", state.height))
    return ", ".join([*said, *(f"{name}={value}" for name, value in sizes if value is not None)])


def _numbers(seeds: Sequence[int]) -> str:
    """Return seeds as Python writes them, a long row of them as a range."""
    if len(seeds) > 8 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"list(range({seeds[0]}, {seeds[-1] + 1}))"
    return repr(list(seeds))


def _making(state: State, *, batch: bool) -> tuple[tuple[str, object], ...]:
    """Return the options of how images are made, by their names."""
    return (
        ("steps", state.steps),
        ("guidance-scale", state.guidance_scale),
        ("scheduler", state.scheduler),
        ("width", state.width),
        ("height", state.height),
        ("batch-size", state.batch_size if batch else None),
        ("model", state.model),
        ("device", _unless(state.device, "auto")),
        ("dtype", state.dtype),
        *(("concepts-from", folder) for folder in state.concepts_from),
        *(("lora", lora) for lora in state.lora),
    )


def _unless(value: str, usual: str) -> str | None:
    return None if value == usual else value


def _line(command: str, argument: str, *options: tuple[str, object]) -> str:
    """Return a command line for a shell; options without a value are left out."""
    given = [f"--{name} {shlex.quote(str(value))}" for name, value in options if value is not None]
    # what begins with a dash would be read as an option
    first = "" if argument.startswith("-") else f" {_quoted(argument)}"
    return " ".join([command + first, *given, *([f"-- {_quoted(argument)}"] if not first else [])])


def _quoted(text: str) -> str:
    """Return `text` for a shell, in double quotes where that is all it takes: people read it more easily."""
    plain = text.replace(" ", "")
    is_plain = bool(plain) and all(letter.isalnum() or letter in "[]<>.,:+/_-" for letter in plain)
    return f'"{text}"' if " " in text and is_plain else shlex.quote(text)
