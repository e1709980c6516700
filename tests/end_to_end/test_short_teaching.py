"""One short but real teaching of the embedded model: afterwards it denoises what it was shown better than before."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from heedful import load_concepts, world
from heedful.guidance.methods import HEEDFUL
from heedful.images.painting import paint
from heedful.images.sampling import Sampling
from heedful.steering.texts import parse_prompt
from heedful.teaching import TaughtConcepts, TeachingSettings, teach
from heedful.teaching.concepts import new_concepts
from heedful.teaching.dataset import TrainingImages
from heedful.teaching.methods.disendiff import DISENDIFF
from heedful.teaching.methods.method import EMBEDDED
from heedful.teaching.objective import Objective
from heedful.teaching.text_embeddings import add_concepts, initial_vectors
from tests.pipelines import generator

PROMPT = "a <cat1> cat and a <dog1> dog"
STEPS = 40


def photo() -> Image.Image:
    """Two things that the model has never seen: one striped, one with a checked half."""
    picture = Image.new("RGB", (64, 64), (222, 214, 240))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((4, 18, 28, 42), fill=(240, 180, 40))
    for x in range(6, 28, 6):
        pen.line((x, 20, x, 40), fill=(40, 40, 120), width=2)
    pen.rectangle((36, 24, 58, 48), fill=(150, 90, 60))
    for x in range(36, 58, 8):
        pen.rectangle((x, 24, x + 3, 48), fill=(40, 160, 90))
    return picture


def _settings() -> TeachingSettings:
    given: dict[str, Any] = {"max_train_steps": STEPS, "train_batch_size": 1, "with_prior_preservation": False}
    return TeachingSettings(learning_rate=EMBEDDED.learning_rate, augmentation="flip", sites=EMBEDDED.sites, **given)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> TaughtConcepts:
    pipe = world.load()
    return teach(pipe, photo(), PROMPT, DISENDIFF, out=tmp_path_factory.mktemp("taught"), settings=_settings())


def denoising_loss(pipe: Any) -> float:
    """The mean over 24 timesteps and noises, the same at every call."""
    objective = Objective(pipe, None, _settings(), new_concepts(PROMPT, pipe.tokenizer))
    shown = TrainingImages((photo(),), (PROMPT,))
    values = []
    for number in range(3):
        rng = torch.Generator().manual_seed(100 + number)
        examples = [shown.draw(np.random.default_rng(number), (64, 64), "none") for _ in range(8)]
        with torch.no_grad(), objective.losses(examples, [], (64, 64), rng) as losses:
            values.append(float(losses["denoising"].detach()))
    return sum(values) / len(values)


def test_the_taught_picture_is_denoised_better_than_before(taught: TaughtConcepts) -> None:
    before, after = world.load(), world.load()
    add_concepts(before, initial_vectors(before, new_concepts(PROMPT, before.tokenizer), None))
    load_concepts(after, taught.folder)
    assert denoising_loss(after) < 0.9 * denoising_loss(before)


def test_the_default_method_guides_the_taught_concepts(taught: TaughtConcepts) -> None:
    pipe: Any = world.load()
    pipe.set_progress_bar_config(disable=True)
    load_concepts(pipe, taught.folder)
    prompt = parse_prompt(pipe, PROMPT)
    sampling = Sampling(steps=10, guidance_scale=3.0, width=64, height=64)
    plain = pipe(PROMPT, num_inference_steps=10, guidance_scale=3.0, generator=generator(3)).images[0]
    painted = paint(pipe, sampling, [prompt], HEEDFUL, [3], keep_maps=True)
    (image,), guided = painted.images, painted.guided
    assert image.tobytes() != plain.tobytes()
    assert guided.maps["<cat1> cat"].isfinite().all() and guided.maps["<dog1> dog"].isfinite().all()
    assert len([step for step in guided.trace if step.is_guided]) > 0
