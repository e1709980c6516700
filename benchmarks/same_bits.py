"""Hashes of everything heedful computes on the embedded model, to prove that a change of the code changes no bit.

    python benchmarks/same_bits.py before.json        on the commit before
    python benchmarks/same_bits.py after.json --against before.json

Five groups: images and latents of `generate` for six methods x 4 seeds, the images of a small `bench run`, the weights
after 20 steps of each teaching method, and the values of every loss on maps made from a seed. Exits with 1 and lists
what differs. One thread, because sums of more than one may be added in another order.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import heedful

METHODS = ("none", "attend-and-excite", "a-star", "initno", "ebama", "heedful")
PROMPT = "a cat and a blue clock"
TEACHING = ("textual-inversion", "dreambooth", "custom-diffusion", "disendiff", "heedful", "disendiff-lora")
PHOTO = "src/heedful/world/data/one_image_concepts"


def digest(*arrays: np.ndarray) -> str:
    """Return a digest of shapes, kinds and bits."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:16]


def command(*words: str) -> None:
    """Run a command of heedful in a process of its own; raises `CalledProcessError`."""
    subprocess.run([sys.executable, "-m", "heedful", *words], check=True, capture_output=True)


def images(folder: Path) -> dict[str, str]:
    """Return the digest of each image's pixels, by method, prompt and seed."""
    paths = sorted(path for path in folder.glob("*/*/*.png") if path.stem.isdigit())
    return {str(path.relative_to(folder)): digest(np.asarray(Image.open(path))) for path in paths}


def generated(folder: Path) -> dict[str, str]:
    """Return the images of `generate`."""
    command("generate", PROMPT, "--compare", ",".join(METHODS), "--seeds", "0-3", "--out", str(folder))
    return images(folder)


def latents() -> dict[str, str]:
    """Return the latents that six methods leave, from the Python interface."""
    found = {}
    pipe = heedful.world.load()
    pipe.set_progress_bar_config(disable=True)
    for name in METHODS:
        generators = [torch.Generator().manual_seed(seed) for seed in range(4)]
        with heedful.guide(pipe, PROMPT, name):
            made = pipe(
                PROMPT, num_images_per_prompt=4, num_inference_steps=20, guidance_scale=3.0, generator=generators,
                output_type="latent",
            ).images  # fmt: skip
        found[name] = digest(made.numpy())
    return found


def benched(folder: Path) -> dict[str, str]:
    """Return the images of a small benchmark, and the verdicts of its judge."""
    command(
        "bench", "run", "--suite", "world-two-development", "--limit", "4", "--methods", "none,a-star,heedful",
        "--seeds", "0-1", "--out", str(folder),
    )  # fmt: skip
    found = images(folder)
    records = [json.loads(line) for path in sorted(folder.rglob("*.jsonl")) for line in path.read_text().splitlines()]
    scores = {f"scores {one['image']}": json.dumps(one["scores"], sort_keys=True) for one in records if "image" in one}
    return found | dict(sorted(scores.items()))


def taught(folder: Path) -> dict[str, str]:
    """Return the weights that 20 steps of each teaching method leave."""
    photo = sorted(Path(PHOTO).glob("*.png"))[0]
    first, second = photo.stem.split("-")[:2]
    found = {}
    for name in TEACHING:
        out = folder / name
        command(
            "teach", str(photo), "--prompt", f"a <one> {first} and a <two> {second}", "--method", name,
            "--max-train-steps", "20", "--num-class-images", "8", "--train-batch-size", "2", "--out", str(out),
        )  # fmt: skip
        for path in sorted(out.glob("*.safetensors")):
            tensors = load_file(path)
            found[f"{name}/{path.name}"] = digest(*(tensors[key].float().numpy() for key in sorted(tensors)))
    return found


def losses() -> dict[str, str]:
    """Return the values and gradients of every method's loss on maps made from a seed."""
    from heedful.attention import Maps
    from heedful.prompts import Concept, Modifier, Prompt

    generator = torch.Generator().manual_seed(0)
    tokens = (2 * torch.randn(2, 40, 77, 16, 16, generator=generator)).softmax(2).mean(1)
    before = (2 * torch.randn(2, 40, 77, 16, 16, generator=generator)).softmax(2).mean(1)
    self_attention = (2 * torch.randn(2, 256, 256, generator=generator)).softmax(-1)
    concepts = (Concept("cat", "cat", (2,)), Concept("blue clock", "clock", (6,), (Modifier("blue", (5,)),)))
    prompt = Prompt("a cat and a blue clock", ("<s>", "a", "cat", "and", "a", "blue", "clock", "</s>"), concepts)
    found = {}
    for name, method in heedful.methods.METHODS.items():
        if method.loss is None:
            continue
        leaf = tokens.clone().requires_grad_()
        maps = Maps(leaf, self_attention.reshape(2, 256, 16, 16).requires_grad_())
        value = method.loss(maps, [prompt, prompt], Maps(before))
        (gradient,) = torch.autograd.grad(value.sum() + 0 * leaf.sum(), leaf)
        found[name] = f"{[float(one) for one in value]} {digest(gradient.numpy())}"
    return found


def main() -> None:
    """Write the digests, and compare them with those of another commit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--groups", default="losses,latents,generate,bench,teach", help="Those that are made.")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        groups = {
            "losses": losses,
            "latents": latents,
            "generate": lambda: generated(folder / "generate"),
            "bench": lambda: benched(folder / "bench"),
            "teach": lambda: taught(folder / "teach"),
        }
        found = {group: groups[group]() for group in chosen.groups.split(",")}
    chosen.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print({group: len(values) for group, values in found.items()})
    if chosen.against is None:
        return
    expected = json.loads(chosen.against.read_text(encoding="utf-8"))
    differing = [
        f"{group}: {name}"
        for group in found
        for name in expected.get(group, {}).keys() | found.get(group, {}).keys()
        if expected.get(group, {}).get(name) != found.get(group, {}).get(name)
    ]
    print("\n".join(sorted(differing)) or "the same bits")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
