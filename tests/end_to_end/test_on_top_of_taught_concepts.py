"""Taught concepts with guidance, a community LoRA and inpainting on top: each acts, and leaves the others alone."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image

from heedful import load_concepts
from heedful.attention import SiteSelection
from heedful.guidance import NONE, Settings, guide
from heedful.guidance.methods import AttendAndExciteLoss
from heedful.images.inpainting import Inpainting, any_channels, for_inpainting
from heedful.images.painting import paint
from heedful.images.sampling import Sampling, settings_of
from heedful.losses import PUBLISHED_SHARES
from heedful.models.additions import add
from heedful.models.lora import Lora
from heedful.steering.texts import parse_prompt
from heedful.teaching.concepts import new_concepts
from heedful.teaching.text_embeddings import add_concepts, initial_vectors
from tests.end_to_end.conftest import PROMPT, Kind
from tests.pipelines import generator


def ignorant(kind: Kind) -> Any:
    """A pipeline that has the new words, but has learnt nothing."""
    pipe = kind.make()
    add_concepts(pipe, initial_vectors(pipe, new_concepts(PROMPT, pipe.tokenizer), None))
    return pipe


def community_lora(pipe: Any, folder: Path) -> Path:
    """A LoRA that knows nothing of the concepts, as others share it."""
    unet = deepcopy(pipe.unet)
    torch.manual_seed(1)
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    pipe.save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))
    return folder / "pytorch_lora_weights.safetensors"


def differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    return float((one - other).abs().max()) > 1e-3


def test_concepts_are_guided(kind: Kind) -> None:
    pipe = kind.make()
    taught = load_concepts(pipe, kind.folders["disendiff"])
    plain = kind.latents(pipe)
    still = Settings(sites=SiteSelection(), step_size=0.0, step_rule="rms", guided=1.0)
    moved = Settings(sites=SiteSelection(), step_size=0.06, step_rule="rms", guided=1.0)
    loss = AttendAndExciteLoss(
        shares=PUBLISHED_SHARES
    )  # without a reference it is saturated at the embedded model's 16 tokens
    with guide(pipe, PROMPT, loss, settings=still) as looked:
        assert kind.latents(pipe).equal(plain)
    with guide(pipe, PROMPT, loss, settings=moved) as guided:
        images = kind.latents(pipe)
    names = [f"{concept.placeholder} {concept.noun}" for concept in taught.concepts]
    assert [concept.name for concept in guided.prompts[0].concepts] == names
    for name in names:
        assert guided.maps[name].isfinite().all() and guided.maps[name].std() > 0
    assert guided.trace[-1].loss[0] < looked.trace[-1].loss[0]
    assert differ(images, plain)
    assert kind.latents(pipe).equal(plain)


@pytest.mark.parametrize("method", ["disendiff", "disendiff-lora"])
def test_concepts_and_a_lora_act_together_and_come_apart_again(kind: Kind, method: str, tmp_path: Path) -> None:
    bare = ignorant(kind)
    file = community_lora(bare, tmp_path)
    taught_only = kind.model()
    load_concepts(taught_only.pipe, kind.folders[method])
    alone = kind.latents(taught_only.pipe)
    assert differ(alone, kind.latents(bare))

    both = kind.model()
    add(both.pipe, (kind.folders[method],), [(Lora(name=str(file), weight=0.8), file)])
    together = kind.latents(both.pipe)
    bare.load_lora_weights(str(tmp_path), adapter_name="other")
    bare.set_adapters(["other"], [0.8])
    assert differ(together, alone) and differ(together, kind.latents(bare))

    both.pipe.delete_adapters("lora_0")
    torch.testing.assert_close(kind.latents(both.pipe), alone, rtol=0, atol=0)


def test_what_is_on_top_is_told_in_the_settings_of_an_image(kind: Kind) -> None:
    sampling = Sampling(steps=3, guidance_scale=3.0, width=None, height=None)
    told = []
    for folders in ((), (kind.folders["disendiff"],), (kind.folders["disendiff-lora"],)):
        model = kind.model()
        told.append(settings_of(replace(model, on_top=add(model.pipe, folders, ())), sampling, NONE))
    assert "concepts_from" not in told[0]
    assert told[1]["concepts_from"] != told[2]["concepts_from"]


def test_concepts_are_painted_into_a_picture_and_the_rest_is_kept(kind: Kind) -> None:
    picture = Image.effect_noise((kind.side, kind.side), 60).convert("RGB")
    mask = Image.new("L", picture.size)
    mask.paste(255, (0, 0, kind.side // 2, kind.side))
    inpainting = Inpainting(image=picture, mask=mask)
    results = []
    for pipe in (ignorant(kind), kind.make()):
        if results:
            load_concepts(pipe, kind.folders["disendiff"])
        results.append(for_inpainting(kind.model_of(pipe)).pipe)
    before, taught = results
    arguments = inpainting.arguments(1)
    with any_channels(before):
        plain = kind.latents(before, **arguments)
    with any_channels(taught):
        learnt = kind.latents(taught, **arguments)
    settings = Settings(sites=SiteSelection(), step_size=0.06, step_rule="rms", guided=1.0)
    with guide(taught, PROMPT, AttendAndExciteLoss(), settings=settings) as guided, any_channels(taught):
        steered = kind.latents(taught, **arguments)
    half = plain.shape[-1] // 2
    for images in (learnt, steered):
        assert images[..., half:].equal(plain[..., half:])
    assert differ(learnt[..., :half], plain[..., :half]) and differ(steered[..., :half], learnt[..., :half])
    assert guided.maps["<cat1> cat"].isfinite().all()


def test_a_picture_is_painted_into_at_any_strength(kind: Kind) -> None:
    picture = Image.new("RGB", (kind.side, kind.side), (90, 120, 200))
    mask = Image.new("L", picture.size, 255)
    plain = kind.model()
    add(plain.pipe, (kind.folders["disendiff"],), ())
    model = for_inpainting(plain)
    shares: list[float] = []
    sampling = Sampling(
        steps=4, guidance_scale=3.0, width=kind.side, height=kind.side,
        inpainting=Inpainting(image=picture, mask=mask, strength=0.5),
    )  # fmt: skip
    prompt = parse_prompt(model.pipe, PROMPT)
    painted = paint(model.pipe, sampling, [prompt] * 2, NONE, [0, 1], on_step=shares.append, keep_maps=True)
    assert len(painted.guided.maps) == 2 and sum(shares) == pytest.approx(2)
    assert [image.size for image in painted.images] == [(kind.side, kind.side)] * 2
    assert model.pipe.unet.config.in_channels == model.pipe.vae.config.latent_channels
    with any_channels(model.pipe):
        assert differ(
            kind.latents(model.pipe, generator=generator(), **sampling.inpainting.arguments(1)),  # pyright: ignore
            kind.latents(model.pipe, generator=generator(1), **sampling.inpainting.arguments(1)),  # pyright: ignore
        )
