"""`heedful.teach`: the one training loop, for every method.

Knows the order of things: new words, prior pictures, steps with checkpoints, and a folder that is whole or absent. What
learns, from which loss and how fast is the method's (`methods`, `objective`, `trained`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from PIL import Image

from heedful.attention import find_denoiser, find_sites
from heedful.errors import SettingsError
from heedful.files import make_folder, write_atomic
from heedful.options import ClassImageOptions, Precision, TeachingOptions, TrainingOptions
from heedful.teaching import folder as files
from heedful.teaching.alone import each_alone
from heedful.teaching.captions import check_captions, taught_tokenizer
from heedful.teaching.card import card
from heedful.teaching.embeddings import add_concepts, initial_vectors
from heedful.teaching.encoding import check_pipeline
from heedful.teaching.examples import Pictures, digest, joined
from heedful.teaching.folder import Manifest
from heedful.teaching.instance_prompt import NewConcept, class_prompt, new_concepts
from heedful.teaching.load import TaughtConcepts, load_concepts
from heedful.teaching.methods import DISENDIFF, TeachingMethod, find_method
from heedful.teaching.prior import CLASS_IMAGES, captions_in, class_pictures
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.trained import ADAPTER
from heedful.teaching.training import CHECKPOINT, Callbacks, Lesson, Training, check_same
from heedful.world import NAME, WEIGHTS, is_world

LOSSES = "losses.json"


def teach(
    pipe: Any,
    images: Image.Image | Sequence[Image.Image],
    prompt: str,
    method: TeachingMethod | str = DISENDIFF,
    *,
    out: Path | str,
    settings: TeachingOptions = TeachingOptions(),  # noqa: B008 - frozen
    masks: Sequence[Image.Image] | None = None,
    class_images: ClassImageOptions = ClassImageOptions(),  # noqa: B008 - frozen
    training: TrainingOptions = TrainingOptions(),  # noqa: B008 - frozen
    callbacks: Callbacks = Callbacks(),  # noqa: B008 - frozen
    base_model: str | None = None,
) -> TaughtConcepts:
    """Teach `pipe` the concepts that `prompt` puts placeholders before, from one image of them or several.

    - `images`: what the concepts look like; all of them show the prompt.
    - `prompt`: a placeholder before each noun that is to be learnt: "a <cat1> cat and a <dog1> dog".
    - `method`: what learns, from which losses: a `TeachingMethod`, or the name of one.
    - `out`: the folder of the embeddings, the weights, a model card, and last a manifest.
    - `settings`: numbers of the training that differ from the method's own: `TeachingOptions(max_train_steps=100)`.
    - `masks`: one per image and of its size, white where the denoising loss counts.
    - `class_images`: where the images for prior preservation come from.
    - `training`: seed, resolution, precision, and how often the training is saved and validated.
    - `callbacks`: functions that are called on the way.
    - `base_model`: what the model card calls the model that learns; the name that `pipe` was loaded by, if None.

    A folder with the manifest of the same training is read instead, and one of another training refused. Killed at any
    moment, the same call continues from the last checkpoint to the same result, bit for bit on a CPU. Several
    processes (`accelerate launch`) share the passes of a step: N of them learn what one learns with N times
    `gradient_accumulation_steps`, and the first writes. Afterwards `pipe` knows the concepts, as after
    `heedful.load_concepts`.

    Raises `PromptError`, `SettingsError`, `UnsupportedPipeline`, `ConceptsError` for words that the pipeline knows
    already, `OutputError`, and `MissingExtra` for a LoRA without peft.
    """
    method = find_method(method)
    check_pipeline(pipe)
    denoiser: Any = find_denoiser(pipe)
    chosen = method.settings_for(denoiser, settings)
    concepts = new_concepts(prompt, pipe.tokenizer)
    pictures = (images,) if isinstance(images, Image.Image) else tuple(images)
    learnt = Pictures(pictures, (prompt,) * len(pictures), None if masks is None else tuple(masks))
    asked = class_images.class_prompt or tuple(_class_prompts(method, prompt, concepts))
    side = training.resolution or _side(pipe)
    state = PartialState(cpu=pipe.device.type == "cpu")
    place = make_folder(out)
    told = _told(
        method, chosen, learnt, asked, prompt=prompt, resolution=side, seed=training.seed,
        precision=training.mixed_precision, base_weights=files.fingerprint(pipe),
    )  # fmt: skip
    if (place / files.MANIFEST).exists():
        check_same(files.read_manifest(place).training, told, place)
        return load_concepts(pipe, place)
    manifest = Manifest(
        prompt=prompt,
        concepts=concepts,
        method=method.name,
        weights=_format(method),
        base=files.architecture(pipe),
        training=told,
    )
    check_captions(prompt, taught_tokenizer(pipe.tokenizer, concepts, chosen.num_vectors), chosen)
    if method.shows_each_alone:
        parts = (
            each_alone(pipe, each, prompt, concepts, (side, side), chosen.sites, training.seed) for each in pictures
        )
        learnt = joined(learnt, *parts)
    prior = None
    if chosen.with_prior_preservation:
        shelf = _shelf(place, class_images.class_data_dir, asked)
        size = {"height": side, "width": side}
        with state.main_process_first():  # it paints, the others read
            prior = class_pictures(
                pipe, asked, chosen.num_class_images, shelf, seed=training.seed, batch=class_images.sample_batch_size,
                on_picture=callbacks.on_class_image,
                **_class_arguments(denoiser, class_images), **size,
            )  # fmt: skip
    add_concepts(pipe, initial_vectors(pipe, concepts, chosen.initializer_token, chosen.num_vectors))
    lesson = Lesson(learnt=learnt, prior=prior, resolution=(side, side), seed=training.seed)
    loop = Training(pipe, method, chosen, concepts, lesson, training.mixed_precision or _precision(denoiser))
    with loop.prepared(training.gradient_checkpointing):
        loop.run(place, told, training, callbacks)
    loop.finish()
    if state.is_main_process:
        _write(pipe, loop, manifest, place, base_model or _name_of(pipe))
    state.wait_for_everyone()
    return TaughtConcepts(
        prompt=prompt,
        concepts=concepts,
        method=method.name,
        folder=place,
        adapter=ADAPTER if method.rank is not None else None,
    )


def _write(pipe: Any, loop: Training, manifest: Manifest, folder: Path, base: str) -> None:
    """Write what was learnt, the manifest last, and take away the checkpoint, which is needed no more."""
    denoiser: Any = find_denoiser(pipe)
    files.write_embeddings(folder, loop.embeddings.vectors())
    if manifest.weights == "lora":
        files.write_lora(folder, pipe, ADAPTER)
    elif manifest.weights == "unet":
        files.write_denoiser(folder, denoiser)
    elif manifest.weights == "custom-diffusion":
        sites = [site.name for site in find_sites(denoiser)]
        files.write_custom_diffusion(folder, denoiser, sites, query=loop.method.weights == "query-key-value")
    write_atomic(folder / LOSSES, json.dumps(loop.losses) + "\n")
    write_atomic(folder / files.CARD, card(manifest, base))
    files.write_manifest(folder, manifest)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _class_prompts(method: TeachingMethod, prompt: str, concepts: Sequence[NewConcept]) -> list[str]:
    """Return what prior pictures show: the prompt's classes, and each alone if the concepts are shown so too."""
    nouns = [concept.noun for concept in concepts] if method.shows_each_alone and len(concepts) > 1 else []
    return [class_prompt(prompt), *(f"a {noun}" for noun in nouns)]


def _class_arguments(denoiser: Any, options: ClassImageOptions) -> dict[str, Any]:
    """Return the arguments of the pipeline's call that generates class images, but for their size."""
    steps, scale = (20, 3.0) if is_world(denoiser) else (50, 7.5)
    given = options.class_guidance_scale
    return {
        "num_inference_steps": options.class_steps or steps,
        "guidance_scale": scale if given is None else given,
    }


def _shelf(folder: Path, given: Path | str | None, prompts: Sequence[str]) -> Path:
    """Return the folder of the prior pictures; raise `SettingsError` if `folder`'s own show something else."""
    if given is not None:
        return Path(given)
    shelf = folder / CLASS_IMAGES
    other = sorted(set(captions_in(shelf).values()).difference(prompts))
    if other:
        raise SettingsError(
            f"Expected prior pictures of {', '.join(map(repr, prompts))} in {shelf}, got some of {other[0]!r}, from "
            "another training. Choose another folder, pass --overwrite, or name these pictures with --class-data-dir."
        )
    return shelf


def _format(method: TeachingMethod) -> str:
    """Return how the weights of a method lie in a folder: see `Manifest.weights`."""
    if method.rank is not None:
        return "lora"
    return {"none": "none", "all": "unet"}.get(method.weights, "custom-diffusion")


def _told(
    method: TeachingMethod, settings: TeachingSettings, learnt: Pictures, class_prompts: Sequence[str], **others: Any
) -> dict[str, Any]:
    """Return everything that decides the result, as JSON: what a folder is recognised by, and made again from."""
    masks = learnt.masks or ()
    return {
        **{name: str(value) if name == "sites" else value for name, value in asdict(settings).items()},
        "trains_embeddings": method.trains_embeddings,
        "weights": method.weights,
        "rank": method.rank,
        "shows_each_alone": method.shows_each_alone,
        "loss": repr(method.loss),
        "images": [digest(image) for image in learnt.images],
        "masks": [digest(mask) for mask in masks],
        "class_prompts": list(class_prompts),
        **others,
        "versions": {name: version(name) for name in ("heedful", "torch", "diffusers", "transformers", "accelerate")},
    }


def _precision(denoiser: Any) -> Precision:
    """Return the mixed precision that suits weights as they were loaded."""
    names: dict[torch.dtype, Precision] = {torch.float16: "fp16", torch.bfloat16: "bf16"}
    return names.get(denoiser.dtype, "no")


def _side(pipe: Any) -> int:
    """Return the side of the model's own pictures in pixels."""
    denoiser: Any = find_denoiser(pipe)
    return denoiser.config["sample_size"] * pipe.vae_scale_factor


def _name_of(pipe: Any) -> str:
    """Return the name that a pipeline was loaded by."""
    name = str(getattr(pipe, "name_or_path", None) or "the base model")
    return NAME if name == str(WEIGHTS) else name
