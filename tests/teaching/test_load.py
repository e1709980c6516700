"""What comes out of teaching is read back, by heedful and, where its loaders work, by diffusers alone."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor2_0
from safetensors.torch import load_file, save_file

from heedful import load_concepts
from heedful.errors import ConceptsDoNotFit, ModelNotFound, UnsafeWeights
from heedful.teaching import METHODS, TeachingMethod, load_custom_diffusion
from tests.pipelines import latents_of, tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, parameters, taught

EVERY = list(METHODS.values())
CUSTOM = METHODS["custom-diffusion"]


@pytest.mark.parametrize("make", [tiny_pipeline, pytest.param(tiny_sdxl_pipeline, marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.name)
def test_a_fresh_pipeline_paints_what_the_taught_one_paints(make: Any, method: TeachingMethod, tmp_path: Path) -> None:
    pipe = make()
    told = taught(pipe, method, tmp_path)
    fresh = make()
    before = latents_of(fresh, "a cat and a dog")
    concepts = load_concepts(fresh, tmp_path)
    assert concepts == told
    assert [concept.placeholder for concept in concepts.concepts] == ["<cat1>", "<dog1>"]
    torch.testing.assert_close(latents_of(fresh, PROMPT), latents_of(pipe, PROMPT), rtol=1e-4, atol=1e-5)
    assert not torch.equal(latents_of(fresh, PROMPT), before)


def test_diffusers_reads_embeddings_and_lora_alone(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, METHODS["disendiff-lora"], tmp_path)
    fresh = tiny_pipeline()
    for name in ("cat1", "dog1"):
        fresh.load_textual_inversion(str(tmp_path), weight_name=f"{name}.safetensors")
    fresh.load_lora_weights(str(tmp_path), weight_name="pytorch_lora_weights.safetensors")
    torch.testing.assert_close(latents_of(fresh, PROMPT), latents_of(pipe, PROMPT), rtol=1e-4, atol=1e-5)


def test_diffusers_reads_a_whole_denoiser(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, METHODS["dreambooth"], tmp_path)
    unet = UNet2DConditionModel.from_pretrained(tmp_path, subfolder="unet", use_safetensors=True)
    for name, value in unet.named_parameters():
        torch.testing.assert_close(value, pipe.unet.get_parameter(name))


def test_diffusers_loader_of_custom_diffusion_sets_nothing_and_ours_does(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, CUSTOM, tmp_path)
    file = tmp_path / "pytorch_custom_diffusion_weights.safetensors"
    theirs = tiny_pipeline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.unet.load_attn_procs(str(tmp_path), weight_name=file.name, use_safetensors=True)
    assert not any(isinstance(each, CustomDiffusionAttnProcessor2_0) for each in theirs.unet.attn_processors.values())
    untaught = parameters(tiny_pipeline())
    assert all(torch.equal(value, untaught[name]) for name, value in parameters(theirs).items())
    ours = tiny_pipeline()
    load_custom_diffusion(ours.unet, file)
    assert all(torch.equal(value, pipe.unet.get_parameter(name)) for name, value in ours.unet.named_parameters())


def test_our_weights_mean_the_same_in_diffusers_own_processors(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, CUSTOM, tmp_path)
    read = load_file(tmp_path / "pytorch_custom_diffusion_weights.safetensors")
    fresh = tiny_pipeline()
    processors: dict[str, Any] = dict(fresh.unet.attn_processors)
    for name in processors:
        weights = {key.removeprefix(f"{name}."): value for key, value in read.items() if key.startswith(f"{name}.")}
        if weights:
            hidden, text = weights["to_k_custom_diffusion.weight"].shape
            processor = CustomDiffusionAttnProcessor2_0(True, False, hidden, text)
            processor.load_state_dict(weights)
            processors[name] = processor
    fresh.unet.set_attn_processor(processors)
    prompt = "a cat and a dog"
    torch.testing.assert_close(latents_of(fresh, prompt), latents_of(pipe, prompt), rtol=1e-4, atol=1e-5)


def test_a_community_lora_stays_on_top(tmp_path: Path) -> None:
    taught(tiny_pipeline(), CUSTOM, tmp_path / "concepts")
    taught(tiny_pipeline(), METHODS["dreambooth-lora"], tmp_path / "style", prompt="a <s> cat")
    pipe = tiny_pipeline()
    pipe.load_lora_weights(
        str(tmp_path / "style"), weight_name="pytorch_lora_weights.safetensors", adapter_name="style"
    )
    load_concepts(pipe, tmp_path / "concepts")
    both = latents_of(pipe, PROMPT)
    pipe.disable_lora()
    alone = latents_of(pipe, PROMPT)
    assert not torch.equal(both, alone)
    plain = tiny_pipeline()
    load_concepts(plain, tmp_path / "concepts")
    torch.testing.assert_close(alone, latents_of(plain, PROMPT), rtol=1e-4, atol=1e-5)


def test_folders_that_are_not_whole_or_not_safe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"Expected concepts\.json in the folder"):
        load_concepts(tiny_pipeline(), tmp_path)
    (tmp_path / "learned_embeds.bin").write_bytes(b"")
    with pytest.raises(UnsafeWeights, match=r"got pickles.*learned_embeds\.bin"):
        load_concepts(tiny_pipeline(), tmp_path)


def test_concepts_of_another_base_model_are_refused(tmp_path: Path) -> None:
    taught(tiny_pipeline(), CUSTOM, tmp_path)
    pipe = tiny_sdxl_pipeline()
    before = parameters(pipe)
    with pytest.raises(
        ConceptsDoNotFit, match=r"like the one that learnt <cat1>, <dog1>, got one with cross_attention_dim"
    ):
        load_concepts(pipe, tmp_path)
    assert all(torch.equal(value, parameters(pipe)[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 99}, "manifest of format 1 .*got format 99"),
        ({"concepts": [{"placeholder": "<../../x>", "noun": "cat"}]}, "got something else .*letters, digits"),
        ({"concepts": [{"noun": "cat"}]}, "got something else"),
        ({"concepts": [{"placeholder": "<new>", "noun": "cat"}]}, "cannot be read"),
    ],
)
def test_manifests_that_say_something_else_are_refused(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    taught(tiny_pipeline(), CUSTOM, tmp_path)
    said = json.loads((tmp_path / "concepts.json").read_text())
    (tmp_path / "concepts.json").write_text(json.dumps(said | change))
    with pytest.raises(ConceptsDoNotFit, match=says):
        load_concepts(tiny_pipeline(), tmp_path)


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    taught(tiny_pipeline(), CUSTOM, tmp_path)
    file = tmp_path / "pytorch_custom_diffusion_weights.safetensors"
    read = load_file(file)
    name = next(iter(read))
    save_file(read | {name: torch.zeros(3, 3)}, file)
    pipe = tiny_pipeline()
    with pytest.raises(ConceptsDoNotFit, match=r"of shape \(3, 3\).*got one of shape"):
        load_concepts(pipe, tmp_path)
    assert "<cat1>" not in pipe.tokenizer.get_vocab()
    file.write_bytes(b"broken")
    with pytest.raises(ConceptsDoNotFit, match="cannot be read"):
        load_concepts(pipe, tmp_path)


def test_two_loras_need_two_names(tmp_path: Path) -> None:
    method = METHODS["disendiff-lora"]
    taught(tiny_pipeline(), method, tmp_path / "one")
    taught(tiny_pipeline(), method, tmp_path / "two", prompt="a <car1> car")
    pipe = tiny_pipeline()
    load_concepts(pipe, tmp_path / "one")
    with pytest.raises(ConceptsDoNotFit, match="a new name for the LoRA"):
        load_concepts(pipe, tmp_path / "two")
    assert load_concepts(pipe, tmp_path / "two", adapter_name="car").adapter == "car"
    pipe.set_adapters(["taught", "car"])
    assert latents_of(pipe, "a <cat1> cat and a <car1> car").isfinite().all()
