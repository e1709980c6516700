"""The model card of taught concepts: what they are, and how anyone loads them, with heedful or without."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heedful.references import cite
from heedful.teaching import folder as files
from heedful.teaching.concepts import NewConcept
from heedful.teaching.folder import Manifest
from heedful.teaching.methods import METHODS
from heedful.world import NAME

_TAGS = {"lora": ["lora"], "custom-diffusion": ["custom-diffusion"], "unet": ["dreambooth"]}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HERE = "THIS FOLDER"


def card(manifest: Manifest, base: str) -> str:
    """Return the card; `base` is the model that learnt, a hub id or a folder."""
    is_on_hub = _HUB_ID.fullmatch(base) and not Path(base).exists()
    header = {
        **({"base_model": base} if is_on_hub else {}),
        "library_name": "diffusers",
        "instance_prompt": manifest.prompt,
        "tags": ["text-to-image", "diffusers", "textual_inversion", *_TAGS.get(manifest.weights, [])],
        "widget": [{"text": manifest.prompt}],
    }
    # JSON's strings, lists and objects are YAML too, and safe whatever a prompt holds
    yaml = "".join(f"{name}: {json.dumps(value)}\n" for name, value in header.items())
    learnt = "\n".join(f"- `{concept.placeholder}`, a {concept.noun}" for concept in manifest.concepts)
    settings = "\n".join(f"| {name} | {_cell(value)} |" for name, value in manifest.training.items())
    model_option = "" if base == NAME else f" --model {shlex.quote(base)}"
    pipe = [f"pipe = DiffusionPipeline.from_pretrained({base!r})"]
    imports = ["import heedful", "from diffusers import DiffusionPipeline"]
    if base == NAME:
        imports, pipe = ["import heedful"], ["pipe = heedful.world.load()"]
    image = [f"image = pipe({manifest.prompt!r}).images[0]"]
    ours = [*imports, "", *pipe, f'heedful.load_concepts(pipe, "{_HERE}")', *image]
    plain = [*(line for line in imports if line != "import heedful" or base == NAME), *_imports(manifest)]
    plain += ["", *pipe, *_without_heedful(manifest), *image]
    method = METHODS.get(manifest.method)
    return f"""---
{yaml}---

# {manifest.prompt}

Concepts that {base} was taught with [heedful](https://github.com/heedful/heedful), method `{manifest.method}`:

{learnt}

```python
{_lines(ours)}
```

On the command line:
`heedful generate {shlex.quote(manifest.prompt)} --method none --concepts-from "{_HERE}"{model_option}`

With diffusers alone:

```python
{_lines(plain)}
```

## How they were taught

| | |
|---|---|
{settings}

## Citation

```bibtex
{cite(method) if method else cite()}
```
"""


def _imports(manifest: Manifest) -> Iterator[str]:
    if manifest.weights == "unet":
        yield "from diffusers import UNet2DConditionModel"
    if manifest.weights == "custom-diffusion" or _has_two_encoders(manifest):
        yield "from safetensors.torch import load_file"


def _without_heedful(manifest: Manifest) -> Iterator[str]:
    """Yield the lines that load the folder into `pipe` with diffusers alone."""
    for concept in manifest.concepts:
        yield from _words(concept, _has_two_encoders(manifest))
    if manifest.weights == "lora":
        yield f'pipe.load_lora_weights("{_HERE}", weight_name="{files.LORA}")'
    elif manifest.weights == "unet":
        yield f'pipe.unet = UNet2DConditionModel.from_pretrained("{_HERE}", subfolder="{files.DENOISER}")'
    elif manifest.weights == "custom-diffusion":
        yield f'weights = load_file("{_HERE}/{files.CUSTOM_DIFFUSION}")'
        rename = 'name.replace(".processor.", ".").replace("_custom_diffusion", "")'
        yield f"pipe.unet.load_state_dict({{{rename}: value for name, value in weights.items()}}, strict=False)"


def _words(concept: NewConcept, two_encoders: bool) -> Iterator[str]:
    file = f"{concept.name}.safetensors"
    if not two_encoders:
        yield f'pipe.load_textual_inversion("{_HERE}", weight_name="{file}")'
        return
    yield f'words = load_file("{_HERE}/{file}")'
    for key, number in (("clip_l", ""), ("clip_g", "_2")):
        parts = f"text_encoder=pipe.text_encoder{number}, tokenizer=pipe.tokenizer{number}"
        yield f'pipe.load_textual_inversion(words["{key}"], token="{concept.placeholder}", {parts})'


def _has_two_encoders(manifest: Manifest) -> bool:
    return len(manifest.base.get("text_widths", [])) > 1


def _lines(lines: list[str]) -> str:
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
