"""`heedful study`: what the papers and our own first idea claim, tested on the embedded model, with plots."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from heedful.cli import options
from heedful.cli.console import err, say, say_json, tell, tell_concepts
from heedful.cli.progress import counting
from heedful.cli.reading import expecting, read_json, read_text

app = App(
    name="study",
    group_parameters=options.OPTIONS,
    help="Claims about attention, tested on the embedded model, with plots.",
)


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """Which images a study looks at, and where it writes."""

    prompts: int | None = None
    """How many of the 138 two-concept prompts of the development half. Without it: 30 for evenness, else 60."""
    seeds: str | None = None
    """Seeds of each prompt: 0-3, 0,5,7 or 0-3,8. Without it: 500-505 for evenness, else 500-515."""
    steps: int = 20
    """Denoising steps, 3 or more."""
    out: Path = Path("out/study")
    """Folder of the records, the figures and the plot."""
    model: options.WorldFolder = None
    device: options.Device = "auto"
    threads: options.Threads = None
    as_json: options.Json = False


Study = Annotated[StudyOptions, Parameter(name="*")]


@app.command
def overlap(*, study: Study = StudyOptions()) -> None:
    """Test whether the overlap of two concepts' maps predicts the failure, and from which step on.

    This is A-STAR's first observation. A killed run goes on. `retention` with the same options looks at the same
    images, and makes none again.
    """
    _run("overlap", study, prompts=60, seeds="500-515")


@app.command
def retention(*, study: Study = StudyOptions()) -> None:
    """Test whether what the first steps see of a concept is lost where images fail.

    This is A-STAR's second observation. A killed run goes on. `overlap` with the same options looks at the same images,
    and makes none again.
    """
    _run("retention", study, prompts=60, seeds="500-515")


@app.command
def evenness(*, study: Study = StudyOptions()) -> None:
    """Test whether even attention over an object means a better one, by correlations and by guidance.

    Makes each image five times: plain, by Attend-and-Excite, towards evenness, away from it, and by random steps. A
    killed run goes on.
    """
    from heedful.world import font_is_installed

    if not font_is_installed():
        tell("The emoji font is not installed, so the distance to the nearest render is skipped.")
    _run("evenness", study, prompts=30, seeds="500-505")


@app.command
def page(figures: Path, target: Path, /) -> None:
    """Put the figures of a study into the section "Figures" of a page, and its plot into `images/` next to the page.

    Parameters
    ----------
    figures
        JSON file that a study has written.
    target
        Markdown file of the page.
    """
    from heedful.files import write_atomic
    from heedful.report import plot, with_study

    found, text = read_json(figures, "the figures of a study"), read_text(target, "a Markdown page")
    with expecting("the figures of a study", figures):
        image = Path("images") / f"{found['study']}.png"
        changed = with_study(text, found, image.as_posix())
        plot(found, target.parent / image)
    write_atomic(target, changed)
    say(f"Page: {target}")


def _run(name: str, study: StudyOptions, *, prompts: int, seeds: str) -> None:
    from heedful.files import write_atomic
    from heedful.lab import STUDIES, weights_of
    from heedful.report import plot, summary

    loaded, detector, trial = _prepare(study, prompts=prompts, seeds=seeds)
    weights = weights_of(loaded)
    with counting(err) as on_images:
        records = STUDIES[name].watch(loaded.pipe, detector, trial, study.out, weights=weights, on_images=on_images)
    found = {**STUDIES[name].figures(records, trial), "weights": weights}
    figures = write_atomic(study.out / f"{name}.json", json.dumps(found, indent=1) + "\n")
    image = plot(found, study.out / f"{name}.png")
    if study.as_json:
        say_json(found)
        return
    say(summary(found))
    say(f"Figures: {figures}")
    say(f"Plot: {image}")


def _prepare(study: StudyOptions, *, prompts: int, seeds: str) -> tuple[Any, Any, Any]:
    """Refuse what cannot work, then load the model and its detector, and plan the images."""
    from heedful.images import at_least, parse_seeds
    from heedful.lab import Trial, study_prompts
    from heedful.models import open_model
    from heedful.options import ModelOptions
    from heedful.prompts import Prompt
    from heedful.report import check_plots
    from heedful.world import load_detector

    check_plots()
    trial = Trial(
        prompts=study_prompts(at_least(1, study.prompts, prompts, "prompts")),
        seeds=parse_seeds(study.seeds or seeds),
        steps=at_least(3, study.steps, 20, "steps"),
    )
    options.use_threads(study.threads)
    detector = load_detector(options.chosen_world(None, study.model))
    opened = open_model(ModelOptions(model=study.model, device=study.device, dtype="float32"))
    tell_concepts(Prompt.parse(text, opened.pipe.tokenizer) for text in trial.prompts)
    return opened, detector, trial
