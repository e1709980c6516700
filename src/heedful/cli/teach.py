"""`heedful teach`: pictures in, a folder of concepts out.

Knows the order of things: check everything, let it learn behind a bar, say what came of it.
"""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from heedful.cli import teach_options as options
from heedful.cli.console import err, tell
from heedful.cli.options import DeviceOption, DtypeOption, JsonOption, ModelOption
from heedful.errors import require
from heedful.fields import check_fields


def teach(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Pictures of the concepts, or one folder of them.")
    ],
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            metavar='"a <cat1> cat and a <dog1> dog"',
            help="What the pictures show, with a new word in angle brackets before each noun that is to be learnt.",
        ),
    ],
    out_folder: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the concepts go.")],
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", help=f"What learns, and from which loss: {options.TEACHING_NAMES}."),
    ] = "disendiff",
    seed: Annotated[int, typer.Option("--seed", help="All that is random follows from it.", min=0)] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew, instead of going on from what is in the folder.")
    ] = False,
    as_json: JsonOption = False,
    learning_rate: options.LearningRate = None,
    max_train_steps: options.MaxTrainSteps = None,
    train_batch_size: options.TrainBatchSize = None,
    gradient_accumulation_steps: options.AccumulationSteps = None,
    lr_scheduler: options.RateScheduler = None,
    lr_warmup_steps: options.WarmupSteps = None,
    resolution: options.Resolution = None,
    mixed_precision: options.MixedPrecision = None,
    gradient_checkpointing: options.Checkpointing = False,
    initializer_token: options.Initializer = None,
    num_vectors: options.Vectors = None,
    loss_weight: options.LossWeight = None,
    loss_option: options.LossOptions = None,
    rank: options.Rank = None,
    mask: options.Masks = None,
    with_prior_preservation: options.PriorPreservation = None,
    prior_loss_weight: options.PriorWeight = None,
    class_data_dir: options.ClassFolder = None,
    class_prompt: options.ClassPrompts = None,
    num_class_images: options.ClassImages = None,
    validation_prompt: options.ValidationPrompts = None,
    num_validation_images: options.ValidationImages = 4,
    validation_steps: options.ValidationSteps = 50,
    checkpointing_steps: options.CheckpointingSteps = 50,
    report_to: options.ReportTo = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
) -> None:
    """Teach the model several concepts from one picture.

    OUT gets embeddings and weights in formats that diffusers reads, a card, and on the way sheets of images and concept
    maps (OUT/validation/STEP.png). Its path is the last line printed. The same command again goes on where it was
    stopped, to the same result. What is left out is the method's own setting for the model.

    Example: `heedful teach photo.png --prompt "a <cat1> cat and a <dog1> dog" --out out/taught`
    """
    from heedful.cli.choices import read_values, split_list
    from heedful.cli.learning import find_teaching_method, learn, read_images, say_taught
    from heedful.cli.validation import Validation, parse_validation
    from heedful.guidance import denoiser_of
    from heedful.images import Gallery, at_least, choose_sampling
    from heedful.models import ModelOptions, find_device, find_processes, open_model
    from heedful.options import ClassImageOptions, TeachingOptions, TrainingOptions
    from heedful.teaching import MANIFEST, clear, read_picture

    chosen = find_teaching_method(method, rank)
    if loss_option:
        chosen = chosen.with_loss(**read_values(loss_option))
    at_least(0, num_validation_images, 0, "validation images")
    named = {"mixed_precision": mixed_precision, "report_to": report_to}
    check_fields(TrainingOptions, named, "options of a training")
    training = TrainingOptions(
        seed=seed,
        resolution=resolution,
        mixed_precision=cast("Any", mixed_precision),
        gradient_checkpointing=gradient_checkpointing,
        checkpointing_steps=checkpointing_steps,
        validation_steps=validation_steps,
        report_to=cast("Any", report_to),
    )
    initializers = split_list(initializer_token, "tokens")
    numbers = TeachingOptions(
        learning_rate=learning_rate,
        max_train_steps=max_train_steps,
        train_batch_size=train_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        lr_scheduler=cast("Any", lr_scheduler),
        lr_warmup_steps=lr_warmup_steps,
        initializer_token=None if initializers is None else tuple(initializers),
        num_vectors=num_vectors,
        loss_weight=loss_weight,
        with_prior_preservation=with_prior_preservation,
        prior_loss_weight=prior_loss_weight,
        num_class_images=num_class_images,
    )
    if report_to is not None:
        require("tensorboard", "train")
    if chosen.rank is not None:
        require("peft", "train")
    pictures = read_images(images)
    masks = [read_picture(file) for file in mask] if mask else None
    Gallery(out_folder).check()
    processes = find_processes(find_device(device))
    with err.status("Loading the model ..."):
        loaded = open_model(ModelOptions(model=model, device=device, dtype=dtype))
    settings = chosen.settings_for(denoiser_of(loaded.pipe), numbers)
    sampling = choose_sampling(loaded, width=resolution, height=resolution)
    texts = validation_prompt or [prompt]
    # before anything is painted or learnt: a prompt that cannot be read must not be found out at the first sheet
    parsed = parse_validation(loaded.pipe, prompt, texts, settings)
    validation = None
    if num_validation_images:
        validation = Validation(
            model=loaded,
            prompts=parsed,
            images=num_validation_images,
            sampling=sampling,
            folder=out_folder / "validation",
        )
    if processes.is_first:
        if overwrite:
            clear(out_folder)
        elif (out_folder / MANIFEST).exists():
            tell(f"{out_folder} holds taught concepts already.")
    processes.wait()
    taught = learn(
        loaded,
        pictures,
        prompt,
        chosen,
        out=out_folder,
        settings=settings,
        validation=validation,
        masks=masks,
        class_images=ClassImageOptions(class_data_dir=class_data_dir, class_prompt=tuple(class_prompt or ())),
        training=training,
        is_shown=processes.is_first,
    )
    if processes.is_first:
        say_taught(loaded, taught, as_json)
