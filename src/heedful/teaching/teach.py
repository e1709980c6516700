"""`heedful.teach`: the one training loop, for every method.

Knows the order of things: new words, prior pictures, steps with checkpoints, and a folder that is whole or absent. What
learns, from which loss and how fast is the method's (`methods`, `objective`, `trained`).
"""

import json
from collections.abc import Mapping, Sequence
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
from heedful.teaching.methods import DISENDIFF, TeachingMethod, TeachingSettings
from heedful.teaching.prior import CLASS_IMAGES, captions_in, class_pictures
from heedful.teaching.trained import ADAPTER
from heedful.teaching.training import CHECKPOINT, Lesson, Precision, Training, Watch, check_same

LOSSES = "losses.json"


def teach(
    pipe: Any,
    images: Image.Image | Sequence[Image.Image],
    prompt: str,
    method: TeachingMethod = DISENDIFF,
    *,
    out: Path | str,
    settings: TeachingSettings | None = None,
    masks: Sequence[Image.Image] | None = None,
    class_data_dir: Path | str | None = None,
    class_prompts: Sequence[str] | None = None,
    resolution: int | None = None,
    seed: int = 0,
    mixed_precision: Precision | None = None,
    gradient_checkpointing: bool = False,
    checkpointing_steps: int = 50,
    base_model: str = "the base model",
    class_arguments: Mapping[str, Any] | None = None,
    watch: Watch = Watch(),  # noqa: B008 - frozen
) -> TaughtConcepts:
    """Teach `pipe` the concepts that `prompt` puts placeholders before, from one picture of them or several.

    `prompt` is what all pictures show: "a <cat1> cat and a <dog1> dog". `masks` (white where a picture counts) are as
    large as their pictures. Prior pictures come from `class_data_dir`; what it lacks, the model paints there (in
    OUT/class_images without it) for `class_prompts`, the prompt without placeholders unless given, with
    `class_arguments` of the pipeline's call. `resolution` is the side of the square that is learnt, in pixels; None is
    the model's own. `mixed_precision` None is that of the pipeline's weights; what learns is always float32.

    Writes embeddings, weights, a card and last a manifest to `out`; a folder with a manifest of the same training is
    read instead, and one of another training refused. Killed at any moment, the same call goes on from the last
    checkpoint to the same result, bit for bit on a CPU. Several processes (`accelerate launch`) share the passes of a
    step: N of them learn what one learns with N times `gradient_accumulation_steps`, and the first writes. Afterwards
    `pipe` knows the concepts, as after `heedful.load_concepts`.

    Raises `PromptError`, `SettingsError`, `UnsupportedPipeline`, `ConceptsDoNotFit` for words that the pipeline knows
    already, `OutputError`, and `MissingExtra` for a LoRA without peft.
    """
    check_pipeline(pipe)
    denoiser: Any = find_denoiser(pipe)
    chosen = settings or method.settings_for(denoiser)
    concepts = new_concepts(prompt, pipe.tokenizer)
    pictures = (images,) if isinstance(images, Image.Image) else tuple(images)
    learnt = Pictures(pictures, (prompt,) * len(pictures), None if masks is None else tuple(masks))
    asked = tuple(class_prompts or _class_prompts(method, prompt, concepts))
    side = resolution or _side(pipe)
    state = PartialState(cpu=pipe.device.type == "cpu")
    place = make_folder(out)
    told = _told(
        method, chosen, learnt, asked, prompt=prompt, resolution=side, seed=seed, precision=mixed_precision,
        base_weights=files.fingerprint(pipe),
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
        parts = (each_alone(pipe, each, prompt, concepts, (side, side), chosen.sites, seed) for each in pictures)
        learnt = joined(learnt, *parts)
    prior = None
    if chosen.with_prior_preservation:
        shelf = _shelf(place, class_data_dir, asked)
        size = {"height": side, "width": side}
        with state.main_process_first():  # it paints, the others read
            prior = class_pictures(
                pipe, asked, chosen.num_class_images, shelf, seed=seed, on_picture=watch.on_class_picture,
                **{**size, **(class_arguments or {})},
            )  # fmt: skip
    add_concepts(pipe, initial_vectors(pipe, concepts, chosen.initializer_token, chosen.num_vectors))
    lesson = Lesson(learnt=learnt, prior=prior, resolution=(side, side), seed=seed)
    training = Training(pipe, method, chosen, concepts, lesson, mixed_precision or _precision(denoiser))
    with training.prepared(gradient_checkpointing):
        training.run(place, told, checkpointing_steps, watch)
    training.finish()
    if state.is_main_process:
        _write(pipe, training, manifest, place, base_model)
    state.wait_for_everyone()
    return TaughtConcepts(
        prompt=prompt,
        concepts=concepts,
        method=method.name,
        folder=place,
        adapter=ADAPTER if method.rank is not None else None,
    )


def _write(pipe: Any, training: Training, manifest: Manifest, folder: Path, base: str) -> None:
    """Write what was learnt, the manifest last, and take away the checkpoint, which is needed no more."""
    denoiser: Any = find_denoiser(pipe)
    files.write_embeddings(folder, training.embeddings.vectors())
    if manifest.weights == "lora":
        files.write_lora(folder, pipe, ADAPTER)
    elif manifest.weights == "unet":
        files.write_denoiser(folder, denoiser)
    elif manifest.weights == "custom-diffusion":
        sites = [site.name for site in find_sites(denoiser)]
        files.write_custom_diffusion(folder, denoiser, sites, query=training.method.weights == "query-key-value")
    write_atomic(folder / LOSSES, json.dumps(training.losses) + "\n")
    write_atomic(folder / files.CARD, card(manifest, base))
    files.write_manifest(folder, manifest)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def _class_prompts(method: TeachingMethod, prompt: str, concepts: Sequence[NewConcept]) -> list[str]:
    """Return what prior pictures show: the prompt's classes, and each alone if the concepts are shown so too."""
    nouns = [concept.noun for concept in concepts] if method.shows_each_alone and len(concepts) > 1 else []
    return [class_prompt(prompt), *(f"a {noun}" for noun in nouns)]


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
