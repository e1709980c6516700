"""Model cards: their code runs as printed, and gives the image that the taught pipeline gives."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from heedful.teaching import METHODS
from heedful.teaching.card import About, card, license_of
from heedful.teaching.folder import Manifest
from heedful.world import NAME, WORLDS, folder_of
from tests.pipelines import tiny_pipeline, tiny_sdxl_pipeline
from tests.teaching.lesson import PROMPT, taught

FEW = {"num_inference_steps": 1, "height": 16, "width": 16}


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (tiny_pipeline, "textual-inversion"),
        (tiny_pipeline, "disendiff"),
        (tiny_pipeline, "disendiff-lora"),
        (tiny_pipeline, "dreambooth"),
        (tiny_sdxl_pipeline, "disendiff"),
    ],
)
def test_the_code_of_a_card_runs_as_printed_with_heedful_and_without(make: Any, name: str, tmp_path: Path) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    pipe = make()
    pipe.save_pretrained(base)
    taught(pipe, METHODS[name], out, base_model=str(base), max_train_steps=1, with_prior_preservation=False)
    wanted = np.asarray(pipe(PROMPT, generator=torch.Generator().manual_seed(0), **FEW).images[0])
    blocks = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    assert "heedful" not in blocks[1]
    for code in blocks:
        short = f"{PROMPT!r}, generator=torch.Generator().manual_seed(0), **few"
        room: dict[str, Any] = {"torch": torch, "few": FEW}
        exec(code.replace("THIS FOLDER", str(out)).replace(repr(PROMPT), short), room)
        assert np.abs(np.asarray(room["image"], float) - wanted).max() <= 1


def _manifest(**changes: Any) -> Manifest:
    return Manifest(**({"prompt": PROMPT, "concepts": (), "method": "mine", "weights": "none", "base": {}} | changes))


def test_the_hub_reads_the_header_of_a_card_whatever_the_prompt_holds() -> None:
    prompt = "it's: a <cat1> # cat, {x}\n---\nlicense: mit"
    text = card(_manifest(prompt=prompt, weights="lora"), About(base="owner/name", sheet="validation/1.png"))
    data = ModelCard(text).data.to_dict()
    assert data == {
        "base_model": "owner/name",
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": ["text-to-image", "diffusers", "textual_inversion", "lora"],
        "instance_prompt": prompt,
        "widget": [{"text": prompt, "output": {"url": "validation/1.png"}}],
    }


def test_a_card_names_its_base_model_to_the_hub_if_that_is_a_hub_id() -> None:
    for base in (NAME, "/models/mine"):
        assert ModelCard(card(_manifest(), About(base=base))).data.base_model is None


@pytest.mark.parametrize("world", WORLDS)
def test_the_hub_reads_the_cards_of_the_embedded_models(world: str) -> None:
    data = ModelCard((folder_of(world) / "README.md").read_text(encoding="utf-8")).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "diffusers", "text-to-image")


@pytest.mark.parametrize(("base", "call"), [(NAME, "load()"), ("world:joint", "load('joint')")])
def test_the_card_of_an_embedded_model_loads_it_as_heedful_does(base: str, call: str) -> None:
    text = card(_manifest(), About(base=base))
    assert text.count(f"pipe = heedful.world.{call}") == 2 and "from_pretrained" not in text


def test_a_card_has_the_licence_that_was_named_and_says_if_none_was(tmp_path: Path) -> None:
    assert "None was named. What the licence of owner/name asks for" in card(_manifest(), About(base="owner/name"))
    about = About(base="owner/name", command="heedful teach a.png", sheet="validation/1.png")
    text = card(_manifest(license="mit"), about)
    assert ModelCard(text).data.license == "mit" and "`mit`, as far as that of owner/name allows." in text
    assert "```bash\nheedful teach a.png\n```" in text and "](validation/1.png)" in text
    pipe = SimpleNamespace(name_or_path=str(tmp_path))
    assert license_of(pipe) is None and license_of(SimpleNamespace(name_or_path=None)) is None
    (tmp_path / "README.md").write_text("---\ntags: [a]\nlicense: openrail\n---\nlicense: other\n")
    assert license_of(pipe) == "openrail"
    for strange in ("---\nlicense: [a, b]\n---\n", "---\n: : {\n---\n", "no header\nlicense: mit\n", "---\nno end"):
        (tmp_path / "README.md").write_text(strange)
        assert license_of(pipe) is None


@pytest.mark.parametrize(("method", "guidance"), [("disendiff", " --method none"), ("heedful-lora", "")])
def test_the_command_of_a_card_guides_where_that_is_better(method: str, guidance: str) -> None:
    assert f"heedful generate '{PROMPT}'{guidance} --concepts-from 'THIS FOLDER'`" in card(
        _manifest(method=method), About(base=NAME)
    )


def test_the_command_of_a_card_quotes_what_it_uses() -> None:
    text = card(_manifest(prompt="it's a <cat1> cat"), About(base="/a b"))
    assert """heedful generate 'it'"'"'s a <cat1> cat' --method none --concepts-from""" in text
    assert "--model '/a b'" in text
