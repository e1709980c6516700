"""Learning behind a progress bar: what `heedful teach` shows while it runs, after Ctrl-C, and at the end."""

import json
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path

from PIL import Image
from rich.progress import Progress

from heedful.cli.console import INTERRUPTED, err, say, say_json, say_table, tell, typed
from heedful.cli.progress import image_progress, step_progress
from heedful.cli.validation import Validation
from heedful.models import Model, push_folder
from heedful.options import ClassImageOptions, TrainingOptions
from heedful.teaching import (
    CARD,
    CHECKPOINT,
    CLASS_IMAGES,
    LOSSES,
    VALIDATION,
    Callbacks,
    Photo,
    TaughtConcepts,
    TeachingMethod,
    TeachingSettings,
    command_of,
    read_manifest,
    steps_kept,
    teach,
)

_SHOWN = 10
"""Photos of which is said what is known of them."""
_AVERAGED = 10
"""Steps at either end over which the parts of the loss are averaged for the table."""


def tell_photos(photos: Sequence[Photo]) -> None:
    """Print what is known of photos that have captions, masks or boxes, so that a wrong one is seen before the work."""
    told = [photo for photo in photos if photo.captions or photo.regions]
    for photo in told[:_SHOWN]:
        where = f"; masks of {', '.join(photo.regions)}" if photo.regions else ""
        tell(f"{photo.name}: {' | '.join(photo.captions) or 'the prompt'}{where}")
    if len(told) > _SHOWN:
        tell(f"... and {len(told) - _SHOWN} more images.")


def learn(
    model: Model,
    images: Sequence[Photo],
    prompt: str,
    method: TeachingMethod,
    *,
    out: Path,
    settings: TeachingSettings,
    validation: Validation | None,
    masks: Sequence[Image.Image] | None,
    class_images: ClassImageOptions,
    training: TrainingOptions,
    is_shown: bool = True,
) -> TaughtConcepts:
    """Teach behind two bars, class images and steps, if `is_shown`; after Ctrl-C say what is there, and exit."""
    shelf = class_images.class_data_dir or out / CLASS_IMAGES
    generating, learning = image_progress(err, disable=not is_shown), step_progress(err, disable=not is_shown)
    images_task = generating.add_task("Class images", total=settings.num_class_images)
    steps = learning.add_task("Steps", total=settings.max_train_steps, losses="")
    seen = {"images": 0, "step": 0}

    def on_class_image(done: int, total: int) -> None:
        seen["images"] = done
        if not generating.live.is_started and done < total:
            generating.start()
        generating.update(images_task, completed=done)
        if done == total:
            _stop(generating)

    def on_step(step: int, _steps: int, losses: Mapping[str, float]) -> None:
        if not seen["step"]:
            _stop(generating)
            learning.start()
            learning.update(steps, completed=step - 1)
            learning.reset(steps, completed=step - 1)
        seen["step"] = step
        learning.update(
            steps, completed=step, losses="  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        )

    try:
        return teach(
            model.pipe,
            images,
            prompt,
            method,
            out=out,
            settings=settings,
            masks=masks,
            class_images=class_images,
            training=training,
            base_model=model.name,
            callbacks=Callbacks(
                on_photos=(lambda photos: None) if validation is None else validation.watch,
                on_class_image=on_class_image,
                on_step=on_step,
                on_validation=validation,
            ),
            command=typed.get(),
        )
    except KeyboardInterrupt:
        _stop(generating, learning)
        kept = steps_kept(out)
        if seen["step"] or kept:
            what = f"{seen['step'] or kept} of {settings.max_train_steps} steps are done"
            where = f"{kept} of them are kept in {out / CHECKPOINT}" if kept else "none of them is kept yet"
        else:
            what = f"{seen['images']} of {settings.num_class_images} class images are done"
            where = f"whole, in {shelf}"
        if is_shown:
            tell(f"Interrupted: {what}, {where}. The same command (without --overwrite) goes on from there.")
        raise SystemExit(INTERRUPTED) from None
    finally:
        _stop(generating, learning)


def push_taught(taught: TaughtConcepts, name: str) -> str:
    """Upload words, weights, card and the last validation sheet to the hub's `name`, and return its address."""
    sheets = [path.relative_to(taught.folder).as_posix() for path in _sheets(taught.folder)[-1:]]
    # a name is a pattern for the hub's library, and [ may stand in one
    files = [escape(file) for file in (*read_manifest(taught.folder).files(), *sheets)]
    return push_folder(taught.folder, name, files)


def say_taught(model: Model, taught: TaughtConcepts, as_json: bool) -> None:
    """Print what was learnt, how to use it, and where it is, which is the last line."""
    losses: list[dict[str, float]] = json.loads((taught.folder / LOSSES).read_text(encoding="utf-8"))
    first, last = _means(losses[:_AVERAGED]), _means(losses[-_AVERAGED:])
    if as_json:
        say_json(
            {
                "folder": str(taught.folder),
                "model": model.name,
                "method": taught.method,
                "prompt": taught.prompt,
                "concepts": [{"placeholder": one.placeholder, "noun": one.noun} for one in taught.concepts],
                "steps": len(losses),
                "losses": {"first": first, "last": last},
                "card": str(taught.folder / CARD),
                "validation": [str(path) for path in _sheets(taught.folder)],
            }
        )
        return
    span = min(_AVERAGED, len(losses))
    head = ("mean loss", f"first {span} steps", f"last {span} steps")
    say_table(head, [(name, f"{first[name]:.4f}", f"{last[name]:.4f}") for name in last])
    say(f"Use them: {command_of(taught.prompt, taught.method, str(taught.folder), model.name)}")
    say(str(taught.folder))


def _stop(*bars: Progress) -> None:
    """Stop those that run: rich ends a line for each, also for one that never began."""
    for bar in bars:
        if bar.live.is_started:
            bar.stop()


def _means(losses: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each part."""
    names = losses[0] if losses else {}
    return {name: sum(each[name] for each in losses) / len(losses) for name in names}


def _sheets(folder: Path) -> list[Path]:
    return sorted((folder / VALIDATION).glob("*.png"), key=lambda path: (len(path.stem), path.stem))
