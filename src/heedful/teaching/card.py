"""The model card of taught concepts: what they are, and how anyone loads them, with heedful or without."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from heedful.references import cite
from heedful.teaching import folder as files
from heedful.teaching.concepts import NewConcept
from heedful.teaching.folder import Manifest
from heedful.teaching.methods import METHODS
from heedful.world import NAME

_TAGS = {"lora": ["lora"], "custom-diffusion": ["custom-diffusion"], "unet": ["dreambooth"]}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HERE = "THIS FOLDER"
_WORLD = "world:"
_WITHOUT_INVERSION = ("SD3Transformer2DModel",)
"""Denoisers whose pipelines have no `load_textual_inversion`."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a card says that does not decide the result."""

    base: str
    """The model that learnt, a hub id or a folder."""
    command: str | None = None
    """What was typed."""
    sheet: str | None = None
    """The last validation sheet, by its name in the folder."""


def command_of(prompt: str, method: str, folder: str, base: str) -> str:
    """Return the command that generates images of what a method taught, guided if that is better."""
    taught_by = METHODS.get(method)
    is_guided = taught_by is not None and taught_by.is_best_guided
    words = ["heedful", "generate", prompt, *([] if is_guided else ["--method", "none"]), "--concepts-from", folder]
    return shlex.join([*words, *([] if base == NAME else ["--model", base])])


def card(manifest: Manifest, about: About) -> str:
    """Return the card."""
    base = about.base
    learnt = "\n".join(f"- `{concept.placeholder}`, a {concept.noun}" for concept in manifest.concepts)
    settings = "\n".join(f"| {name} | {_cell(value)} |" for name, value in manifest.training.items())
    is_embedded = base == NAME or base.startswith(_WORLD)
    pipe = [f"pipe = DiffusionPipeline.from_pretrained({base!r})"]
    imports = ["import heedful", "from diffusers import DiffusionPipeline"]
    if is_embedded:
        name = "" if base == NAME else repr(base.removeprefix(_WORLD))
        imports, pipe = ["import heedful"], [f"pipe = heedful.world.load({name})"]
    image = [f"image = pipe({manifest.prompt!r}).images[0]"]
    ours = [*imports, "", *pipe, f'heedful.load_concepts(pipe, "{_HERE}")', *image]
    plain = [*(line for line in imports if line != "import heedful" or is_embedded), *_imports(manifest)]
    plain += ["", *pipe, *_without_heedful(manifest), *image]
    method = METHODS.get(manifest.method)
    text = f"""---
{_header(manifest, about).to_yaml()}
---

# {manifest.prompt}

Concepts that {base} was taught with [heedful](https://github.com/heedful/heedful), method `{manifest.method}`:

{learnt}
{_picture(about)}
```python
{_lines(ours)}
```

On the command line:
`{command_of(manifest.prompt, manifest.method, _HERE, base)}`

With diffusers alone:

```python
{_lines(plain)}
```

## How they were taught
{_command(about)}
| | |
|---|---|
{settings}

## Licence

{_licence(manifest, base)} Whoever shares these weights needs the right to show what the training images show.

## Citation

```bibtex
{cite(method) if method else cite()}
```
"""
    return ModelCard(text).content  # which reads the header again, and refuses one that the hub would


def license_of(pipe: object) -> str | None:
    """Return the licence that the card of the base model names, if it lies beside its weights and can be read."""
    name = getattr(pipe, "name_or_path", None)
    try:
        text = (Path(name) / files.CARD).read_text(encoding="utf-8") if name else ""
        found = ModelCard(text).data.get("license") if text.startswith("---") else None
    except Exception:  # a file that cannot be read, no text, or whatever YAML makes of a strange header
        return None
    return found if isinstance(found, str) else None


def _header(manifest: Manifest, about: About) -> ModelCardData:
    """Return what the hub reads of a card: a base model only where the hub has it."""
    is_on_hub = _HUB_ID.fullmatch(about.base) and not Path(about.base).exists()
    return ModelCardData(
        base_model=about.base if is_on_hub else None,
        license=manifest.license,
        library_name="diffusers",
        pipeline_tag="text-to-image",
        tags=["text-to-image", "diffusers", "textual_inversion", *_TAGS.get(manifest.weights, [])],
        instance_prompt=manifest.prompt,
        widget=[{"text": manifest.prompt, **({"output": {"url": about.sheet}} if about.sheet else {})}],
    )


def _picture(about: About) -> str:
    if about.sheet is None:
        return ""
    what = "the images that were learnt, where the model looks in them for each concept, and images that it makes"
    return f"\n![{what}]({about.sheet})\n"


def _command(about: About) -> str:
    return "" if about.command is None else f"\n```bash\n{about.command}\n```\n"


def _licence(manifest: Manifest, base: str) -> str:
    if manifest.license is None:
        return f"None was named. What the licence of {base} asks for holds for weights that were made from it."
    return f"`{manifest.license}`, as far as that of {base} allows."


def _imports(manifest: Manifest) -> Iterator[str]:
    if manifest.weights == "unet":
        yield "from diffusers import UNet2DConditionModel"
    if manifest.weights == "custom-diffusion" or len(_encoders(manifest)) > 1:
        yield "from safetensors.torch import load_file"


def _without_heedful(manifest: Manifest) -> Iterator[str]:
    """Yield the lines that load the folder into `pipe` with diffusers alone."""
    encoders = _encoders(manifest)
    for concept in manifest.concepts:
        yield from _words(concept, manifest, encoders)
    for key, number in encoders if len(encoders) > 1 else ():
        if key != "t5":  # the configs of published CLIPs name a wrong end token
            yield f"for part in pipe.text_encoder{number}.modules():"
            yield f"    part.eos_token_id = pipe.tokenizer{number}.eos_token_id"
    if manifest.weights == "lora":
        yield f'pipe.load_lora_weights("{_HERE}", weight_name="{files.LORA}")'
    elif manifest.weights == "unet":
        yield f'pipe.unet = UNet2DConditionModel.from_pretrained("{_HERE}", subfolder="{files.DENOISER}")'
    elif manifest.weights == "custom-diffusion":
        yield f'weights = load_file("{_HERE}/{files.CUSTOM_DIFFUSION}")'
        rename = 'name.replace(".processor.", ".").replace("_custom_diffusion", "")'
        yield f"pipe.unet.load_state_dict({{{rename}: value for name, value in weights.items()}}, strict=False)"


def _words(concept: NewConcept, manifest: Manifest, encoders: Sequence[tuple[str, str]]) -> Iterator[str]:
    file = f"{concept.name}.safetensors"
    if len(encoders) == 1:
        yield f'pipe.load_textual_inversion("{_HERE}", weight_name="{file}")'
        return
    yield f'words = load_file("{_HERE}/{file}")'
    for key, number in encoders:
        encoder, tokenizer = f"pipe.text_encoder{number}", f"pipe.tokenizer{number}"
        if manifest.base.get("denoiser") not in _WITHOUT_INVERSION:
            parts = f"text_encoder={encoder}, tokenizer={tokenizer}"
            yield f'pipe.load_textual_inversion(words["{key}"], token="{concept.placeholder}", {parts})'
        else:
            yield f'{tokenizer}.add_tokens("{concept.placeholder}")'
            yield f"{encoder}.resize_token_embeddings(len({tokenizer}), mean_resizing=False)"
            yield f'{encoder}.get_input_embeddings().weight.data[len({tokenizer}) - 1] = words["{key}"][0]'


def _encoders(manifest: Manifest) -> Sequence[tuple[str, str]]:
    """Return how files call each text encoder, and the number behind its name in the pipeline."""
    names = manifest.base.get("encoders", ("clip_l", "clip_g"))  # those of SDXL, which folders of before do not say
    count = len(manifest.base.get("text_widths", [])) or 1
    return list(zip(names, ("", "_2", "_3"), strict=False))[:count]


def _lines(lines: list[str]) -> str:
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
