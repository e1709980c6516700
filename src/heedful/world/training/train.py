"""Make the embedded model from nothing, phase by phase, and put it together as a folder that diffusers loads."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save

from heedful.errors import OutputError, SettingsError
from heedful.files import make_folder, write_atomic
from heedful.folders import OutputFolder
from heedful.identity import identity
from heedful.world.clip import FOLDER as CLIP_FOLDER
from heedful.world.clip import build_processor
from heedful.world.embedded import load, load_clip, load_detector
from heedful.world.latents import PatchProjection
from heedful.world.tokenizer import build_tokenizer
from heedful.world.training.autoencoder import AutoencoderPhase
from heedful.world.training.batches import random_scenes, rendered, step_rng
from heedful.world.training.clip import ClipPhase
from heedful.world.training.denoiser import DenoiserPhase
from heedful.world.training.detector import DetectorPhase
from heedful.world.training.joint_denoiser import JointDenoiserPhase
from heedful.world.training.loop import Phase, run_phase
from heedful.world.training.recipe import Recipe
from heedful.world.training.recipes import SPRITES
from heedful.world.training.text_encoder import TextEncoderPhase

# called with the phase, the step, the number of steps, and the loss
OnStep = Callable[[str, int, int, float], None]

WORK = "training"
"""The folder of checkpoints, losses and sheets below that of the model."""
PROJECTION = "projection.safetensors"
PARTS = (
    "model_index.json", "unet", "transformer", "vae", "scheduler", "text_encoder", "text_encoder_2", "tokenizer",
    "tokenizer_2", "detector.safetensors", CLIP_FOLDER,
)  # fmt: skip
"""What the model is put together of; a person's own folders of these names are not replaced."""
_LENGTHS = (
    "stages", "text_encoder_steps", "autoencoder_steps", "detector_steps", "clip_steps", "learning_rate", "warmup",
    "decay", "ema", "bfloat16",
)  # fmt: skip


def train(
    output: Path | str,
    recipe: Recipe = SPRITES,
    *,
    start: Path | str | None = None,
    device: str = "auto",
    checkpoint_every: int = 200,
    report_every: int = 500,
    on_step: OnStep = lambda phase, step, steps, loss: None,
) -> Path:
    """Train every phase of the recipe that is not finished yet, and write the model to `output`; return its folder.

    Checkpoints, loss curves and sample sheets go to `output/training`. Killed at any moment, the same call goes on and
    ends with the same weights: bit for bit on a CPU with the same number of threads. `start` names the folder of a
    world model whose denoiser, text encoder, autoencoder and detector are trained further instead of random weights.
    Raises `OutputError`, `SettingsError` if the folder holds the training of another recipe, and `ModelNotFound` if the
    sprites' font is missing or `start` holds no model.
    """
    folder = OutputFolder(Path(output))
    with folder.locked():
        work = make_folder(folder.folder / WORK)
        if not (work / PROJECTION).exists():  # nothing was trained here before
            folder.claim(*PARTS)
        _check_recipe(work / "recipe.json", recipe)
        for left in work.rglob("*.part"):  # by a kill
            left.unlink(missing_ok=True)
        _train(folder.folder, recipe, start, device, checkpoint_every, report_every, on_step)
    return folder.folder


def _check_recipe(path: Path, recipe: Recipe) -> None:
    """Write what is trained in a folder, and by which versions; raises `SettingsError` if that is something else.

    Lengths may change.
    """
    versions = {name: version(name) for name in ("heedful", "torch", "diffusers")}
    now = {name: value for name, value in identity(recipe).items() if name not in _LENGTHS} | {"versions": versions}
    try:
        there: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else now
    except (ValueError, TypeError):
        there = {}
    there.setdefault("versions", versions)  # folders of before did not say
    if there != now:
        names = ", ".join(sorted(name for name in there.keys() | now.keys() if there.get(name) != now.get(name)))
        raise SettingsError(
            f"Expected the recipe that {path} holds, got one that differs in {names}. Choose another folder, or remove "
            "that file to go on with what is here."
        )
    write_atomic(path, json.dumps(now, indent=1) + "\n")


def _train(
    target: Path,
    recipe: Recipe,
    start: Path | str | None,
    device: str,
    checkpoint_every: int,
    report_every: int,
    on_step: OnStep,
) -> None:
    work = target / WORK
    chosen = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    tokenizer = build_tokenizer()
    begin = start or recipe.start
    parts: Any = None if begin is None else load(begin)
    projection = fitted_projection(work / PROJECTION, recipe, parts)

    def run(phase: Phase) -> None:
        run_phase(
            phase,
            recipe,
            work,
            checkpoint_every=checkpoint_every,
            report_every=report_every,
            on_step=lambda step, steps, loss: on_step(phase.name, step, steps, loss),
        )

    encoder = None
    if recipe.text_encoder_steps > 0:
        encoder = TextEncoderPhase(recipe, tokenizer, chosen)
        if begin is not None:
            encoder.start_from(load_clip(begin)[0])
        run(encoder)
    if recipe.denoiser == "joint":
        denoiser = JointDenoiserPhase(recipe, tokenizer, projection, chosen)
    else:
        denoiser = DenoiserPhase(recipe, tokenizer, projection, chosen, encoder.text_encoder if encoder else None)
    autoencoder = AutoencoderPhase(recipe, projection, chosen)
    detector = DetectorPhase(recipe, chosen, autoencoder.autoencoder)
    clip = ClipPhase(recipe, tokenizer, chosen)
    if begin is not None:
        denoiser.start_from(parts)
        autoencoder.autoencoder.load_state_dict(parts.vae.state_dict())
        detector.network.load_state_dict(load_detector(begin).network.state_dict())
        if recipe.clip_steps == 0:
            clip.clip.load_state_dict(load_clip(begin)[0].state_dict())
    for phase in (denoiser, autoencoder, detector, clip):
        run(phase)
    pipeline = denoiser.pipeline(autoencoder.autoencoder)
    _assemble(target, work, pipeline, detector, clip)


def fitted_projection(path: Path, recipe: Recipe, parts: Any | None) -> PatchProjection:
    """Return the linear map of pixels to latents that a recipe trains with, fitted once and kept at `path`.

    It imitates the autoencoder of `parts` unless the recipe trains one of its own.
    """
    if not path.exists():
        rng = step_rng(recipe.seed, "projection", 0)
        images = rendered(random_scenes(rng, recipe.projection_images, (0.5, 0.5, 0.0)))
        if parts is None or recipe.autoencoder_steps > 0:
            fitted = PatchProjection.fit(images)
        else:
            fitted = PatchProjection.imitating(parts.vae, images)
        write_atomic(
            path, save({"mean": fitted.mean, "components": fitted.components.contiguous(), "scales": fitted.scales})
        )
    return PatchProjection(**load_file(path))


def _assemble(target: Path, work: Path, pipeline: DiffusionPipeline, detector: DetectorPhase, clip: ClipPhase) -> None:
    """Write the parts next to their target and move each in whole; `model_index.json`, which makes it a model, last."""
    staged = work / "assembled"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        pipeline.to("cpu")
        # the text encoder stays whole: transformers loads a part in its saved precision, diffusers in float32
        for part in (getattr(pipeline, "unet", None) or pipeline.transformer, pipeline.vae):
            part.half()
        pipeline.save_pretrained(staged, safe_serialization=True)
        weights = {name: value.half().cpu() for name, value in detector.network.state_dict().items()}
        write_atomic(staged / "detector.safetensors", save(weights))
        clip.modules.to("cpu").half()
        clip.clip.save_pretrained(staged / CLIP_FOLDER)
        build_processor().save_pretrained(staged / CLIP_FOLDER)
        for part in sorted(staged.iterdir(), key=lambda part: part.name == "model_index.json"):
            kept = target / part.name
            if kept.is_dir():
                shutil.rmtree(kept)
            part.replace(kept)
    except OSError as reason:
        raise OutputError(
            f"Expected to write the model to {target}, but it failed ({reason}). Free some space."
        ) from reason
    shutil.rmtree(staged, ignore_errors=True)
