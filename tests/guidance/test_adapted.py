"""What people put into their pipelines stays, acts, and is seen: adapters, learnt tokens, offloading, backends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.hooks import CpuOffload
from diffusers import FirstBlockCacheConfig
from diffusers.models.attention_dispatch import attention_backend
from diffusers.models.attention_processor import CustomDiffusionAttnProcessor2_0, IPAdapterAttnProcessor2_0
from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from heedful.attention import find_denoiser, find_sites
from heedful.errors import UnsupportedPipeline
from heedful.guidance import guide
from heedful.guidance.methods import A_STAR, AttendAndExciteLoss
from tests.every_pipeline import PIPELINES, PROMPTS, Run
from tests.guidance.test_every_pipeline import settings_of
from tests.pipelines import tiny_pipeline, tiny_unet

SD, FLUX = "StableDiffusionPipeline", "FluxPipeline"


def low_rank(run: Run, folder: Path) -> None:
    """A LoRA as `load_lora_weights` puts it there, from a file of its own."""
    torch.manual_seed(1)
    unet = tiny_unet()
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False))
    type(run.pipe).save_lora_weights(folder, unet_lora_layers=get_peft_model_state_dict(unet))
    run.pipe.load_lora_weights(folder, weight_name="pytorch_lora_weights.safetensors")


def custom_diffusion(run: Run, folder: Path) -> None:
    torch.manual_seed(1)
    for site in find_sites(run.pipe.unet):
        module = run.pipe.unet.get_submodule(site.name)
        processor = CustomDiffusionAttnProcessor2_0(hidden_size=module.to_q.in_features, cross_attention_dim=16)
        module.set_processor(processor)


def image_prompt(run: Run, folder: Path) -> None:
    torch.manual_seed(1)
    unet = run.pipe.unet
    for site in find_sites(unet):
        module = unet.get_submodule(site.name)
        module.set_processor(IPAdapterAttnProcessor2_0(module.to_q.in_features, 16, num_tokens=(4,)))
    projection = ImageProjection(image_embed_dim=6, cross_attention_dim=16, num_image_text_embeds=4)
    unet.encoder_hid_proj = MultiIPAdapterImageProjection([projection])
    unet.config.encoder_hid_dim_type = "ip_image_proj"
    run.arguments["ip_adapter_image_embeds"] = [torch.randn(2, 1, 6)]  # without and with the image


def fused(run: Run, folder: Path) -> None:
    denoiser = find_denoiser(run.pipe)
    denoiser.fuse_qkv_projections()  # pyright: ignore


@pytest.mark.parametrize("adapt", [low_rank, custom_diffusion, image_prompt])
def test_adapter_acts_on_maps_and_stays(adapt: Callable[[Run, Path], None], tmp_path: Path) -> None:
    run = PIPELINES[SD]()
    settings = settings_of(run, 0.3)
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.0)) as bare:
        run()
    adapt(run, tmp_path)
    plain = run()
    processors = dict(run.pipe.unet.attn_processors)
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.0)) as still:
        assert run().equal(plain)
    assert not still.maps["cat"][:2].equal(bare.maps["cat"][:2])
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        run()
    assert sum(guided.trace[-1].loss) < sum(still.trace[-1].loss)
    assert all(processors[name] is now for name, now in run.pipe.unet.attn_processors.items())
    assert run().equal(plain)


@pytest.mark.parametrize("name", [SD, FLUX])
def test_fused_projections_show_the_same_maps(name: str, tmp_path: Path) -> None:
    run = PIPELINES[name]()
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.0)) as apart:
        run()
    fused(run, tmp_path)
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.0)) as together:
        run()
    torch.testing.assert_close(together.maps["cat"], apart.maps["cat"], rtol=1e-4, atol=1e-5, equal_nan=True)
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.3)) as guided:
        run()
    assert sum(guided.trace[-1].loss) < sum(apart.trace[-1].loss)


def test_placeholder_of_several_vectors_is_one_concept_with_all_of_its_tokens() -> None:
    pipe: Any = tiny_pipeline()
    pipe.load_textual_inversion({"<toy>": torch.randn(3, 16)}, token="<toy>")
    prompt = "a <toy> and a blue clock"
    with guide(pipe, prompt, AttendAndExciteLoss(), concepts=["<toy>", "blue clock"]) as guided:
        (parsed,) = guided.prompts
        assert [concept.token_indices for concept in parsed.concepts] == [(2, 3, 4), (8,)]
        ids = pipe.tokenizer(pipe.maybe_convert_prompt(prompt, pipe.tokenizer)).input_ids
        assert len(parsed.tokens) == len(ids)
        assert [ids[index] for index in (2, 3, 4)] == pipe.tokenizer.convert_tokens_to_ids(
            ["<toy>", "<toy>_1", "<toy>_2"]
        )
        pipe(prompt, num_inference_steps=2, output_type="latent")
    assert guided.maps["<toy>"].isfinite().all()


def test_pipeline_whose_parts_wait_on_the_cpu_is_guided() -> None:
    run = PIPELINES[SD]()
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.3)) as guided:
        expected = run()
    run.pipe.enable_model_cpu_offload(device="cpu")
    assert isinstance(run.pipe.unet._hf_hook, CpuOffload)
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.3)) as guided:
        assert run().equal(expected)
    assert len(guided.trace) == 3
    assert isinstance(run.pipe.unet._hf_hook, CpuOffload)


def cached(run: Run) -> None:
    run.pipe.transformer.enable_cache(FirstBlockCacheConfig(threshold=0.1))


def test_cache_says_why_it_cannot_be_guided() -> None:
    run = PIPELINES[FLUX]()
    cached(run)
    reason = "fbc_.*skips blocks.*disable_cache"
    with pytest.raises(UnsupportedPipeline, match=reason), guide(run.pipe, PROMPTS, A_STAR):
        pass


def test_cache_that_is_turned_on_inside_the_block_says_why() -> None:
    run = PIPELINES[FLUX]()
    with guide(run.pipe, PROMPTS, A_STAR), pytest.raises(UnsupportedPipeline, match="skips blocks"):
        cached(run)
        run()


def test_cache_that_is_turned_off_again_is_no_hindrance() -> None:
    run = PIPELINES[FLUX]()
    cached(run)
    run.pipe.transformer.disable_cache()
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings_of(run, 0.3)) as guided:
        run()
    assert len(guided.trace) == 3


@pytest.fixture
def flex() -> Iterator[str]:
    """A backend without a way back on a CPU. `set_attention_backend` sets it for every model that is made later too."""
    with attention_backend("flex"):
        yield "flex"


@pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")
@pytest.mark.parametrize("is_own", [True, False], ids=["of the model", "of all"])
def test_backend_that_shows_no_probabilities_is_changed_for_the_passes_that_need_them(flex: str, is_own: bool) -> None:
    run = PIPELINES[FLUX]()
    settings = settings_of(run, 0.3)
    with attention_backend("native"), guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        expected, loss = run(), guided.trace[-1].loss
    if is_own:
        run.pipe.transformer.set_attention_backend(flex)
    processors = run.pipe.transformer.attn_processors.values()
    before = [one._attention_backend for one in processors]
    plain = run()
    with guide(run.pipe, PROMPTS, AttendAndExciteLoss(), settings=settings) as guided:
        images = run()
    torch.testing.assert_close(images, expected, rtol=1e-3, atol=1e-3)
    assert guided.trace[-1].loss == pytest.approx(loss, rel=1e-3)
    assert run().equal(plain)
    assert [one._attention_backend for one in processors] == before
