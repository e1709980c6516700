"""Teach: words for the things in one image, with the losses and the images of what is learnt on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heedful.app.jobs import News, Stopped
from heedful.app.models import Models, bare_options
from heedful.app.state import State
from heedful.files import write_atomic
from heedful.options import TeachingOptions, TrainingOptions

if TYPE_CHECKING:
    from PIL import Image

    from heedful.images import Sampling, Sight
    from heedful.models import Model
    from heedful.prompts import Prompt

SHOWN = 4
"""Images of the lesson that are made at each validation, as `heedful teach` does."""
KEPT_OFTEN = 10
"""Steps between checkpoints of an embedded model, which take no time: little is made again after a stop."""


@dataclass(frozen=True)
class Lesson:
    """What is taught, and where it goes."""

    image: Path
    """The image as it was dropped, kept as PNG."""
    out: Path


def lesson_of(state: State, image: "Image.Image", out: Path) -> Lesson:
    """Keep the image below `out`, and return where what is learnt goes: the same lesson goes on in the same folder."""
    from heedful.image_files import png_bytes

    content = png_bytes(image)
    name = sha256(content).hexdigest()[:12]
    file = out / "images" / f"{name}.png"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, content)
    said = [name, state.lesson, state.teacher, state.max_train_steps, state.model, state.device, state.dtype]
    chosen = out / "taught" / sha256(repr(said).encode()).hexdigest()[:12]
    return Lesson(file, Path(state.out).expanduser() if state.out else chosen)


def teach_lesson(
    models: Models,
    state: State,
    lesson: Lesson,
    image: "Image.Image",
    say: Callable[[News], None],
    check: Callable[[], None],
) -> None:
    """Teach what a state says, from a checkpoint if there is one; raises what `heedful.teach` raises.

    A job that is stopped says how much is kept; the same lesson goes on from there.
    """
    from heedful.guidance import denoiser_of
    from heedful.images import choose_sampling
    from heedful.teaching import Callbacks, find_method, steps_kept, teach

    say({"kind": "opening", "model": state.model or ""})
    model = models.open_anew(bare_options(state))  # what learns is no longer the model that others use
    check()
    method = find_method(state.teacher)
    settings = method.settings_for(denoiser_of(model.pipe), TeachingOptions(max_train_steps=state.max_train_steps))
    prompt = _lesson_prompt(model, state.lesson, settings)
    sampling = choose_sampling(model)
    say({"kind": "lesson", "out": str(lesson.out), "steps": settings.max_train_steps, "method": method.name,
         "kept": steps_kept(lesson.out)})  # fmt: skip

    def on_class_image(done: int, total: int) -> None:
        check()
        say({"kind": "class images", "made": done, "of": total, "done": done / max(total, 1)})

    def on_step(step: int, steps: int, losses: dict[str, float]) -> None:
        check()
        say({"kind": "progress", "step": step, "of": steps, "done": step / steps, "losses": losses})

    def on_validation(step: int) -> "Image.Image":
        from heedful.report import seed_sheet

        sights = _look(model, sampling, prompt, check)
        say({"kind": "sheet", "step": step, "images": [_shown(sight) for sight in sights]})
        return seed_sheet(sights, title=f"step {step}", note=model.name)

    training = TrainingOptions(checkpointing_steps=KEPT_OFTEN) if model.is_world else TrainingOptions()
    try:
        taught = teach(
            model.pipe, image, state.lesson, method, out=lesson.out, settings=settings, training=training,
            base_model=model.name,
            callbacks=Callbacks(on_class_image=on_class_image, on_step=on_step, on_validation=on_validation),
        )  # fmt: skip
    except Stopped:
        kept = steps_kept(lesson.out)
        say({"kind": "kept", "says": f"Stopped. {kept} of {settings.max_train_steps} steps are kept; Teach goes on."})
        raise
    words = [{"word": each.placeholder, "noun": each.noun} for each in taught.concepts]
    say({"kind": "done", "folder": str(taught.folder), "prompt": taught.prompt, "words": words})


def examples() -> list[dict[str, str]]:
    """Return images that come with heedful, with what can be learnt from each."""
    from heedful.guidance import data_url
    from heedful.image_files import read_image
    from heedful.world import one_image_concepts

    return [
        {"name": each.name, "prompt": each.prompt, "image": data_url(read_image(each.file))}
        for each in one_image_concepts()[:10]
    ]


def _lesson_prompt(model: "Model", lesson: str, settings: Any) -> "Prompt":
    """Return the lesson as the model will read it; raises `PromptError` before anything is learnt."""
    from heedful.errors import UnsuitablePrompt
    from heedful.prompts import Prompt
    from heedful.teaching import check_captions, new_concepts, taught_tokenizer

    tokenizer = model.pipe.tokenizer
    known = taught_tokenizer(tokenizer, new_concepts(lesson, tokenizer), settings.num_vectors)
    check_captions(lesson, known, settings)
    prompt = Prompt.parse(lesson, known)
    if not prompt.concepts:
        raise UnsuitablePrompt(f"Expected a lesson that names things, got {lesson!r}. Write a <cat1> cat.")
    return prompt


def _look(model: "Model", sampling: "Sampling", prompt: "Prompt", check: Callable[[], None]) -> "Sequence[Sight]":
    """Return images of the lesson by what has been learnt so far, each with its maps."""
    from heedful.guidance import NONE
    from heedful.images import look_at

    sights: list[Sight] = []
    for start in range(0, SHOWN, model.batch_size):
        seeds = range(start, min(start + model.batch_size, SHOWN))
        sights += look_at(model, sampling, [prompt] * len(seeds), NONE, seeds, on_step=lambda _share: check())
    return sights


def _shown(sight: "Sight") -> dict[str, Any]:
    """Return an image with the map of each of its concepts."""
    from heedful.guidance import data_url
    from heedful.report import concept_overlay

    maps = [
        {"name": name, "image": data_url(concept_overlay(sight, number))} for number, name in enumerate(sight.names)
    ]
    return {"seed": sight.seed, "image": data_url(sight.image), "maps": maps}
