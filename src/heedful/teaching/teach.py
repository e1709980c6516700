"""`heedful.teach`: new words, class images, steps with checkpoints, and a folder that is whole or absent."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from PIL import Image

from heedful.attention import ImagePipeline, Reader, TeachablePipeline, find_denoiser
from heedful.errors import SettingsError, require
from heedful.folders import OutputFolder
from heedful.options import ClassImageOptions, Precision, TeachingOptions, TrainingOptions
from heedful.teaching import folder as files
from heedful.teaching.card import About, card, license_of
from heedful.teaching.concepts import check_lesson, new_concepts
from heedful.teaching.crops import kept_boxes, told_boxes
from heedful.teaching.dataset import join
from heedful.teaching.families import as_teachable, family_of
from heedful.teaching.folder import Manifest
from heedful.teaching.framing import frame
from heedful.teaching.load import TaughtConcepts, load_concepts, taught_concepts
from heedful.teaching.lora_files import lora_files
from heedful.teaching.material import class_prompts_of, make_material, shelf_of
from heedful.teaching.methods import TeachingMethod, find_method
from heedful.teaching.photos import Photo, as_photos, check_regions
from heedful.teaching.reading import taught_reader
from heedful.teaching.recipe import check_same, recipe
from heedful.teaching.text_embeddings import add_concepts, check_vectors, encoder_names, initial_vectors
from heedful.teaching.training import Callbacks, Data, Training, sheet_name
from heedful.teaching.weight_files import custom_diffusion_file, embedding_files, write_denoiser
from heedful.teaching.weights import ADAPTER
from heedful.world import NAME, WEIGHTS


def teach(
    pipe: ImagePipeline,
    images: Image.Image | Photo | Sequence[Image.Image | Photo],
    prompt: str,
    method: TeachingMethod | str = "disendiff",
    *,
    out: Path | str,
    settings: TeachingOptions = TeachingOptions(),  # noqa: B008 - frozen
    masks: Sequence[Image.Image] | None = None,
    class_images: ClassImageOptions = ClassImageOptions(),  # noqa: B008 - frozen
    training: TrainingOptions = TrainingOptions(),  # noqa: B008 - frozen
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
    base_model: str | None = None,
    command: str | None = None,
) -> TaughtConcepts:
    """Teach `pipe` the concepts that `prompt` puts placeholders before, from one image of them or several.

    - `images`: what the concepts look like, of any size; a `Photo` may have captions, and masks of its concepts. What
      has no caption shows the prompt.
    - `prompt`: a placeholder before each noun that is to be learnt: "a <cat1> cat and a <dog1> dog".
    - `method`: what learns, from which losses: a `TeachingMethod`, or the name of one.
    - `out`: the folder of the embeddings, the weights, a model card, and last a manifest.
    - `settings`: numbers of the training that differ from the method's own: `TeachingOptions(max_train_steps=100)`.
    - `masks`: one per image and of its size, white where the denoising loss counts.
    - `class_images`: where the images for prior preservation come from.
    - `training`: seed, resolution, precision, and how often the training is saved and validated.
    - `callbacks`: functions that are called on the way.
    - `base_model`: what the model card calls the model that learns; the name that `pipe` was loaded by, if None.
    - `command`: what the model card says that was typed; nothing if None.

    A folder with the manifest of the same training is read instead, and one of another training refused. Killed at any
    moment, the same call continues from the last checkpoint to the same result, bit for bit on a CPU; a checkpoint of
    other versions of the libraries is refused. Several processes (`accelerate launch`) share the passes of a step: N of
    them learn what one learns with N times `gradient_accumulation_steps`, and the first writes. Afterwards `pipe` knows
    the concepts, as after `heedful.load_concepts`.

    Raises `PromptError`, `SettingsError`, `UnsupportedPipeline`, `ConceptsDoNotFit` for words that the pipeline knows
    already, `OutputError` for a folder that another process writes or that holds files of these names which heedful has
    not made, and `MissingExtra` for a LoRA without peft.
    """
    # everything that can be refused, before anything is done
    pipe = as_teachable(pipe)
    method = find_method(method)
    if method.rank is not None:
        require("peft", "train")
    denoiser: Any = find_denoiser(pipe)
    chosen = method.settings_for(denoiser, settings)
    method.check(denoiser, chosen)
    if method.loss is not None:
        Reader(denoiser, chosen.sites)
    concepts = new_concepts(prompt, pipe.tokenizer)
    photos = as_photos(images, masks)
    captions = [prompt, *(caption for photo in photos for caption in photo.captions)]
    check_lesson(captions, taught_reader(pipe, concepts, chosen.num_vectors), concepts, chosen)
    check_regions(photos, concepts)
    side = _side(pipe, training.resolution)
    size = (side, side)
    frame(photos, prompt, told_boxes(photos, chosen)).check_masks(size)
    vectors = initial_vectors(pipe, concepts, chosen.initializer_token, chosen.num_vectors)
    class_prompts = class_prompts_of(pipe, class_images.class_prompt, method, chosen, prompt, concepts)

    state = PartialState(cpu=pipe.device.type == "cpu")
    output = OutputFolder(Path(out))
    run = replace(training, resolution=side)
    manifest = Manifest(
        prompt=prompt,
        concepts=concepts,
        method=method.name,
        weights=_format(method),
        base=files.architecture(pipe),
        training=recipe(pipe, method, chosen, photos, prompt, class_prompts, run),
        license=training.license or license_of(pipe),
    )
    with output.locked() if state.is_main_process else nullcontext():
        if state.is_main_process and training.overwrite:
            files.clear(output)
        state.wait_for_everyone()
        if (output.folder / files.MANIFEST).exists():
            check_same(files.read_manifest(output.folder).training, manifest.training, output.folder, is_done=True)
            return load_concepts(pipe, output.folder)
        check_vectors(pipe, vectors)
        if state.is_main_process:
            output.claim(*manifest.files(), *_sheets(chosen.max_train_steps, run, callbacks))
        boxes = kept_boxes(pipe, photos, prompt, concepts, chosen, size, run.seed)
        squares = frame(photos, prompt, boxes)
        shelf = class_images.class_data_dir or shelf_of(output.folder, class_prompts)
        shown, prior = make_material(
            pipe, method, chosen, photos, boxes, squares, prompt, concepts, class_prompts, shelf, class_images,
            size=size, seed=run.seed, read=taught_reader(pipe, concepts, chosen.num_vectors),
            turn=state.main_process_first, on_class_image=callbacks.on_class_image,
        )  # fmt: skip
        callbacks.on_photos(join(squares, shown) if chosen.composites else squares)
        add_concepts(pipe, vectors)
        data = Data(images=shown, class_images=prior, size=size, seed=run.seed)
        loop = Training(pipe, method, chosen, concepts, data, run.mixed_precision or _precision(denoiser))
        with loop.prepared(run.gradient_checkpointing):
            loop.run(output, manifest.training, run, callbacks)
        loop.finish()
        if state.is_main_process:
            last = sheet_name(chosen.max_train_steps)
            sheet = last if (output.folder / last).exists() else None
            about = About(base=base_model or _name_of(pipe), command=command, sheet=sheet)
            _write(pipe, loop, manifest, output, about)
        state.wait_for_everyone()
    return taught_concepts(manifest, output.folder)


def _write(pipe: ImagePipeline, loop: Training, manifest: Manifest, output: OutputFolder, about: About) -> None:
    """Write what was learnt, the manifest last, and remove the checkpoint, which is needed no more."""
    denoiser: Any = find_denoiser(pipe)
    content: dict[str, bytes | str] = dict(embedding_files(loop.embeddings.vectors(), encoder_names(pipe)))
    if manifest.weights == "lora":
        content |= lora_files(pipe, ADAPTER, manifest, about.base)
    elif manifest.weights == "unet":
        write_denoiser(output, denoiser)
    elif manifest.weights == "custom-diffusion":
        content |= custom_diffusion_file(denoiser, query=loop.method.weights == "query-key-value")
    content[files.LOSSES] = json.dumps(loop.losses) + "\n"
    content[files.CARD] = card(manifest, about)
    content[files.MANIFEST] = manifest.json()
    output.write(content)
    (output.folder / files.CHECKPOINT).unlink(missing_ok=True)


def _sheets(steps: int, run: TrainingOptions, callbacks: Callbacks) -> list[str]:
    """Return the names of the validation sheets that a training writes."""
    if callbacks.on_validation is None:
        return []
    return [sheet_name(step) for step in {*range(run.validation_steps, steps + 1, run.validation_steps), steps}]


def _format(method: TeachingMethod) -> files.Format:
    """Return how the weights of a method are stored."""
    if method.rank is not None:
        return "lora"
    return "none" if method.weights == "none" else "unet" if method.weights == "all" else "custom-diffusion"


def _precision(denoiser: Any) -> Precision:
    """Return the mixed precision that suits weights as they were loaded."""
    names: dict[torch.dtype, Precision] = {torch.float16: "fp16", torch.bfloat16: "bf16"}
    return names.get(denoiser.dtype, "no")


def _side(pipe: TeachablePipeline, asked: int | None) -> int:
    """Return the side of the square that is learnt, in pixels; raises `SettingsError`."""
    inner: Any = pipe
    denoiser: Any = find_denoiser(pipe)
    side = asked or (denoiser.config.get("sample_size") or inner.default_sample_size) * pipe.vae_scale_factor
    cell = max(8, pipe.vae_scale_factor * family_of(denoiser).patch)  # diffusers' pipelines take multiples of 8 alone
    if side % cell:
        raise SettingsError(
            f"Expected a resolution that is a multiple of {cell} pixels, got {side}. "
            f"The nearest is {max(cell, round(side / cell) * cell)}."
        )
    return side


def _name_of(pipe: ImagePipeline) -> str:
    """Return the name that a pipeline was loaded by."""
    name = str(getattr(pipe, "name_or_path", None) or "the base model")
    return NAME if name == str(WEIGHTS) else name
