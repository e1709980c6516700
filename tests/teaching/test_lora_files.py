"""What a LoRA says of itself to other programs."""

import json
from pathlib import Path

import peft
from safetensors import safe_open
from safetensors.torch import load_file

from heedful.teaching import METHODS
from heedful.teaching.folder import LORA, LORA_CONFIG, Manifest
from heedful.teaching.lora_files import lora_metadata
from tests.pipelines import tiny_pipeline
from tests.teaching.lesson import PROMPT, taught


def test_a_lora_has_the_keys_of_other_trainers_and_a_config_for_peft(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    taught(pipe, METHODS["disendiff-lora"], tmp_path, max_train_steps=1, base_model="owner/name", license="mit", seed=3)
    with safe_open(tmp_path / LORA, framework="pt") as opened:
        said = opened.metadata()
    expected = {
        "format": "pt",
        "ss_network_dim": "4",
        "ss_network_alpha": "4",
        "ss_learning_rate": "0.01",
        "ss_max_train_steps": "1",
        "ss_seed": "3",
        "ss_resolution": "(16, 16)",
        "ss_num_train_images": "1",
        "ss_num_reg_images": "2",
        "ss_sd_model_name": "owner/name",
        "ss_output_name": "cat1-dog1",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.trigger_phrase": "<cat1> <dog1>",
        "modelspec.license": "mit",
        "name": "cat1-dog1",
    }
    assert expected.items() <= said.items()
    assert json.loads(said["ss_tag_frequency"]) == {"images": {PROMPT: 1}}
    assert json.loads(said["training_info"])["step"] == 1
    assert json.loads(said["software"])["name"] == "heedful"
    assert "ss_base_model_version" not in said  # no model that others know

    config = peft.LoraConfig.from_pretrained(str(tmp_path))
    assert (config.r, config.lora_alpha, config.base_model_name_or_path) == (4, 4, "owner/name")
    stems = {name.removeprefix("unet.").partition(".lora")[0] for name in load_file(tmp_path / LORA)}
    assert set(config.target_modules or ()) == stems
    assert json.loads((tmp_path / LORA_CONFIG).read_text())["peft_type"] == "LORA"


def test_models_that_others_know_are_called_as_others_call_them() -> None:
    def names(**base: object) -> tuple[str | None, str | None]:
        said = lora_metadata(Manifest(prompt=PROMPT, concepts=(), method="mine", weights="lora", base=base), "base")
        return said.get("ss_base_model_version"), said.get("modelspec.architecture")

    assert names(denoiser="UNet2DConditionModel", cross_attention_dim=768) == ("sd_v1", "stable-diffusion-v1/lora")
    sdxl = names(denoiser="UNet2DConditionModel", cross_attention_dim=2048)
    assert sdxl == ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora")
    assert names(denoiser="FluxTransformer2DModel") == ("flux1", "flux-1-dev/lora")
    assert names(denoiser="SD3Transformer2DModel") == ("sd3", "stable-diffusion-3/lora")
