"""Weights are recognised by every byte, and refused where they may be pickles."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from heedful.errors import SettingsError, UnsafeWeights
from heedful.models.lora import Lora, find_lora, parse_lora
from heedful.models.weights import digest_files, fingerprint, refuse_pickles


def test_a_byte_in_the_middle_changes_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "unet").mkdir()
    file = tmp_path / "unet" / "model.safetensors"
    content = bytearray(1 << 18)
    file.write_bytes(content)
    before = fingerprint(tmp_path)
    content[1 << 17] = 1
    file.write_bytes(content)
    assert fingerprint(tmp_path) != before


def test_a_file_is_digested_once_while_it_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"weights")
    first = digest_files(tmp_path, [file])
    monkeypatch.setattr("heedful.models.weights.file_digest", lambda *_: pytest.fail("read again"))
    assert digest_files(tmp_path, [file]) == first


def test_an_index_of_weights_may_not_name_a_pickle(tmp_path: Path) -> None:
    part = tmp_path / "unet"
    part.mkdir()
    save_file({"a": torch.zeros(1)}, part / "model-00001.safetensors")
    index = part / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-00001.safetensors"}}))
    refuse_pickles(tmp_path, "diffusers")
    for name in ("model-00002.bin", "../other/model.safetensors", 3):
        index.write_text(json.dumps({"weight_map": {"a": "model-00001.safetensors", "b": name}}))
        with pytest.raises(UnsafeWeights, match=r"Expected an index of \*\.safetensors"):
            refuse_pickles(tmp_path, "diffusers")


@pytest.mark.parametrize("name", ["lora.PT", "lora.pickle", "lora", "lora.safetensors.bak"])
def test_a_lora_is_safetensors_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(UnsafeWeights, match=r"Expected a LoRA as \*\.safetensors"):
        find_lora(Lora(name=str(tmp_path / name)))


@pytest.mark.parametrize("weight", ["nan", "inf", "much"])
def test_the_weight_of_a_lora_is_a_finite_number(weight: str) -> None:
    with pytest.raises(SettingsError, match="Expected a number after the = of a LoRA"):
        parse_lora(f"owner/name={weight}")
