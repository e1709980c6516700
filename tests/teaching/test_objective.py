"""The denoising loss against the formula, written out with diffusers' scheduler; and what the loss on maps sees."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, DDPMScheduler

from heedful.attention import SiteSelection, capture
from heedful.teaching.concepts import new_concepts
from heedful.teaching.dataset import Example, TrainingImages
from heedful.teaching.methods import Bind, SeparateAndStrengthen
from heedful.teaching.objective import Objective
from heedful.teaching.reading import learnt_of, reader_of
from heedful.teaching.settings import TeachingSettings
from heedful.teaching.text_embeddings import add_concepts, initial_vectors
from tests.pipelines import SCHEDULER, generator, tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, picture

SIZE = (16, 16)
ALL = TeachingSettings(sites=SiteSelection(), loss_weight=0.5, prior_loss_weight=2.0)
LOSS = Bind() + SeparateAndStrengthen()


def prepared(pipe: Any) -> Any:
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    add_concepts(pipe, initial_vectors(pipe, concepts, ["red", "blue"]))
    return concepts


def example(seed: int = 0, caption: str = PROMPT, mask: Any = None) -> Example:
    masks = None if mask is None else (mask,)
    return TrainingImages((picture(seed),), (caption,), masks).draw(np.random.default_rng(0), SIZE, "none")


def by_hand(pipe: Any, examples: list[Example], counts: torch.Tensor | None = None) -> tuple[torch.Tensor, Any]:
    """Mean squared error of each row, in the order of random numbers that the objective draws; and the maps."""
    draw = generator()
    pixels = torch.stack([each.pixels for each in examples])
    distribution = pipe.vae.encode(pixels).latent_dist
    latents = distribution.mean + distribution.std * torch.randn(distribution.mean.shape, generator=draw)
    latents = latents * pipe.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=draw)
    times = torch.randint(1000, (len(latents),), generator=draw)
    scheduler: Any = DDPMScheduler.from_config(pipe.scheduler.config)
    is_velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, times) if is_velocity else noise
    ids = pipe.tokenizer([each.caption for each in examples], padding="max_length", return_tensors="pt").input_ids
    with capture(pipe.unet) as record:
        predicted = pipe.unet(scheduler.add_noise(latents, noise, times), times, pipe.text_encoder(ids)[0]).sample
    errors = F.mse_loss(predicted, target, reduction="none")
    if counts is None:
        return errors.mean((1, 2, 3)), record.maps()
    return (errors * counts).sum((1, 2, 3)) / (counts.sum((1, 2, 3)) * 4), record.maps()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_denoising_loss_is_the_squared_error_of_what_the_model_predicts(prediction: str) -> None:
    pipe = tiny_pipeline(scheduler=DDIMScheduler(**(SCHEDULER | {"prediction_type": prediction})))
    concepts = prepared(pipe)
    learnt, prior = [example(0), example(1)], [example(2, "a cat and a dog")]
    with Objective(pipe, None, ALL, concepts).losses(learnt, prior, SIZE, generator()) as losses:
        errors, _ = by_hand(pipe, [*learnt, *prior])
        torch.testing.assert_close(losses["denoising"], errors[:2].mean(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(losses["prior"], errors[2], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(losses["loss"], errors[:2].mean() + 2.0 * errors[2], rtol=1e-5, atol=1e-6)
        assert "maps" not in losses
        assert set(losses) == {"loss", "denoising", "prior"}


def test_where_a_mask_is_black_nothing_counts() -> None:
    from PIL import Image

    mask = Image.new("L", SIZE, 0)
    mask.paste(255, (0, 0, 8, 16))
    pipe = tiny_pipeline()
    concepts = prepared(pipe)
    counts = torch.zeros(1, 1, 8, 8)
    counts[..., :4] = 1
    with Objective(pipe, None, ALL, concepts).losses([example(mask=mask)], [], SIZE, generator()) as losses:
        torch.testing.assert_close(losses["denoising"], by_hand(pipe, [example()], counts)[0][0], rtol=1e-5, atol=1e-6)
        assert "prior" not in losses


def test_the_loss_on_maps_sees_the_learnt_pictures_alone_in_the_same_pass() -> None:
    pipe = tiny_pipeline()
    concepts = prepared(pipe)
    learnt, prior = [example(0), example(1)], [example(2, "a cat and a dog")]
    with Objective(pipe, LOSS, ALL, concepts).losses(learnt, prior, SIZE, generator()) as losses:
        errors, maps = by_hand(pipe, [*learnt, *prior])
        prompts = [learnt_of(reader_of(pipe)(PROMPT), concepts)] * 2
        expected = LOSS(maps.select([0, 1]), prompts, None).mean()
        torch.testing.assert_close(losses["maps"], expected, rtol=1e-4, atol=1e-5)
        total = errors[:2].mean() + 2.0 * errors[2] + 0.5 * expected
        torch.testing.assert_close(losses["loss"], total, rtol=1e-4, atol=1e-5)


def test_sdxl_is_told_the_size_and_the_pooled_text() -> None:
    pipe = tiny_sdxl_pipeline()
    concepts = prepared(pipe)
    told: list[dict[str, Any]] = []
    handle = pipe.unet.register_forward_pre_hook(lambda module, args, kwargs: told.append(kwargs), with_kwargs=True)
    with Objective(pipe, None, ALL, concepts).losses([example()], [], SIZE, generator()) as losses:
        assert losses["loss"].isfinite()
    handle.remove()
    added = told[0]["added_cond_kwargs"]
    assert added["time_ids"].tolist() == [[16, 16, 0, 0, 16, 16]]
    expected = pipe.encode_prompt(PROMPT, device="cpu", do_classifier_free_guidance=False)[2]
    torch.testing.assert_close(added["text_embeds"], expected)


def test_the_same_generator_gives_the_same_loss() -> None:
    pipe = tiny_pipeline()
    objective = Objective(pipe, LOSS, replace(ALL, loss_weight=1.0), prepared(pipe))
    values = []
    for seed in (0, 0, 1):
        with objective.losses([example()], [], SIZE, generator(seed)) as losses:
            values.append(float(losses["loss"].detach()))
    assert values[0] == values[1] != values[2]
