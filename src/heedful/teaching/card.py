"""The model card of taught concepts: what they are, and how anyone loads them, with heedful or without.

Knows Markdown and the hub's header. Knows no training.
"""

import json
from pathlib import Path
from typing import Any

from heedful.references import cite
from heedful.teaching import folder as files
from heedful.teaching.folder import Manifest
from heedful.teaching.methods import TEACHING_METHODS
from heedful.world import NAME


def card(manifest: Manifest, base: str) -> str:
    """Return the card; `base` is the model that learnt, a hub id or a folder."""
    kinds = {"lora": ["lora"], "custom-diffusion": ["custom-diffusion"], "unet": ["dreambooth"]}
    tags = ["text-to-image", "diffusers", "textual_inversion", *kinds.get(manifest.weights, [])]
    header = {
        "base_model": base,
        "library_name": "diffusers",
        "instance_prompt": manifest.prompt,
        "tags": tags,
        "widget": [{"text": manifest.prompt}],
    }
    learnt = "\n".join(f"- `{concept.placeholder}`, a {concept.noun}" for concept in manifest.concepts)
    settings = "\n".join(f"| {name} | {_cell(value)} |" for name, value in manifest.training.items())
    loading = f"from diffusers import DiffusionPipeline\n\npipe = DiffusionPipeline.from_pretrained({base!r})"
    if base == NAME:
        loading = "\npipe = heedful.world.load()"
    model_option = "" if base == NAME else f" --model {base!r}"
    method = TEACHING_METHODS.get(manifest.method)
    references = cite(method) if method else cite()
    return f"""---
{_yaml(header)}---

# {manifest.prompt}

Concepts that {base} was taught with [heedful](https://github.com/heedful/heedful), method `{manifest.method}`:

{learnt}

```python
import heedful
{loading}
heedful.load_concepts(pipe, "THIS FOLDER")
image = pipe({manifest.prompt!r}).images[0]
```

With guidance: `heedful generate {manifest.prompt!r} --concepts-from "THIS FOLDER"{model_option}`
{_without_heedful(manifest)}
## How they were taught

| | |
|---|---|
{settings}

## Citation

```bibtex
{references}
```
"""


def _without_heedful(manifest: Manifest) -> str:
    lines = [
        f'pipe.load_textual_inversion("THIS FOLDER", weight_name="{concept.name}.safetensors")'
        for concept in manifest.concepts
    ]
    if len(manifest.base.get("text_widths", [])) > 1:
        return ""
    if manifest.weights == "lora":
        lines.append(f'pipe.load_lora_weights("THIS FOLDER", weight_name="{files.LORA}")')
    elif manifest.weights == "unet":
        lines.append('pipe.unet = UNet2DConditionModel.from_pretrained("THIS FOLDER", subfolder="unet")')
    elif manifest.weights == "custom-diffusion":
        return ""
    return "\nWithout heedful:\n\n```python\n" + "\n".join(lines) + "\n```\n"


def _yaml(header: dict[str, Any]) -> str:
    """Return the header; JSON's strings, lists and objects are YAML too, and safe whatever a prompt holds."""
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in header.items())


def _cell(value: Any) -> str:
    return str(Path(value).name if isinstance(value, Path) else value).replace("|", "\\|").replace("\n", " ")
