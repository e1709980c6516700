"""The families of large transformers: their arguments are those of their pipelines, and they learn as LoRA."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from safetensors.torch import load_file

from heedful.attention import find_denoiser
from heedful.errors import ConceptsDoNotFit, SettingsError, UnsupportedPipeline
from heedful.teaching import METHODS, load_concepts
from heedful.teaching.concepts import new_concepts
from heedful.teaching.dataset import TrainingImages
from heedful.teaching.families import FAMILIES, family_of
from heedful.teaching.objective import Objective
from heedful.teaching.text_embeddings import add_concepts, initial_vectors, text_parts
from tests.pipelines import generator, tiny_sdxl_pipeline
from tests.teaching.lesson import parameters, picture, short, taught
from tests.transformer_pipelines import tiny_flux, tiny_sd3

PROMPT = "a <one> cat and a <two> dog"
SIZE = (16, 16)
FEW: dict[str, Any] = {"num_inference_steps": 1, "height": 16, "width": 16}
LORA = METHODS["disendiff-lora"]
Make = Callable[[], Any]
BOTH = pytest.mark.parametrize("make", [tiny_sd3, tiny_flux])


def _seen(pipe: Any) -> dict[str, Any]:
    """The arguments of the denoiser's first call in a run of the pipeline without guidance by two predictions."""
    found: list[dict[str, Any]] = []
    forward = pipe.transformer.forward

    def watch(**arguments: Any) -> Any:
        found.append(arguments)
        return forward(**arguments)

    pipe.transformer.forward = watch
    scale = {} if isinstance(pipe, FluxPipeline) else {"guidance_scale": 1.0}
    pipe("a cat and a dog", generator=generator(), output_type="latent", **FEW, **scale)
    del pipe.transformer.forward
    return found[0]


@BOTH
def test_a_denoiser_gets_the_arguments_that_its_pipeline_gives_it(make: Make) -> None:
    pipe = make()
    seen = _seen(pipe)
    family = family_of(pipe.transformer)
    text = family.encode(pipe, ["a cat and a dog"], SIZE)
    time = seen["timestep"] * (1000 if family.is_packed else 1)
    noisy = torch.randn(1, 4, 8, 8, generator=generator())
    given = family.arguments(pipe.transformer, noisy, time, text)
    assert given.keys() == {name for name, value in seen.items() if value is not None} - {
        "return_dict",
        "joint_attention_kwargs",
    }
    for name, value in given.items():
        if name == "hidden_states":
            packed = pipe._pack_latents(noisy, 1, 4, 8, 8) if family.is_packed else noisy
            assert torch.equal(value, packed) and value.shape == seen[name].shape
            assert torch.equal(family.prediction(value, noisy), noisy)
        else:
            torch.testing.assert_close(value, seen[name].to(value))


@BOTH
def test_the_denoising_loss_is_that_of_a_flow_and_maps_are_read_beside_it(make: Make) -> None:
    pipe = make()
    concepts = new_concepts(PROMPT, pipe.tokenizer)
    add_concepts(pipe, initial_vectors(pipe, concepts, None))
    settings = LORA.settings_for(pipe.transformer, short(LORA, sites=LORA.settings_for(pipe.transformer).sites))
    rng = np.random.default_rng(0)
    shown, prior = (
        [TrainingImages((picture(seed),), (caption,)).draw(rng, SIZE, "none") for seed in seeds]
        for seeds, caption in (((0, 1), PROMPT), ((2,), "a cat and a dog"))
    )
    draw, family = generator(), family_of(pipe.transformer)
    distribution = pipe.vae.encode(torch.stack([each.pixels for each in [*shown, *prior]])).latent_dist
    latents = distribution.mean + distribution.std * torch.randn(distribution.mean.shape, generator=draw)
    latents = (latents - 0.1) * pipe.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=draw)
    share = torch.randn(3, generator=draw).sigmoid()
    noisy = torch.lerp(latents, noise, share[:, None, None, None])
    text = family.encode(pipe, [each.caption for each in [*shown, *prior]], SIZE)
    arguments = family.arguments(pipe.transformer, noisy, share * 1000, text)
    with torch.no_grad():
        predicted = family.prediction(pipe.transformer(**arguments).sample, latents)
    errors = (predicted - (noise - latents)).square().mean((1, 2, 3))
    with Objective(pipe, LORA.loss, settings, concepts).losses(shown, prior, SIZE, generator()) as losses:
        torch.testing.assert_close(losses["denoising"], errors[:2].mean(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(losses["prior"], errors[2], rtol=1e-4, atol=1e-5)
        gradients = torch.autograd.grad(losses["maps"], [*pipe.transformer.parameters()], allow_unused=True)
    assert any(one is not None and one.any() for one in gradients)


@pytest.mark.parametrize("make", [tiny_sd3, tiny_flux, tiny_sdxl_pipeline])
def test_words_and_a_lora_learn_and_come_back_with_heedful_and_without(make: Make, tmp_path: Path) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    pipe = make()
    pipe.save_pretrained(base)
    before = parameters(pipe)
    usual = LORA.settings_for(find_denoiser(pipe))
    taught(pipe, LORA, out, PROMPT, base_model=str(base), sites=usual.sites, detach_start=usual.detach_start,
           max_train_steps=2, train_batch_size=1, num_class_images=1, class_steps=1)  # fmt: skip
    after = parameters(pipe)
    changed = {name for name, value in after.items() if name in before and before[name].shape == value.shape
               and not torch.equal(before[name], value)}  # fmt: skip
    assert not changed
    assert any(".lora_B" in name and value.any() for name, value in after.items())
    for tokenizer, encoder in text_parts(pipe):
        table = encoder.get_input_embeddings().weight
        rows = table[tokenizer.convert_tokens_to_ids(["<one>", "<two>"])]
        assert not torch.equal(rows[0], rows[1])
    wanted = np.asarray(pipe(PROMPT, generator=generator(), **FEW).images[0])
    card = (out / "README.md").read_text()
    for code in (block.split("```")[0] for block in card.split("```python\n")[1:]):
        short_call = f"{PROMPT!r}, generator=torch.Generator().manual_seed(0), **few"
        room: dict[str, Any] = {"torch": torch, "few": FEW}
        exec(code.replace("THIS FOLDER", str(out)).replace(repr(PROMPT), short_call), room)
        assert np.abs(np.asarray(room["image"], float) - wanted).max() <= 1
    weights = load_file(out / "pytorch_lora_weights.safetensors")
    assert {name.partition(".")[0] for name in weights} == {"unet" if hasattr(pipe, "unet") else "transformer"}
    with pytest.raises(ConceptsDoNotFit, match="like the one that learnt <one>"):
        load_concepts(tiny_sd3(t5=False) if make is tiny_sd3 else tiny_sd3(), out)


@BOTH
def test_what_a_family_cannot_learn_is_refused_before_anything_is_done(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedPipeline, match=r"teaches a \w+ as LoRA, got 'disendiff'.* Take disendiff-lora"):
        taught(make(), METHODS["disendiff"], tmp_path, PROMPT, detach_start=False)
    if make is tiny_flux:
        with pytest.raises(SettingsError, match="detach_start only where a text has a start token"):
            taught(make(), LORA, tmp_path, PROMPT)
    else:
        with pytest.raises(ConceptsDoNotFit, match="one vector for each word, got 2"):
            taught(make(), LORA, tmp_path, PROMPT, num_vectors=2)
    assert not list(tmp_path.iterdir())


def test_a_word_does_not_move_the_end_of_a_text_whose_encoder_has_the_wrong_end_token() -> None:
    pipe = tiny_sdxl_pipeline()
    end = pipe.tokenizer_2.eos_token_id
    for module in pipe.text_encoder_2.modules():
        if hasattr(module, "eos_token_id"):
            module.eos_token_id = 2  # as in the published config
    concepts = new_concepts("a <one> cat", pipe.tokenizer)
    add_concepts(pipe, initial_vectors(pipe, concepts, ["dog"]))
    assert pipe.tokenizer_2.convert_tokens_to_ids("<one>") > end
    ids = pipe.tokenizer_2(["a <one> cat", "a dog cat"], padding="max_length", return_tensors="pt").input_ids
    one, same = pipe.text_encoder_2(ids).text_embeds
    torch.testing.assert_close(one, same)


def test_every_family_is_one_of_those_that_are_read() -> None:
    from heedful.attention.layouts import LAYOUTS

    known = {name for layout in LAYOUTS for name in layout.denoisers}
    assert {name for family in FAMILIES for name in family.denoisers} <= known


@pytest.mark.slow  # the only one that loads a second pipeline from a file of its own
@pytest.mark.filterwarnings("ignore")  # diffusers' own, of loading
def test_a_lora_learns_over_weights_of_8_bits_which_stay_as_they_are(tmp_path: Path) -> None:
    from tests.guidance.test_quantised_weights import LOADERS

    pipe = tiny_flux()
    pipe.transformer = LOADERS["GGUF Q8_0"](pipe.transformer, tmp_path).eval()
    before = {name: value.clone() for name, value in pipe.transformer.named_parameters()}
    assert any(value.dtype == torch.uint8 for value in before.values())
    sites = LORA.settings_for(pipe.transformer).sites
    taught(pipe, LORA, tmp_path / "out", PROMPT, sites=sites, detach_start=False, max_train_steps=2,
           train_batch_size=1, num_class_images=1, class_steps=1, gradient_checkpointing=True)  # fmt: skip
    after = {name.replace(".base_layer.", "."): value for name, value in pipe.transformer.named_parameters()}
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(value.any() for name, value in after.items() if ".lora_" in name)
