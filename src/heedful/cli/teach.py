"""`heedful teach`: images in, a folder of concepts out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from heedful.catalogue import TEACHING_METHODS
from heedful.cli import options
from heedful.cli.console import err, tell, tell_concepts
from heedful.errors import require
from heedful.options import ClassImageOptions, LoadOptions, SamplingOptions, TeachingOptions, TrainingOptions


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is taught, and by which method."""

    prompt: str
    """What the images show, with a new word in angle brackets before each noun that is to be learnt:
    `a <cat1> cat and a <dog1> dog`. Images may have captions of their own."""
    mask: tuple[Path, ...] = ()
    """Image that is white where the training image counts; once for each training image, in order."""
    captions: Annotated[
        bool,
        Parameter(
            negative="--no-captions",
            help="Read captions that stand beside the images: photo.txt beside photo.png, or text in the "
            "metadata.jsonl of a folder. An image without one shows the prompt.",
        ),
    ] = True
    method: Annotated[
        options.TeachingName,
        Parameter(help=f"What learns, and from which losses: {', '.join(TEACHING_METHODS)}."),
    ] = "disendiff"
    rank: int | None = None
    """Rank of a LoRA that learns instead of the denoiser's own weights."""
    loss_option: tuple[str, ...] = ()
    """Field of the losses on maps, NAME=VALUE: suppressions=2, sigma=None, ratio=true, normalisation=none,
    reduction=sum. It may be repeated."""
    push_to_hub: str | None = None
    """Repository on the hub, owner/name, that the words, weights, card and last validation sheet are uploaded to at the
    end. It is made, for your eyes only, unless it is there."""


@dataclass(frozen=True, kw_only=True)
class Numbers(TeachingOptions):
    """The numbers of a training, as a command line writes them."""

    with_prior_preservation: Annotated[
        bool | None,
        Parameter(
            negative="--no-prior-preservation",
            help="Show images of the classes alone too, so that the classes keep their meaning (DreamBooth).",
        ),
    ] = None
    initializer_token: tuple[str, ...] | None = None
    """Initial meaning of each new word, one token each, with commas between them or repeated. Without it: rare tokens
    if the tokenizer has them, else the class nouns."""


@dataclass(frozen=True, kw_only=True)
class ValidationOptions:
    """Which images show what is learnt on the way."""

    validation_prompt: tuple[str, ...] = ()
    """Prompt of the validation images; it may be repeated. Without it: the prompt that is taught."""
    num_validation_images: int = 4
    """Number of validation images per prompt; 0 turns validation off."""


def teach(
    images: tuple[Path, ...],
    /,
    *,
    out: options.Out,
    lesson: Annotated[Lesson, Parameter(name="*")],
    as_json: options.Json = False,
    numbers: Annotated[Numbers, options.group("How it learns", negative_bool="no-")] = Numbers(),
    training: Annotated[TrainingOptions, options.group("How the training runs")] = TrainingOptions(),
    class_images: Annotated[ClassImageOptions, options.group("Prior preservation")] = ClassImageOptions(),
    validation: Annotated[ValidationOptions, options.group("Validation")] = ValidationOptions(),
    model: options.Loading = LoadOptions(),
) -> None:
    """Teach the model several concepts from one image or several.

    OUT gets embeddings and weights in formats that diffusers reads, a card, and on the way sheets of images and concept
    maps (OUT/validation/STEP.png). Its path is the last line printed. The same command again goes on where it was
    stopped, to the same result. An option that is not given has the method's own value for the model.

    Example: `heedful teach photo.png --prompt "a <cat1> cat and a <dog1> dog" --out out/taught`

    Parameters
    ----------
    images
        Images of the concepts, of any size, or one folder of them.
    """
    from heedful.cli.choices import read_teaching_method, split_list
    from heedful.cli.learning import learn, push_taught, say_taught, tell_photos
    from heedful.cli.validation import Validation, parse_validation
    from heedful.folders import OutputFolder
    from heedful.guidance import denoiser_of
    from heedful.image_files import read_mask
    from heedful.images import at_least, choose_sampling
    from heedful.models import ModelOptions, check_hub_name, find_device, find_processes, open_model
    from heedful.teaching import MANIFEST, new_concepts, read_photos

    method = read_teaching_method(lesson.method, lesson.rank, lesson.loss_option)
    if lesson.push_to_hub is not None:
        check_hub_name(lesson.push_to_hub)
    at_least(0, validation.num_validation_images, 0, "validation images")
    if training.report_to is not None:
        require("tensorboard", "train")
    if method.rank is not None:
        require("peft", "train")
    if numbers.initializer_token is not None:
        numbers = replace(
            numbers, initializer_token=tuple(split_list(",".join(numbers.initializer_token), "initializer tokens"))
        )
    shown = read_photos(images, captions=lesson.captions)
    masks = [read_mask(file) for file in lesson.mask] or None
    OutputFolder(out).check()
    processes = find_processes(find_device(model.device))
    with err.status("Loading the model ..."):
        loaded = open_model(ModelOptions(**vars(model)))
    settings = method.settings_for(denoiser_of(loaded.pipe), numbers)
    sampling = choose_sampling(loaded, SamplingOptions(width=training.resolution, height=training.resolution))
    # before anything is made or learnt: a prompt that cannot be read must not be found out at the first sheet
    parsed = parse_validation(loaded.pipe, lesson.prompt, validation.validation_prompt or [lesson.prompt], settings)
    watch = Validation(
        model=loaded,
        prompts=parsed,
        images=validation.num_validation_images,
        sampling=sampling,
        concepts=new_concepts(lesson.prompt, loaded.pipe.tokenizer),
        sites=settings.sites,
    )
    if processes.is_first:
        tell_concepts(parsed)
        tell_photos(shown)
        if (out / MANIFEST).exists() and not training.overwrite:
            tell(f"{out} holds taught concepts already.")
    processes.wait()
    taught = learn(
        loaded,
        shown,
        lesson.prompt,
        method,
        out=out,
        settings=settings,
        validation=watch if watch.images else None,
        masks=masks,
        class_images=class_images,
        training=training,
        is_shown=processes.is_first,
    )
    if processes.is_first:
        if lesson.push_to_hub is not None:
            tell(f"Uploaded to {push_taught(taught, lesson.push_to_hub)}")
        say_taught(loaded, taught, as_json)
